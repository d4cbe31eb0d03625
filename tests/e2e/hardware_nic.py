"""Network cards with SR-IOV and their drivers: address, VLAN and rate of real functions (make test-hardware-nic).

A Debian kernel boots in QEMU 11 behind `intel-iommu` with two Intel 82576 cards (`-device igb`), whose drivers are
Linux's `igb` and `igbvf`. First the tool gives one card virtual functions and tells its driver what they may do; then
the daemon runs there with a site of both cards, is killed, goes on, and one card is taken away. What the driver was
told is read back by iproute2; what passes is judged by what QEMU wrote down of the line. All the while traffic of the
other card goes on.
"""

import json
import os
import re
import shutil
import socket
import time

from wire import ARP, Far, frames
from world import check, guests, image, main, need, newer_qemu, say

PF_A, PF_B = "0000:01:00.0", "0000:02:00.0"
VF_A = [f"0000:01:10.{n}" for n in (0, 2, 4)]
VF_B = [f"0000:02:10.{n}" for n in (0, 2)]
MAC = ["52:54:00:aa:00:01", "52:54:00:aa:00:02", "52:54:00:aa:00:03"]
SITE = f"""name: nics
chassis:
  - name: shelf
    carriers:
      - name: slot-1
        cards:
          - {{name: nic-a, class: vfio, address: "{PF_A}", vfs: 3}}
          - {{name: nic-b, class: vfio, address: "{PF_B}", vfs: 2}}
hosts: [{{name: blade, chassis: shelf}}]
pools: [{{name: wires, cards: [nic-a, nic-b]}}, {{name: b, cards: [nic-b]}}]
systems:
  - name: web
    host: blade
    io: [{{name: net0, pool: wires, attachment: vfio, mac: "{MAC[0]}", vlan: 100, rate: 500Mbit}}]
  - name: db
    host: blade
    io: [{{name: net0, pool: b, attachment: vfio, mac: "{MAC[1]}", vlan: 200}}]
"""


def card(i):
    return f"igb,id=nic{i},bus=rp{i},netdev=n{i},mac=52:54:00:00:00:0{i + 1}"


class Guest(guests.QemuGuest):
    memory_mb = 1024
    kernel_tree = "nic"

    def __init__(self, world, fars):
        extra = ["-device", "intel-iommu,intremap=on,caching-mode=on"]
        for i, far in enumerate(fars):
            extra += ["-device", f"pcie-root-port,id=rp{i},chassis={i + 1},slot={i + 1}", *far.qemu(f"n{i}"),
                      "-device", card(i)]
        self.monitor = os.path.join(world.dir, "monitor")
        extra += ["-monitor", f"unix:{self.monitor},server=on,wait=off"]
        site = os.path.join(world.dir, "site.yaml")
        with open(site, "w", encoding="ascii") as out:
            out.write(SITE)
        programs = {name: world.program(path) for name, path in (
            ("midplane", "src/prog/midplane"), ("midplaned", "src/prog/midplaned"), ("traffic", "tests/guests/traffic"),
            ("vfio_igb", "tests/guests/vfio_igb"))}
        super().__init__("nics", world.dir, [], {**programs, "site.yaml": site, "ip": shutil.which("ip")},
                         kernel_args="intel_iommu=on no_timer_check", extra=extra,
                         modules=[*image.VFIO_MODULES, "dca", "i2c-algo-bit", "igb", "igbvf"])
        self.program = newer_qemu()
        self.log = os.path.join(world.dir, "nics.console")

    def command(self):
        return ["q35,kernel-irqchip=split" if word == "q35" else word for word in super().command()]

    def tool(self, words):
        """The tool's exit code and what it says."""
        done = self.run(f"midplane {words}; echo code=$?", check=False)
        text, _, code = done.text.rpartition("code=")
        return int(code), text.strip()

    def qemu(self, words):
        """A command to QEMU's monitor."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.monitor)
            monitor.settimeout(10)
            said = monitor.recv(4096)
            monitor.sendall(words.encode() + b"\n")
            while said.count(b"(qemu) ") < 2:
                said += monitor.recv(4096)
        check(b"Error" not in said, f"QEMU is told: {words}")

    def does(self, words, says=""):
        code, text = self.tool(words)
        check(code == 0 and says in text, f"{words}: {text}")

    def refuses(self, words, says):
        code, text = self.tool(words)
        check(code == 1 and says in text, f"'{words}' is refused: {text}")

    def shown(self, words):
        code, text = self.tool(f"-o json {words}")
        if code:
            check(False, f"'{words}' answers {text}")
        return json.loads(text)

    def told(self, interface, vf):
        """What the card's driver says of a virtual function: address, VLAN, rate; by iproute2, not busybox."""
        info = self.info(interface, vf)
        vlans = info.get("vlan_list", [{"vlan": 0}])
        return info["address"], vlans[0].get("vlan", 0), info["rate"]["max_tx"]

    def info(self, interface, vf):
        rows = json.loads(self.run(f"/bin/ip -d -j link show dev {interface}").text)[0]["vfinfo_list"]
        return next(row for row in rows if row["vf"] == vf)

    def driver(self, address):
        return self.run(f"d=/sys/bus/pci/devices/{address}; [ -e $d/config ] && basename $(readlink $d/driver || "
                        "echo none) || echo gone").text.strip()

    def interface(self, address):
        return self.run(f"ls /sys/bus/pci/devices/{address}/net").text.strip()

    def wait_for(self, what, question, seconds=30):
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                check(False, f"in {seconds} s: {what}: {self.run('tail -5 /tmp/log').text}")
            time.sleep(0.3)
        check(True, what)

    def has_link(self, interface):
        return self.run(f"cat /sys/class/net/{interface}/carrier", check=False).text.strip() == "1"

    def ping(self, address, count=5):
        text = self.run(f"ping -c {count} -i 0.2 -W 2 {address}", 90, check=False).text
        found = re.search(r"(\d+) packets transmitted, (\d+) packets received", text)
        check(found and found[1] == found[2] == str(count), f"ping {address}: {found[0] if found else text}")


class Stream:
    """Pings that go on until they are counted."""

    def __init__(self, guest, name, address):
        self.guest, self.name = guest, name
        guest.run(f"ping -i 0.1 -W 5 {address} >/tmp/{name} 2>&1 & echo $! >/tmp/{name}.pid")

    def check(self, during):
        text = self.guest.run(f"kill -INT $(cat /tmp/{self.name}.pid); sleep 1; tail -3 /tmp/{self.name}").text
        found = re.search(r"(\d+) packets transmitted, (\d+) packets received", text)
        # The last one may be on its way.
        check(found and int(found[1]) > 50 and int(found[1]) - int(found[2]) <= 1,
              f"{self.name} went on {during}: {found[0] if found else text}")
        lost = self.guest.run(f"sed -n 's/.* seq=\\([0-9]*\\) .*/\\1/p' /tmp/{self.name} | "
                              "awk '$1 != NR - 1 { print; exit }'").text.strip()
        check(not lost, f"and none is missing in between {lost}")


def from_mac(far, mac, since=0):
    """VLANs of the frames that came from 'mac', and how many."""
    tags = [tag for source, _, tag, _, _ in frames(far.pcap)[since:] if source == mac]
    return set(tags), len(tags)


def other_card(guest):
    """Two virtual functions; one has its own driver here, and both that and the card itself have traffic."""
    guest.run("ip addr add 10.2.0.1/24 dev eth1; ip link set eth1 up")
    guest.does(f"hardware vfs {PF_B} 2", "2 virtual functions")
    guest.wait_for("the other card has a link", lambda: guest.has_link("eth1"))
    guest.does(f"hardware set {VF_B[1]} --mac {MAC[2]}", "set")
    guest.does(f"hardware bind {VF_B[1]} igbvf", "driver igbvf has it")
    name = guest.interface(VF_B[1])
    guest.run(f"ip addr add 10.3.0.1/24 dev {name}; ip link set {name} up")
    guest.ping("10.2.0.200")
    guest.ping("10.3.0.200")
    return name


def sets(guest):
    """What can be told of a virtual function, told and read back."""
    guest.does(f"hardware vfs {PF_A} 3", "3 virtual functions")
    guest.refuses(f"hardware vfs {PF_A} 8", "has 7 virtual functions at most")
    guest.refuses(f"hardware set {VF_A[0]} --rate 500",
                  "eth0 is down, and takes no rate for virtual function 0: ip link set eth0 up")
    guest.run("ip link set eth0 up")
    guest.wait_for("the card has a link", lambda: guest.has_link("eth0"))
    guest.does(f"hardware set {VF_A[0]} --mac {MAC[0]} --vlan 100 --rate 500", "set")
    check(guest.told("eth0", 0) == (MAC[0], 100, 500), f"iproute2 reads it: {guest.told('eth0', 0)}")
    guest.refuses(f"hardware set {VF_A[0]} --rate 2000",
                  "takes no 2000 Mbit/s for virtual function 0: more than its line has?")
    check(guest.told("eth0", 0) == (MAC[0], 100, 500), "what was refused changes nothing")
    for words, key, value in (("--spoof-check off", "spoofchk", False), ("--spoof-check on", "spoofchk", True),
                              ("--trust on", "trust", True), ("--trust off", "trust", False)):
        guest.does(f"hardware set {VF_A[0]} {words}", "set")
        check(guest.info("eth0", 0)[key] is value, f"{key} is {value}")
    check(guest.told("eth0", 1)[1:] == (0, 0), "the next function is told nothing")


def sends(guest, far):
    """Its own driver sends through it, and the line sees address and tag."""
    guest.does(f"hardware bind {VF_A[0]} igbvf", "driver igbvf has it")
    name = guest.interface(VF_A[0])
    seen = json.loads(guest.run(f"/bin/ip -j link show dev {name}").text)[0]["address"]
    check(seen == MAC[0], f"its driver has the address that was told: {seen}")
    guest.run(f"ip addr add 10.1.0.1/24 dev {name}; ip link set {name} up")
    guest.ping("10.1.0.200", 10)
    tags, count = from_mac(far, MAC[0])
    check(tags == {100} and count >= 11, f"all {count} of its frames are in VLAN 100 on the line")
    guest.refuses(f"hardware bind {VF_A[0]} no-such-driver", "there is no driver no-such-driver")
    measure_rate(guest, far)
    guest.does(f"hardware set {VF_A[0]} --vlan 0 --rate 0", "set")
    check(guest.told("eth0", 0) == (MAC[0], 0, 0), "VLAN and rate are taken back")
    since = len(frames(far.pcap))
    guest.run(f"ip link set {name} down; ip link set {name} up")
    guest.ping("10.1.0.200")
    tags, count = from_mac(far, MAC[0], since)
    check(tags == {None} and count >= 5, f"then its {count} frames have no tag")
    guest.run(f"ip link set {name} down")


def measure_rate(guest, far):
    """QEMU may take the limit and not keep it: that is said, not judged."""
    guest.does(f"hardware set {VF_A[0]} --rate 10", "set")
    size, seconds = os.path.getsize(far.pcap), 2
    guest.run(f"traffic udp-send 10.1.0.200 9 4000 {seconds} 1000", 60)
    mbps = (os.path.getsize(far.pcap) - size) * 8 / seconds / 1e6
    say(f"  with a limit of 10 Mbit/s, {mbps:.0f} Mbit/s were on the line: "
        f"{'QEMU keeps it' if mbps < 12 else 'QEMU does not emulate the limit'}")


def hands_over(guest):
    """To VFIO, to its driver, and away."""
    guest.does(f"hardware bind {VF_A[0]}", "driver vfio-pci has it")
    guest.refuses(f"hardware vfs {PF_A} 0", f"driver vfio-pci has virtual function {VF_A[0]}")
    guest.does(f"hardware bind {VF_A[0]} igbvf", "driver igbvf has it")
    guest.does(f"hardware release {VF_A[0]}", "released")
    check(guest.driver(VF_A[0]) == "none", "nobody has it")
    guest.does(f"hardware vfs {PF_A} 0", "0 virtual functions")
    check(guest.driver(VF_A[0]) == "gone" and guest.driver(PF_A) == "igb", "they are gone, and the card is not")


def start(guest):
    guest.run("midplaned /bin/site.yaml >>/tmp/log 2>&1 & echo $! >/tmp/pid")
    guest.run("i=0; until midplane site show >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 200 ] || "
              "{ tail -5 /tmp/log; exit 1; }; sleep 0.1; done")


def end(guest, how):
    guest.run(f"kill -{how} $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done")


def interface_of(guest, system):
    return guest.shown(f"system show {system}")["ios"][0]


def has_event(guest, kind, words):
    return any(row["kind"] == kind and words in row["text"] for row in guest.shown("event list"))


def drives(guest, far, vf, mac, vlan):
    """A program with a driver of its own takes the function, as a guest would, and sends."""
    since = len(frames(far.pcap))
    done = guest.run(f"vfio_igb {vf} 20", check=False)
    check(done.code == 0 and f"mac={mac} sent=20" in done.text, f"a user-space driver: {done.text.strip()}")
    tags, count = from_mac(far, mac, since)
    check(tags == {vlan} and count == 20, f"{count} frames of {mac} in VLAN {tags} on the line")


class Driven:
    """A function that such a program has for a while, sending."""

    def __init__(self, guest, far, vf, mac, vlan):
        self.guest, self.far, self.mac, self.vlan, self.since = guest, far, mac, vlan, len(frames(far.pcap))
        guest.spawn(f"vfio_igb {vf} 500 20", "driven")
        guest.wait_for("a user-space driver sends", lambda: from_mac(far, mac, self.since)[1] > 5)

    def check(self, during):
        done = self.guest.finish("driven", 60)
        check(done.code == 0 and "sent=500" in done.text, f"it sent all the time {during}: {done.text.strip()}")
        # Its own kind of frame; each has its number.
        seen = [(tag, int.from_bytes(payload[:4], "big")) for source, _, tag, kind, payload
                in frames(self.far.pcap)[self.since:] if source == self.mac and kind == 0x88b5]
        check(seen == [(self.vlan, n) for n in range(500)], f"all {len(seen)} are on the line, in their VLAN and order")


def serves(guest, fars):
    """The site gives each system its function, and its card is told of it."""
    guest.run("ip link set eth0 down")
    start(guest)
    check(has_event(guest, "raised", "eth0 was down"), "the card's interface is brought up, and that is said")
    check([interface_of(guest, name)["function"] for name in ("web", "db")] == ["nic-a/vf1", "nic-b/vf1"],
          "each system has a function")
    check(guest.driver(VF_A[0]) == guest.driver(VF_B[0]) == "vfio-pci", "with VFIO")
    check(guest.told("eth0", 0) == (MAC[0], 100, 500) and guest.told("eth1", 0) == (MAC[1], 200, 0),
          "iproute2 reads their addresses, VLANs and rate from the drivers")
    check(guest.driver(VF_B[1]) == "igbvf", "a function that nobody was given stays with its driver")
    drives(guest, fars[0], VF_A[0], MAC[0], 100)
    drives(guest, fars[1], VF_B[0], MAC[1], 200)


def resumes(guest, far):
    end(guest, "KILL")
    check(guest.driver(VF_A[0]) == "vfio-pci" and guest.told("eth0", 0) == (MAC[0], 100, 500),
          "a killed daemon leaves all as it is")
    guest.run(f"echo {VF_A[0]} >/sys/bus/pci/drivers/vfio-pci/unbind; /bin/ip link set eth0 vf 0 vlan 0")
    start(guest)
    check(guest.driver(VF_A[0]) == "vfio-pci" and guest.told("eth0", 0) == (MAC[0], 100, 500),
          "the next one goes on, and mends what was undone")
    check(has_event(guest, "resumed", VF_A[0]), "which it says")
    drives(guest, far, VF_A[0], MAC[0], 100)


def keeps_a_guest(guest, far):
    driven = Driven(guest, far, VF_A[0], MAC[0], 100)
    end(guest, "KILL")
    start(guest)
    check(has_event(guest, "resumed", "(vfio_igb) has it open"), "a function in use is found in use")
    row = interface_of(guest, "web")
    check(row["state"] == "running" and "(vfio_igb)" in row["used_by"], f"by {row['used_by']}")
    driven.check("while the daemon was killed and started")


def waits_for_a_guest(guest, far):
    """A card is unplugged, and Linux waits for the guest that has one of its functions."""
    driven = Driven(guest, far, VF_B[0], MAC[1], 200)
    guest.run(f"vfio_igb {VF_A[0]} 1 3600000 >/tmp/held 2>&1 & echo $! >/tmp/holder")
    guest.wait_for("a guest has a function", lambda: interface_of(guest, "web")["state"] == "running")
    check(interface_of(guest, "db")["state"] == "running", "so has one of the other card")
    guest.qemu("device_del nic0")
    guest.wait_for("Linux waits for it", lambda: guest.run(
        f"dmesg | grep -q 'vfio-pci {VF_A[0]}.*blocked until released by user'", check=False).code == 0)
    driven.check("while the first guest's card is unplugged")
    guest.wait_for("the other card is still looked after", lambda: interface_of(guest, "db")["state"] == "waiting")


def loses_a_card(guest, far):
    driven = Driven(guest, far, VF_B[0], MAC[1], 200)
    guest.run("kill $(cat /tmp/holder)")
    guest.wait_for("a card that is pulled is dead", lambda: guest.shown("card list")[0]["state"] == "dead")
    guest.wait_for("its system has a function of the other", lambda: interface_of(guest, "web").get("card") == "nic-b")
    rows = {row["name"]: (row["role"], row["state"]) for row in guest.shown("function list")}
    check([rows[f"nic-a/vf{n}"] for n in (1, 2, 3)] == [("none", "dead")] * 3, "none of its own is called free")
    check({row["name"]: row["free"] for row in guest.shown("pool list")} == {"wires": 0, "b": 0}, "or counted so")
    check(guest.told("eth1", 1) == (MAC[0], 100, 500), "the other card was told address, VLAN and rate")
    check(guest.told("eth1", 0) == (MAC[1], 200, 0), "and nothing else of what it has")
    driven.check("while the card was pulled and its functions replaced")
    drives(guest, far, VF_B[1], MAC[0], 100)
    guest.qemu(f"device_add {card(0)}")
    guest.wait_for("a card that is back has its functions again", lambda: [
        row["state"] for row in guest.shown("function list")[:3]] == ["free"] * 3)


def body(world):
    need("ip", "debootstrap")
    fars = [Far(world, "a"), Far(world, "b")]
    guest = world.guest(Guest(world, fars))
    guest.wait_ready(200)
    say(f"  booted in {guest.booted_s:.1f} s")
    vf = other_card(guest)
    streams = [Stream(guest, "the-other-cards-traffic", "10.2.0.200"),
               Stream(guest, "its-functions-traffic", "10.3.0.200")]
    sets(guest)
    sends(guest, fars[0])
    hands_over(guest)
    streams.pop().check("while that card was changed")
    guest.run(f"ip link set {vf} down")
    serves(guest, fars)
    resumes(guest, fars[0])
    keeps_a_guest(guest, fars[0])
    waits_for_a_guest(guest, fars[1])
    loses_a_card(guest, fars[1])
    end(guest, "TERM")
    check(guest.driver(VF_A[0]) == "gone" and [guest.driver(vf) for vf in VF_B] == ["none", "igbvf"],
          "a stop gives everything back")
    check([guest.told("eth1", n)[1:] for n in (0, 1)] == [(0, 0)] * 2, "without VLAN and rate")
    streams.pop().check("through all of it")
    check(all(kind != ARP or tag in (None, 100, 200) for far in fars for _, _, tag, kind, _ in frames(far.pcap)),
          "no frame had another tag")
    guest.stop()


main("hardware_nic", body)
