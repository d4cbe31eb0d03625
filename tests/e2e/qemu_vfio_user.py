"""QEMU 11's vfio-user-pci takes a function that we serve (make test-vfio-user).

The sample function is served by a program of its own; a stock Debian guest sees it behind a root port and its
IOMMU, and a driver in the guest's user space uses it through VFIO: registers, the mapped page, DMA both ways, MSI-X,
reset.  Then the server is started anew, and a second guest finds the function.  Last a guest has an NVMe and another a
virtio-blk function, of a disk of memory, and its own drivers write and read them; nvme-cli decodes the former.
"""

import json
import shutil
import subprocess

import nvme_guest
from world import check, facts, guests, main, need, newer_qemu, say

ROUNDS = 20
DISK_MB = 64


class VfioUserGuest(guests.QemuGuest):
    """A guest whose only card is a function on a vfio-user socket."""

    def devices(self):
        device = {"driver": "vfio-user-pci", "bus": "rp0",
                  "socket": {"type": "unix", "path": self.socket}}
        return ["-device", "intel-iommu,intremap=on,caching-mode=on",
                "-device", "pcie-root-port,id=rp0,chassis=1,slot=1",
                "-device", json.dumps(device)]


def serve(world, path, program="vfio_sample_server", *more):
    server = subprocess.Popen([world.program(f"src/attach/{program}"), path, *more],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(server.stdout.readline() == "ready\n", f"{program}{''.join(' ' + m for m in more)} serves")
    return server


def stop(server):
    server.terminate()
    said = server.communicate(timeout=200)[1]
    for line in said.splitlines():
        say(f"  server: {line}")
    return said


def boot(world, name, path):
    guest = VfioUserGuest(name, world.dir, [],
                          {**world.guest_programs(),
                           "vfio_sample_driver": world.program("tests/guests/vfio_sample_driver"),
                           "nvme": shutil.which("nvme")},
                          vectors=None, kernel_args="intel_iommu=on iommu=nopt iommu.strict=1 no_timer_check",
                          modules=["irqbypass", "vfio", "vfio_virqfd", "vfio_iommu_type1",
                                   "vfio-pci-core", "vfio-pci", "virtio_blk"])
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


def use_disk(guest, device):
    """Writes and reads all of the guest's page cache worth, past it, with the guest's own driver."""
    guest.run(f"for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/{device} ] && break; sleep 1; done; "
              f"[ $(cat /sys/block/{device}/size) = {DISK_MB * 2048} ]")
    check(True, f"the guest's driver has /dev/{device}, {DISK_MB} MiB")
    wrote = guest.run(f"dd if=/dev/urandom of=/x bs=1M count={DISK_MB} 2>/dev/null; "
                      f"dd if=/x of=/dev/{device} bs=1M 2>/dev/null; sync; "
                      "echo 3 >/proc/sys/vm/drop_caches; md5sum </x", seconds=180).text.split()[0]
    read = guest.run(f"md5sum </dev/{device}", seconds=180).text.split()[0]
    check(wrote == read, f"{DISK_MB} MiB are read back as they were written")
    interrupts = guest.run(f"grep -E 'nvme|virtio|{device}' /proc/interrupts | head -n 3").text
    check("MSI" in interrupts, "its queues have MSI-X vectors")


def try_disk(world, kind, device):
    path = f"{world.dir}/{kind}.sock"
    server = serve(world, path, "vfio_disk_server", kind, str(DISK_MB))
    try:
        guest = boot(world, kind, path)
        use_disk(guest, device)
        if kind == "nvme":
            nvme_guest.judge(guest, DISK_MB)
        guest.stop()
    finally:
        said = stop(server)
    check("refused" not in said, "the server refused nothing of QEMU's")


def body(world):
    need("debootstrap", "nvme")
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
        guest = boot(world, "two", path)
        use(guest)
        guest.stop()
    finally:
        stop(server)
    try_disk(world, "nvme", "nvme0n1")
    try_disk(world, "virtio-blk", "vda")


main("qemu_vfio_user", body)
