"""A PC boots from a disk of the daemon by vhost-user-blk, with nothing on QEMU's command line but the disk: the
firmware reads the boot sector, GRUB reads a Debian kernel and its initramfs from the first partition, and Linux runs
from it.

Not every boot loader can do that in QEMU's translator: it keeps code that it has translated until the guest or QEMU
itself writes there, and a disk behind vhost-user is read by neither.  So SYSLINUX, which reads its second sector over
its first, runs into the first again.  GRUB reads nothing to where code was."""

import os
import struct
import subprocess

from disks import MIB, disk_site, vhost_disk
from world import check, facts, guests, image, main, need, say

GRUB = "/usr/lib/grub/i386-pc"
ROOT_MIB = 64
DISK_MIB = 1 + ROOT_MIB
SECTOR = 512
CONFIG = f"""set root=(hd0,msdos1)
linux /boot/linux {guests.QEMU_LINUX} root=/dev/vda1 loader=grub
initrd /boot/initrd
boot
"""


class BootGuest(guests.QemuGuest):
    """One that has no kernel but what its disk has."""

    def devices(self):
        return ["-chardev", f"socket,id=c0,path={self.workdir}/boot.sock",
                "-device", "vhost-user-blk-pci,chardev=c0,num-queues=2,bootindex=0"]

    def command(self):
        words = super().command()
        for option in ("-kernel", "-initrd", "-append"):
            at = words.index(option)
            del words[at:at + 2]
        return words


def boot_loader(world):
    """What an installer puts in front of the first partition: GRUB's boot sector, with room for the partition table,
    and its core, whose first sector says where the others are and whither they go."""
    config, core = (os.path.join(world.dir, name) for name in ("grub.cfg", "core.img"))
    with open(config, "w", encoding="ascii") as out:
        out.write(CONFIG)
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/boot", "-c", config,
                    "biosdisk", "part_msdos", "ext2", "linux"], check=True)
    with open(os.path.join(GRUB, "boot.img"), "rb") as boot, open(core, "rb") as rest:
        sector, sectors = bytearray(boot.read()), bytearray(rest.read())
    sectors += bytes(-len(sectors) % SECTOR)
    struct.pack_into("<Q", sector, 0x5c, 1)  # where the core begins,
    sector[0x66:0x68] = b"\x90\x90"          # on the drive that the firmware names
    struct.pack_into("<QHH", sectors, SECTOR - 12, 2, len(sectors) // SECTOR - 1, 0x820)
    return bytes(sector[:440]), bytes(sectors)


def make_disk(world, guest):
    disk, initrd = (os.path.join(world.dir, name) for name in ("disk.img", "boot.cpio"))
    image.qemu_initramfs(initrd, guest.programs, guest.modules, guest.kernel_tree)
    with open(disk, "wb") as out:
        out.truncate(DISK_MIB * MIB)
    image.root_image(disk, ROOT_MIB, offset_mib=1,
                     files={"/boot/linux": image.qemu_kernel(guest.kernel_tree), "/boot/initrd": initrd})
    subprocess.run(["/sbin/sfdisk", "--quiet", disk], check=True, text=True,
                   input="label: dos\nstart=2048, type=83, bootable\n", stdout=subprocess.DEVNULL)
    sector, core = boot_loader(world)
    check(SECTOR + len(core) <= MIB, "the boot loader fits in front of the first partition")
    with open(disk, "r+b") as out:
        out.write(sector)
        out.seek(SECTOR)
        out.write(core)
    return disk


def install(world, disk):
    done = subprocess.run([world.program("tests/e2e/hostile_disk"), os.path.join(world.dir, "boot.sock")],
                          input=f"copy {disk}\n", stdout=subprocess.PIPE, text=True, timeout=200)
    told = facts(done.stdout)
    check(done.returncode == 0 and told["wrong"] == 0 and told["bytes"] == DISK_MIB * MIB,
          f"a disk of {DISK_MIB} MiB with a boot loader is written")


def body(world):
    need("qemu-system-x86_64", "grub-mkimage", "/sbin/sfdisk")
    world.daemon(disk_site(world, [vhost_disk(world, "boot", DISK_MIB)]))
    guest = BootGuest("pc", world.dir, [], world.guest_programs())
    install(world, make_disk(world, guest))
    world.guest(guest).wait_ready()
    say(f"booted in {guest.booted_s:.1f} s")
    check("loader=grub" in guest.run("cat /proc/cmdline").text, "the boot loader of the disk started the kernel")
    check(guest.run("mount | grep ' on / ' | cut -d' ' -f1-5").text.strip() == "/dev/vda1 on / type ext4",
          "and its root is the first partition")
    wrote = guest.run("head -c 4194304 /dev/urandom | tee /data/kept | sha256sum").text
    guest.run("sync; echo 3 >/proc/sys/vm/drop_caches")
    check(guest.run("sha256sum </data/kept").text == wrote, "what it writes there is read back")
    guest.stop()


main("qemu_boot", body)
