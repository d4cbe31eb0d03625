"""QEMU 11's vfio-user-pci takes a function that we serve (make test-vfio-user).

The sample function is served by a program of its own; a stock Debian guest sees it behind a root port and its
IOMMU, and a driver in the guest's user space uses it through VFIO: registers, the mapped page, DMA both ways, MSI-X,
reset.  Then the server is started anew, and a second guest finds the function.
"""

import json
import subprocess

from world import check, facts, guests, main, need, newer_qemu, say

ROUNDS = 20


class VfioUserGuest(guests.QemuGuest):
    """A guest whose only card is a function on a vfio-user socket."""

    def devices(self):
        device = {"driver": "vfio-user-pci", "bus": "rp0",
                  "socket": {"type": "unix", "path": self.socket}}
        return ["-device", "intel-iommu,intremap=on,caching-mode=on",
                "-device", "pcie-root-port,id=rp0,chassis=1,slot=1",
                "-device", json.dumps(device)]


def serve(world, path):
    server = subprocess.Popen([world.program("src/attach/vfio_sample_server"), path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(server.stdout.readline() == "ready\n", "the sample function is served")
    return server


def stop(server):
    server.terminate()
    said = server.communicate(timeout=20)[1]
    for line in said.splitlines():
        say(f"  server: {line}")
    return said


def boot(world, name, path):
    guest = VfioUserGuest(name, world.dir, [],
                          {**world.guest_programs(),
                           "vfio_sample_driver": world.program("tests/guests/vfio_sample_driver")},
                          vectors=None, kernel_args="intel_iommu=on iommu=nopt iommu.strict=1 no_timer_check",
                          modules=["irqbypass", "vfio", "vfio_virqfd", "vfio_iommu_type1",
                                   "vfio-pci-core", "vfio-pci"])
    guest.socket = path
    guest.program = newer_qemu()
    return world.guest(guest).wait_ready()


def use(guest):
    address = guest.run("for d in /sys/bus/pci/devices/*; do [ $(cat $d/device) = 0x10f3 ] && "
                        "echo ${d##*/}; done; true").text.strip()
    check(address, f"the guest sees the function at {address}")
    device = f"/sys/bus/pci/devices/{address}"
    size = guest.run(f"head -n 1 {device}/resource").text.split()
    check(int(size[1], 16) - int(size[0], 16) + 1 == 0x4000, "BAR 0 has its 16 KiB")
    check(guest.run(f"cat {device}/class").text.strip() == "0xff0000", "its class is ours")
    guest.run(f"echo vfio-pci >{device}/driver_override; echo {address} >/sys/bus/pci/drivers_probe")
    found = facts(guest.run(f"vfio_sample_driver {address} {ROUNDS}", seconds=120).text)
    check(found["wrong"] == 0, f"{ROUNDS} x 1 MiB by DMA each way are right")
    check(found["interrupts"] == ROUNDS, f"{ROUNDS} interrupts by MSI-X arrived")
    check(found["blocked"] == 14, "what was unmapped is out of reach")
    check(found["after_reset"] == 0, "a reset resets it")


def body(world):
    need("debootstrap")
    path = f"{world.dir}/sample.sock"
    server = serve(world, path)
    try:
        guest = boot(world, "one", path)
        use(guest)
        guest.stop()
    finally:
        said = stop(server)
    check("refused" not in said, "the server refused nothing of QEMU's")
    server = serve(world, path)
    try:
        use(boot(world, "two", path))
    finally:
        stop(server)


main("qemu_vfio_user", body)
