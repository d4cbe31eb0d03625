"""A function of the site plugged in whole: QEMU 11's vfio-user-pci, Linux's own driver (make test-vfio-user).

A stock Debian guest, its IOMMU off and strict, takes a VF of a NIC card as a PCI function on a vfio-user
socket: it finds its registers by capabilities, gets MSI-X, and speaks with a namespace behind the line port. The card
is pulled under it.
"""

import json
import time

from sites import TwoLines, site, vfio
from world import check, facts, guests, main, need, newer_qemu, say

BYTES = 4_000_000
KERNELS = {"no IOMMU": "intel_iommu=off", "strict IOMMU": "intel_iommu=on iommu=nopt iommu.strict=1"}


class Guest(guests.QemuGuest):
    def devices(self):
        device = {"driver": "vfio-user-pci", "bus": "rp0", "socket": {"type": "unix", "path": self.socket}}
        return ["-device", "intel-iommu,intremap=on,caching-mode=on",
                "-device", "pcie-root-port,id=rp0,chassis=1,slot=1", "-device", json.dumps(device)]

    def command(self):
        return ["q35,kernel-irqchip=split" if word == "q35" else word for word in super().command()]


def boot(world, name, path, kernel):
    guest = Guest(name, world.dir, [], world.guest_programs(), vectors=None, kernel_args=kernel + " no_timer_check")
    guest.socket = path
    guest.program = newer_qemu()
    return world.guest(guest).wait_ready(200)


def use(world, net, guest, name):
    said = guest.run("basename $(readlink -f /sys/class/net/eth0/device/driver); grep -c virtio0 /proc/interrupts",
                     check=False).text.split()
    check(said[0] == "virtio_net", f"{name}: Linux's own driver has it")
    check(int(said[1]) >= 3, f"{name}: with MSI-X vectors ({said[1]})")
    guest.address("eth0", "10.77.0.1/24")
    check(guest.lost_pings(net.far_address, 20) == 0, f"{name}: ping loses nothing")
    far = net.far.spawn(world.traffic(), "tcp-recv", "5001")
    guest.run(f"traffic tcp-send {net.far_address} 5001 {BYTES}", seconds=120)
    got = facts(world.output(far))
    check(got["bytes"] == BYTES and got["wrong"] == 0, f"{name}: a TCP stream out arrives unchanged")
    say(f"  {name}: out {got['mbps']:.1f} Mbit/s")
    guest.spawn("traffic tcp-recv 5002", "in")
    net.far.run(f"{world.traffic()} tcp-send 10.77.0.1 5002 {BYTES}")
    got = facts(guest.finish("in").text)
    check(got["bytes"] == BYTES and got["wrong"] == 0, f"{name}: a TCP stream in arrives unchanged")
    say(f"  {name}: in {got['mbps']:.1f} Mbit/s")


def pull(daemon, net, guest):
    daemon.tool("card", "pull", "nic0")
    check(guest.lost_pings(net.far_address, 10) == 0, "its card is pulled, and ping loses nothing")
    flaps = guest.run("cat /sys/class/net/eth0/carrier_changes").text.strip()
    check(flaps in ("1", "2"), f"the guest has seen no link flap (changes since it came: {flaps})")
    daemon.tool("card", "insert", "nic0")


def handed_over(world, daemon, net, guest):
    """Another daemon has the function, its rings and its filters; the guest's driver notices nothing."""
    flaps = guest.run("cat /sys/class/net/eth0/carrier_changes").text
    far = net.far.spawn(world.traffic(), "tcp-recv", "5003")
    guest.spawn(f"traffic tcp-send {net.far_address} 5003 {BYTES}", "over")
    time.sleep(0.3)
    pauses = [daemon.hand_over() for _ in range(2)]
    guest.finish("over")
    got = facts(world.output(far))
    check(got["bytes"] == BYTES and got["wrong"] == 0, f"a TCP stream goes on across two hand-overs ({pauses} ms)")
    check(guest.lost_pings(net.far_address, 10) == 0, "and then ping loses nothing")
    check(guest.run("cat /sys/class/net/eth0/carrier_changes").text == flaps, "the guest has seen no link flap")


def body(world):
    need("debootstrap")
    net = TwoLines(world)
    path = f"{world.dir}/vm.sock"
    daemon = world.daemon(site(world, net.lines, [vfio(world, "vm", 1)], redundant=True),
                          namespace=net.chassis)
    report = json.loads(daemon.tool("-o", "json", "conform", path, "--destructive")[1])
    check(report["failed"] == 0 and report["passed"] > 60,
          f"the live function keeps the standard ({report['passed']} assertions)")
    for name, kernel in KERNELS.items():
        guest = boot(world, name.split()[0], path, kernel)
        use(world, net, guest, name)
        pull(daemon, net, guest)
        handed_over(world, daemon, net, guest)
        guest.stop()
        time.sleep(0.5)
    kinds = [event["kind"] for event in daemon.facts("event", "list")]
    check("stopped" not in kinds and "blocked" not in kinds, "nothing was blocked or stopped")


main("qemu_vfio_user_net", body)
