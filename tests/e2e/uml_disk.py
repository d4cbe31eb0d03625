"""User-mode Linux has a disk card's namespace by vhost-user-blk: what it writes is in the card's file, also
what a second guest finds after the first was killed in the midst of writing."""

from disks import MIB, SIZE_MIB, digest, guest_digest, serve, write
from world import check, guests, main, say, Skip


class DiskGuest(guests.UmlGuest):
    def __init__(self, world, name, path):
        super().__init__(name, world.dir, [], world.guest_programs())
        self.disks = [path]


def boot(world, name, path):
    return world.guest(DiskGuest(world, name, path)).wait_ready()


def body(world):
    why = guests.uml_works()
    if why:
        raise Skip(why)
    path, disk, server = serve(world)

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
    check(server.wait(60) == 0, "the server ends as it should")


main("uml_disk", body)
