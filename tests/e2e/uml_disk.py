"""User-mode Linux has a disk card's namespace by vhost-user-blk: what it writes is in the card's file, also
what a second guest finds after the first was killed in the midst of writing."""

import hashlib
import os

from world import check, guests, main, say, Skip

MIB = 1 << 20
SIZE_MIB = 64


class DiskGuest(guests.UmlGuest):
    def __init__(self, world, name, path):
        super().__init__(name, world.dir, [], world.guest_programs())
        self.disks = [path]


def boot(world, name, path):
    return world.guest(DiskGuest(world, name, path)).wait_ready()


def digest(path, offset, size):
    with open(path, "rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read(size)).hexdigest()


def guest_digest(guest, skip_mib, mib):
    return guest.run(f"dd if=/dev/vda bs=1M skip={skip_mib} count={mib} iflag=direct 2>/dev/null | sha256sum"
                     ).text.split()[0]


def write(guest, offset_mib, mib):
    """Random bytes, past the guest's cache; what they were."""
    guest.run(f"dd if=/dev/urandom of=/tmp/bytes bs=1M count={mib} 2>/dev/null")
    guest.run(f"dd if=/tmp/bytes of=/dev/vda bs=1M seek={offset_mib} oflag=direct 2>/dev/null && sync")
    return guest.run("sha256sum /tmp/bytes").text.split()[0]


def body(world):
    why = guests.uml_works()
    if why:
        raise Skip(why)
    path, disk = f"{world.dir}/disk.sock", f"{world.dir}/disk.img"
    with open(disk, "wb") as file:
        for _ in range(SIZE_MIB):
            file.write(os.urandom(MIB))
    server = world.process(world.program("src/attach/vhost_disk_server"), path, "file", disk)
    world.wait_for_output(server, "ready")

    guest = boot(world, "a", path)
    say(f"booted in {guest.booted_s:.1f} s")
    size = int(guest.run("cat /sys/class/block/vda/size").text)
    check(size * 512 == SIZE_MIB * MIB, f"the guest sees a disk of {SIZE_MIB} MiB")
    check(guest.run("cat /sys/class/block/vda/serial").text.strip() == "MP0001", "with its serial number")
    check(guest_digest(guest, 0, SIZE_MIB) == digest(disk, 0, SIZE_MIB * MIB),
          "what the guest reads is what the file holds")
    wrote = write(guest, 7, 16)
    check(digest(disk, 7 * MIB, 16 * MIB) == wrote, "what it wrote is in the file")
    check(guest_digest(guest, 7, 16) == wrote, "and is read back")

    wrote = write(guest, 40, 8)
    guest.run("(while :; do dd if=/dev/urandom of=/dev/vda bs=64k count=64 seek=16 conv=notrunc oflag=direct; "
              "done) >/dev/null 2>&1 &")
    guest.run("sleep 1")
    guest.stop()
    world.wait_for_output(server, "disconnected")
    guest = boot(world, "b", path)
    check(guest_digest(guest, 40, 8) == wrote, "a second guest finds what the first, which was killed, had written")
    wrote = write(guest, 50, 4)
    check(digest(disk, 50 * MIB, 4 * MIB) == wrote, "and writes on")
    guest.stop()
    server.terminate()
    check(server.wait(10) == 0, "the server ends as it should")


main("uml_disk", body)
