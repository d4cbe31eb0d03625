"""Functions of the site without MSI-X: QEMU 11's vfio-user-pci, Linux's own drivers, INTx (make test-vfio-user).

A stock Debian guest booted with pci=nomsi has an NVMe controller and a virtio block device, another a virtio network
function: their drivers get a line each, which masks itself and is unmasked when the guest has looked, and nothing is
lost.  /proc/interrupts says that it was INTx, and that it was not asked too often: the kernel disables a line of which
nobody knows why it came.
"""

import json
import os
import re

from disks import disk_site
from sites import TwoLines, site, vfio
from world import check, facts, guests, main, need, newer_qemu, say

DISK_MIB = 48
WRITE_MIB = 4
BYTES = 2_000_000
KINDS = {"nvme": "nvme0n1", "virtio-blk": "vda"}


class Guest(guests.QemuGuest):
    sockets = ()

    def devices(self):
        made = []
        for i, path in enumerate(self.sockets, 1):
            device = {"driver": "vfio-user-pci", "bus": f"rp{i}", "socket": {"type": "unix", "path": path}}
            made += ["-device", f"pcie-root-port,id=rp{i},chassis={i},slot={i}", "-device", json.dumps(device)]
        return made


def boot(world, name, sockets):
    guest = Guest(name, world.dir, [], world.guest_programs(), vectors=None,
                  kernel_args="pci=nomsi no_timer_check", extra=["-smp", "2"])
    guest.program = newer_qemu()
    guest.sockets = sockets
    world.guest(guest).wait_ready(200)
    say(f"{name}: booted in {guest.booted_s:.1f} s")
    return guest


def line_of(guest, names):
    """Interrupts that came by the line whose users are 'names', after a look at its kind."""
    row = next((row for row in guest.run("cat /proc/interrupts").text.splitlines() if re.search(names, row)), "")
    check("IO-APIC" in row and "MSI" not in row, f"{guest.name}: {names} is on a line: {' '.join(row.split())}")
    return sum(int(word) for word in row.split()[1:3])


def nobody_cared(guest):
    bad = "nobody cared\\|disabling IRQ\\|I/O.*timeout\\|resetting controller"
    said = guest.run(f"dmesg | grep -i '{bad}'; true").text.strip()
    check(said == "", f"{guest.name}: no interrupt was lost, and none came without a reason {said}")


def digest(guest, device, skip):
    return guest.run(f"dd if=/dev/{device} bs=1M skip={skip} count={WRITE_MIB} iflag=direct 2>/dev/null | sha256sum",
                     seconds=120).text.split()[0]


def use_disk(guest, kind, device):
    guest.run(f"for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/{device} ] && break; sleep 1; done; "
              f"[ $(cat /sys/block/{device}/size) = {DISK_MIB * 2048} ]")
    before = line_of(guest, "nvme0q" if kind == "nvme" else "virtio")
    wrote = {}
    for skip, how in ((0, ""), (WRITE_MIB, "oflag=direct")):
        guest.run(f"dd if=/dev/urandom of=/x bs=1M count={WRITE_MIB} 2>/dev/null; "
                  f"dd if=/x of=/dev/{device} bs=64k seek={skip * 16} {how} 2>/dev/null; sync; "
                  "echo 3 >/proc/sys/vm/drop_caches", seconds=120)
        wrote[skip] = guest.run("sha256sum </x; rm /x").text.split()[0]
    check(all(digest(guest, device, skip) == wrote[skip] for skip in wrote),
          f"{kind}: 2 x {WRITE_MIB} MiB are read back as they were written")
    came = line_of(guest, "nvme0q" if kind == "nvme" else "virtio") - before
    check(came > 30, f"{kind}: its completions came by INTx ({came})")


def disks(world):
    made = [{"name": kind, "pool": "disks", "attachment": kind, "size": f"{DISK_MIB}MiB", "queues": 2,
             "socket": os.path.join(world.dir, kind + ".sock")} for kind in KINDS]
    daemon = world.daemon(disk_site(world, made))
    for one in made:
        report = json.loads(daemon.tool("-o", "json", "conform", one["socket"], "--destructive")[1])
        verdicts = {a["name"]: a["verdict"] for a in report["assertions"]}
        check(report["failed"] == 0 and verdicts["intx.lines"] == verdicts["intx.disable"] == "pass",
              f"{one['name']}: the live function keeps the standard, with a pin ({report['passed']} assertions)")
    guest = boot(world, "disks", [one["socket"] for one in made])
    for kind, device in KINDS.items():
        use_disk(guest, kind, device)
    nobody_cared(guest)
    guest.stop()
    kinds = [event["kind"] for event in daemon.facts("event", "list")]
    check("stopped" not in kinds and "blocked" not in kinds, "nothing was blocked or stopped")
    daemon.stop()


def network(world):
    net = TwoLines(world)
    daemon = world.daemon(site(world, net.lines, [vfio(world, "vm", 1)], redundant=True), namespace=net.chassis)
    guest = boot(world, "network", [f"{world.dir}/vm.sock"])
    before = line_of(guest, "virtio")
    guest.address("eth0", "10.77.0.1/24")
    check(guest.lost_pings(net.far_address, 20) == 0, "virtio-net: ping loses nothing")
    far = net.far.spawn(world.traffic(), "tcp-recv", "5001")
    guest.run(f"traffic tcp-send {net.far_address} 5001 {BYTES}", seconds=120)
    got = facts(world.output(far))
    check(got["bytes"] == BYTES and got["wrong"] == 0, "virtio-net: a TCP stream out arrives unchanged")
    came = line_of(guest, "virtio") - before
    check(came > 20, f"virtio-net: its interrupts came by INTx ({came})")
    daemon.tool("card", "pull", "nic0")
    check(guest.lost_pings(net.far_address, 10) == 0, "its card is pulled, and ping loses nothing")
    nobody_cared(guest)
    guest.stop()


def body(world):
    need("debootstrap")
    disks(world)
    network(world)


main("qemu_vfio_user_intx", body)
