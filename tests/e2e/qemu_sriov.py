"""A guest's own kernel makes virtual functions, and each is a function of our card (make test-sriov).

QEMU 11 composes an SR-IOV device from one vhost-user socket per function (sriov-pf=).  The guest
writes sriov_numvfs, its virtio driver takes some of the functions that appear, one goes to
vfio-pci and a user-space program; all of them behind the guest's IOMMU, with ATS.
"""

import subprocess

from sites import OneLine, mac, site
from world import Nic, check, facts, guests, main, need, newer_qemu

VFS = 4
BYTES = 1_000_000
TOGETHER = (1, 2, 3)


class SriovGuest(guests.QemuGuest):
    """A guest whose interface 0 is a physical function and the others its virtual functions."""

    def devices(self):
        args = ["-device", "pcie-root-port,id=rp0,chassis=1,slot=1"]
        for i, nic in enumerate(self.nics):
            args += ["-chardev", f"socket,id=c{i},path={nic.socket}",
                     "-netdev", f"vhost-user,id=n{i},chardev=c{i}"]
        common = "bus=rp0,disable-legacy=on,iommu_platform=on,ats=on"
        for i, nic in reversed(list(enumerate(self.nics))): # functions before the one they belong to
            args += ["-device", f"virtio-net-pci,addr=0x0.{i:#x},netdev=n{i},mac={nic.mac},{common}" +
                     (",sriov-pf=pf" if i else ",id=pf")]
        return args


def system(world):
    names = ["pf", *(f"vf{i}" for i in range(1, VFS + 1))]
    return {"name": "vm", "host": "blade",
            "io": [{"name": name, "pool": "all", "attachment": "vhost-user",
                    "socket": f"{world.dir}/{name}.sock", "mac": mac(i + 1)}
                   for i, name in enumerate(names)]}


def functions(guest):
    """PCI address and network interface (or "") of the physical function and each virtual one."""
    text = guest.run("for d in /sys/bus/pci/devices/*; do [ $(cat $d/vendor) = 0x1af4 ] && "
                     "echo ${d##*/} $(ls $d/virtio*/net 2>/dev/null); done; true").text
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return [(row[0], row[1] if len(row) > 1 else "") for row in rows]


def body(world):
    need("debootstrap")
    net = OneLine(world)
    daemon = world.daemon(site(world, net.lines, [system(world)]), namespace=net.chassis)
    nics = [Nic(io["socket"], mac=io["mac"], ats=True) for io in system(world)["io"]]
    guest = SriovGuest("vm", world.dir, nics,
                       {**world.guest_programs(),
                        "vfio_open": world.program("tests/guests/vfio_open")},
                       vectors=None, modules=["irqbypass", "vfio", "vfio_virqfd",
                                              "vfio_iommu_type1", "vfio-pci-core", "vfio-pci"])
    guest.program = newer_qemu()
    world.guest(guest).wait_ready()

    pf = functions(guest)
    check(len(pf) == 1, f"before sriov_numvfs is written the guest sees one function: {pf}")
    address = pf[0][0]
    total = guest.run(f"cat /sys/bus/pci/devices/{address}/sriov_totalvfs").text.strip()
    check(int(total) == VFS, f"its SR-IOV capability offers {total} virtual functions")
    guest.run(f"echo {VFS} >/sys/bus/pci/devices/{address}/sriov_numvfs; sleep 2")
    found = functions(guest)
    check(len(found) == VFS + 1, f"after it, {VFS} more: {found}")
    groups = guest.run("for d in " + " ".join(row[0] for row in found) + "; do "
                       "readlink /sys/bus/pci/devices/$d/iommu_group; done").text.split()
    check(len(set(groups)) == VFS + 1, "each in an IOMMU group of its own")

    for i in (1, 2, 3):
        try_function(world, net, daemon, guest, found[i][1], i)
    try_together(world, net, daemon, guest, [row[1] for row in found])
    try_vfio(guest, found[VFS][0])
    guest.run(f"echo 0 >/sys/bus/pci/devices/{address}/sriov_numvfs; sleep 1")
    check(len(functions(guest)) == 1, "sriov_numvfs=0 takes them away again")


def counted(daemon):
    """Bytes that each interface's function has taken from the guest and delivered to it."""
    rows = [daemon.facts("function", "show", io["function"]) for io in daemon.facts("system", "show", "vm")["ios"]]
    return {row["io"]: (row["tx_bytes"], row["rx_bytes"]) for row in rows}


def try_function(world, net, daemon, guest, interface, i):
    """Traffic over one virtual function alone, to the far end and back."""
    before = counted(daemon)
    guest.run(f"ip addr add 10.77.0.{i}/24 dev {interface} && ip link set {interface} up; sleep 1")
    check(guest.lost_pings(net.far_address, 10, 200) == 0, f"virtual function {i} ({interface}): ping without loss")
    far = net.far.spawn(world.traffic(), "tcp-recv", str(5000 + i))
    guest.run(f"traffic tcp-send {net.far_address} {5000 + i} {BYTES}")
    got = facts(world.output(far))
    check(got["bytes"] == BYTES and got["wrong"] == 0,
          f"virtual function {i}: a TCP stream arrives unchanged ({got['mbps']:.1f} Mbit/s)")
    after = counted(daemon)
    took = {name: after[name][0] - before[name][0] for name in after}
    check(took[f"vf{i}"] > BYTES and sum(took.values()) < 2 * BYTES,
          f"it went through that function of our card, and no other: {took}")
    guest.run(f"ip addr flush dev {interface} && ip link set {interface} down")


def try_together(world, net, daemon, guest, interfaces):
    """Streams over three of them at once, each from a network of its own."""
    before, fars = counted(daemon), []
    for i in TOGETHER:
        net.far.run(f"ip addr add 10.78.{i}.100/24 dev far0")
        guest.run(f"ip addr add 10.78.{i}.1/24 dev {interfaces[i]} && ip link set {interfaces[i]} up")
    guest.run("sleep 1")
    for i in TOGETHER:
        fars.append(net.far.spawn(world.traffic(), "tcp-recv", str(5100 + i)))
        guest.spawn(f"traffic tcp-send 10.78.{i}.100 {5100 + i} {BYTES}", f"send{i}")
    for i, far in zip(TOGETHER, fars):
        guest.finish(f"send{i}")
        got = facts(world.output(far))
        check(got["bytes"] == BYTES and got["wrong"] == 0, f"virtual function {i}: a stream beside others is unchanged")
    after = counted(daemon)
    check(all(after[f"vf{i}"][0] - before[f"vf{i}"][0] > BYTES for i in TOGETHER), "each through its own function")


def try_vfio(guest, address):
    """Hands one virtual function to a user-space driver."""
    device = f"/sys/bus/pci/devices/{address}"
    guest.run(f"echo {address} >{device}/driver/unbind; echo vfio-pci >{device}/driver_override; "
              f"echo {address} >/sys/bus/pci/drivers/vfio-pci/bind")
    driver = guest.run(f"readlink {device}/driver").text.strip()
    check(driver.endswith("/vfio-pci"), f"{address} is bound to vfio-pci")
    said = guest.run(f"vfio_open {address}").text.strip()
    check("vendor=1af4" in said, f"a user-space driver takes it: {said}")


main("qemu_sriov", body)
