"""A stock Debian kernel in QEMU has a disk card's namespace by vhost-user-blk, with several queues and MSI-X: what
it writes is in the card's file, after a reset of the driver, and behind a second QEMU with a strict IOMMU.  The
firmware boots from it."""

import os

from disks import MIB, SIZE_MIB, digest, guest_digest, serve, write
from world import PATIENCE_S, check, guests, main, need, say

QUEUES = 4


class DiskGuest(guests.QemuGuest):
    """One with a disk on a vhost-user socket in place of networks."""

    def __init__(self, world, name, path, iommu):
        super().__init__(name, world.dir, [], world.guest_programs(), extra=["-smp", str(QUEUES)],
                         kernel_args="intel_iommu=on iommu=nopt iommu.strict=1" if iommu else "")
        self.path = path
        self.iommu = iommu

    def devices(self):
        device = f"vhost-user-blk-pci,bus=rp0,chardev=c0,num-queues={QUEUES},disable-legacy=on"
        return [*(["-device", "intel-iommu,intremap=on,device-iotlb=on,caching-mode=on"] if self.iommu else []),
                "-chardev", f"socket,id=c0,path={self.path}",
                "-device", "pcie-root-port,id=rp0,chassis=1,slot=1",
                "-device", device + (",iommu_platform=on,ats=on" if self.iommu else "")]

    def command(self):
        return ["q35,kernel-irqchip=split" if self.iommu and word == "q35" else word
                for word in super().command()]


def boot(world, name, path, iommu=False):
    guest = world.guest(DiskGuest(world, name, path, iommu)).wait_ready()
    say(f"booted in {guest.booted_s:.1f} s")
    return guest


def rebind(guest):
    """Takes the driver off its device and gives it back: the device is reset under QEMU."""
    guest.run("name=$(basename $(readlink -f /sys/class/block/vda/device)); cd /sys/bus/virtio/drivers/virtio_blk; "
              "echo $name >unbind; echo $name >bind")


# Real mode: reads sector 2 to 0:7e00, and sends what is there to the serial line, up to its first zero.
BOOT = bytes.fromhex("31c0 8ec0 8ed8 b80102 bb007e b90200 b600 cd13 be007e baf803 ac 84c0 7403 ee ebf8 f4 ebfd")


def firmware(world, path, disk):
    with open(disk, "r+b") as file:
        file.write(BOOT + bytes(510 - len(BOOT)) + b"\x55\xaa")
        file.write(b"booted from the card\n".ljust(512, b"\0"))
        file.flush()
        os.fsync(file.fileno())
    qemu = world.process("qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", "64", "-object",
                         "memory-backend-memfd,id=mem,size=64M,share=on", "-numa", "node,memdev=mem",
                         "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
                         "-chardev", f"socket,id=c0,path={path}",
                         "-device", "vhost-user-blk-pci,chardev=c0,bootindex=0")
    world.wait_for_output(qemu, "booted from the card")
    say("  ok: the firmware boots from it")
    qemu.terminate()
    qemu.wait(PATIENCE_S)


def body(world):
    need("qemu-system-x86_64")
    path, disk, server = serve(world)

    guest = boot(world, "a", path)
    check(int(guest.run("cat /sys/class/block/vda/size").text) * 512 == SIZE_MIB * MIB,
          f"the guest sees a disk of {SIZE_MIB} MiB")
    queues = len(guest.run("ls /sys/class/block/vda/mq").text.split())
    check(queues == QUEUES, f"with {queues} queues")
    check(guest_digest(guest, 0, SIZE_MIB) == digest(disk, 0, SIZE_MIB * MIB),
          "what the guest reads is what the file holds")
    wrote = write(guest, 7, 16)
    check(digest(disk, 7 * MIB, 16 * MIB) == wrote, "what it wrote is in the file")
    for cpu in range(QUEUES):
        check(guest_digest(guest, 7, 16, f"taskset {1 << cpu:x}") == wrote, f"and is read back by processor {cpu}")
    rebind(guest)
    wrote = write(guest, 40, 8)
    check(digest(disk, 40 * MIB, 8 * MIB) == wrote, "after a reset by its driver it writes on")
    guest.stop()
    world.wait_for_output(server, "disconnected")

    guest = boot(world, "b", path, iommu=True)
    check(guest.run("readlink -f /sys/class/block/vda/device/../iommu_group/type | xargs cat", check=False
                    ).text.startswith("DMA"), "a second guest has it behind its IOMMU")
    check(guest_digest(guest, 40, 8) == wrote, "and finds it")
    wrote = write(guest, 50, 4)
    check(digest(disk, 50 * MIB, 4 * MIB) == wrote, "and writes on")
    guest.stop()
    firmware(world, path, disk)
    server.terminate()
    check(server.wait(PATIENCE_S) == 0, "the server ends as it should")


main("qemu_disk", body)
