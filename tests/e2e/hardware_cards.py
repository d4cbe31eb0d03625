"""Real cards as cards of a site, against a real kernel: SR-IOV, IOMMU groups and VFIO of Linux, with no hardware.

A Debian kernel boots in QEMU with `intel-iommu` and two NVMe devices that can have four virtual functions. The daemon
runs inside it with a site whose cards they are: systems get functions, the daemon is killed and finds them again,
functions and the card are taken away under it, and at the end everything is as it was.
"""

import json
import os
import time

from hardware import PF, Guest as Hardware
from world import check, main, need, say

PF_B = "0000:02:00.0"
SITE = f"""name: real
chassis:
  - name: shelf
    carriers:
      - name: slot-1
        cards:
          - {{name: ssd-a, class: vfio, address: "{PF}", vfs: 4}}
          - {{name: ssd-b, class: vfio, address: "{PF_B}", vfs: 2}}
hosts: [{{name: blade, chassis: shelf}}]
pools: [{{name: ssds, cards: [ssd-a, ssd-b]}}]
systems:
  - {{name: web, host: blade, io: [{{name: disk, pool: ssds, attachment: vfio}}]}}
  - {{name: db, host: blade, io: [{{name: disk, pool: ssds, attachment: vfio}}]}}
"""


class Guest(Hardware):
    memory_mb = 1024

    def __init__(self, world):
        super().__init__(world)
        self.extra += ["-device", "pcie-root-port,id=rp1,chassis=2,slot=2", "-device", "nvme-subsys,id=ss1",
                       "-device", "nvme,serial=MID1,subsys=ss1,bus=rp1,max_ioqpairs=18,msix_qsize=9,sriov_max_vfs=4,"
                                  "sriov_vq_flexible=8,sriov_vi_flexible=4,sriov_max_vi_per_vf=1,sriov_max_vq_per_vf=2"]
        site = os.path.join(world.dir, "site.yaml")
        with open(site, "w") as out:
            out.write(SITE)
        self.programs["midplaned"] = world.program("src/prog/midplaned")
        self.programs["site.yaml"] = site

    def start_daemon(self):
        self.run("midplaned /bin/site.yaml >>/tmp/log 2>&1 & echo $! >/tmp/pid")
        self.run("until midplane site show >/dev/null 2>&1; do kill -0 $(cat /tmp/pid) || "
                 "{ tail -5 /tmp/log; exit 1; }; sleep 0.1; done")

    def end_daemon(self, how):
        self.run(f"kill -{how} $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done")

    def shown(self, words):
        code, text = self.tool(f"-o json {words}")
        if code:
            check(False, f"'{words}' answers {text}")
        return json.loads(text)

    def drivers(self, pf=PF):
        """Of the PF and of the VFs, in their order; "" for none, None for one that is not there."""
        said = self.run(f"for f in . virtfn0 virtfn1 virtfn2 virtfn3; do d=/sys/bus/pci/devices/{pf}/$f; "
                        "[ -e $d/config ] && echo at=$(basename $(readlink $d/driver || echo -)) || echo gone; "
                        "done").text
        return [None if line == "gone" else line[3:].strip("-") for line in said.split()]

    def hold(self, group):
        """A process has a function open, as a guest's VMM would."""
        self.run(f"sh -c 'exec 9<>/dev/vfio/{group}; exec sleep 1000' & echo $! >/tmp/holder; "
                 "until readlink /proc/$(cat /tmp/holder)/fd/9; do kill -0 $(cat /tmp/holder) || exit 1; "
                 "sleep 0.1; done")

    def let_go(self):
        self.run("kill $(cat /tmp/holder); while kill -0 $(cat /tmp/holder) 2>/dev/null; do sleep 0.1; done")

    def wait_for(self, what, question, seconds=120):
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                check(False, f"in {seconds} s: {what}: {self.run('tail -5 /tmp/log').text}")
            time.sleep(0.3)
        check(True, what)

    def enable_vfs(self, value):
        """The VF Enable bit of the first card, behind the kernel's back: without it all its VFs read as ones."""
        text = self.run(f"hexdump -v -e '1/1 \"%02x\"' /sys/bus/pci/devices/{PF}/config").text.strip()
        config, at = bytes.fromhex(text), 0x100
        while int.from_bytes(config[at:at + 2], "little") != 0x10:
            at = int.from_bytes(config[at + 2:at + 4], "little") >> 4
            check(at, "the card has an SR-IOV capability")
        control = config[at + 8] & ~1 | value
        # QEMU forgets NumVFs, too.
        self.run(f"printf '\\004' | dd of=/sys/bus/pci/devices/{PF}/config bs=1 seek={at + 16} conv=notrunc")
        self.run(f"printf '\\{control:03o}' | dd of=/sys/bus/pci/devices/{PF}/config bs=1 seek={at + 8} conv=notrunc")

    def events(self):
        return [(row["kind"], row["object"], row["text"]) for row in self.shown("event list")]


def address_of(vf):
    return f"0000:01:00.{vf}"


def hands_out(guest):
    guest.start_daemon()
    check(guest.drivers() == ["nvme", "vfio-pci", "vfio-pci", "", ""],
          f"two of four VFs are with VFIO, the rest as it was: {guest.drivers()}")
    cards = guest.shown("card list")
    check([(row["name"], row["class"], row["state"], row["vfs_bound"]) for row in cards] ==
          [("ssd-a", "vfio", "in-service", 2), ("ssd-b", "vfio", "in-service", 0)], "the cards are listed")
    card = guest.shown("card show ssd-a")
    check(card["address"] == PF and card["driver"] == "nvme" and card["vfs_made"] == 4, "with what it is")
    rows = {row["name"]: row for row in guest.shown("function list")}
    check([rows[f"ssd-a/vf{n}"]["state"] for n in (1, 2, 3, 4)] == ["waiting", "waiting", "free", "free"],
          "its functions are listed")
    function = guest.shown("function show ssd-a/vf1")
    check(function["address"] == address_of(1) and function["system"] == "web" and
          function["driver"] == "vfio-pci" and function["group_with"] == [], "a function says whose it is")
    row = guest.shown("system show db")["ios"][0]
    check(row["qemu"] == f"-device vfio-pci,host={address_of(2)}", "a system says how QEMU takes its function")
    check("bus='0x01' slot='0x00' function='0x2'" in row["libvirt"], "and how libvirt does")
    guest.run(f"test -c /dev/vfio/{row['iommu_group']}")
    code, text = guest.tool("host lspci blade")
    check(code == 0 and f"1000:01:00.2 ssd-a/vf2: db/disk, {address_of(2)} of this machine" in text, "the host sees it")
    code, text = guest.tool("host lspci blade --dump")
    real = guest.run(f"hexdump -v -n 16 -e '16/1 \" %02x\"' /sys/bus/pci/devices/{PF}/config").text.strip()
    check(f"00: {real}\n" in text, "with its real configuration space")
    code, text = guest.tool("card pull ssd-a")
    check(code == 1 and "is real hardware" in text, "what is real is not pulled by a command")
    report = json.loads(guest.tool("-o json conform ssd-a/vf1")[1])
    check(report["passed"] > 20, f"conform judges the real function: {report['passed']} passed")
    return {n: guest.shown(f"function show ssd-a/vf{n}")["iommu_group"] for n in (1, 2)}


def resumes(guest, groups):
    guest.hold(groups[1])
    guest.end_daemon("KILL")
    check(guest.drivers() == ["nvme", "vfio-pci", "vfio-pci", "", ""], "a killed daemon leaves all as it is")
    guest.run(f"echo {address_of(2)} >/sys/bus/pci/drivers/vfio-pci/unbind")
    guest.start_daemon()
    check(guest.drivers() == ["nvme", "vfio-pci", "vfio-pci", "", ""], "what was half done is finished")
    told = guest.events()
    check(any(kind == "resumed" and name == "function ssd-a/vf1" and "(sleep) has it open" in text
              for kind, name, text in told), "a function in use is left alone, and said to be resumed")
    check(any(kind == "resumed" and name == "function ssd-a/vf2" for kind, name, _ in told), "so is the other")
    row = guest.shown("system show web")["ios"][0]
    check(row["state"] == "running" and "(sleep)" in row["used_by"], "its system says who has it")
    guest.end_daemon("TERM")
    check(guest.drivers() == ["nvme", "vfio-pci", "", "", ""], "a stop gives back what nobody has open, and no more")
    guest.start_daemon()
    check(guest.drivers() == ["nvme", "vfio-pci", "vfio-pci", "", ""], "the next start goes on from there")
    guest.let_go()


def survives_losses(guest):
    guest.run(f"echo {address_of(2)} >/sys/bus/pci/drivers/vfio-pci/unbind")
    guest.wait_for("a function that VFIO lost is taken back", lambda: guest.drivers()[2] == "vfio-pci")
    guest.enable_vfs(0)
    guest.wait_for("functions that are silent are dead, and their systems have others",
                   lambda: {guest.shown(f"system show {name}")["ios"][0]["function"] for name in ("web", "db")} ==
                   {"ssd-b/vf1", "ssd-b/vf2"}) # who is seen to be silent first chooses first
    check(guest.shown("function show ssd-a/vf1")["state"] == "dead", "they are said to be dead")
    check(guest.drivers(PF_B) == ["nvme", "vfio-pci", "vfio-pci", None, None], "the others are with VFIO")
    guest.wait_for("so are those that nobody had",
                   lambda: [(row["role"], row["state"]) for row in guest.shown("function list")
                            if row["name"].startswith("ssd-a/")] == [("none", "dead")] * 4)
    check(guest.shown("pool list")[0]["free"] == 0, "none is free")
    guest.enable_vfs(1)
    guest.run(f"echo 1 >/sys/bus/pci/devices/{PF_B}/remove")
    guest.wait_for("a card that is removed is dead", lambda: guest.shown("card list")[1]["state"] == "dead")
    guest.wait_for("what it gave comes from the other card",
                   lambda: {guest.shown(f"system show {name}")["ios"][0]["card"]
                            for name in ("web", "db")} == {"ssd-a"})


def body(world):
    need("qemu-system-x86_64")
    guest = world.guest(Guest(world))
    guest.wait_ready(200)
    say(f"  booted in {guest.booted_s:.1f} s")
    began = time.monotonic()
    groups = hands_out(guest)
    resumes(guest, groups)
    survives_losses(guest)
    guest.end_daemon("TERM")
    check(guest.drivers() == ["nvme", None, None, None, None], "a stop takes the VFs away that it made")
    check(guest.run("ls /run/midplane /run 2>/dev/null | grep pci-", check=False).text == "", "and forgets them")
    say(f"  took {time.monotonic() - began:.1f} s")
    guest.stop()


if __name__ == "__main__":
    main("hardware_cards", body)
