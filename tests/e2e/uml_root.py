"""User-mode Linux runs from a disk of the daemon: its root is a file system on a disk card, by vhost-user-blk.  It is
killed in the midst of writing, and the next one finds what had been synchronised; so does one after the daemon was
killed."""

import os

from disks import RootGuest, check_root, disk_site, install_root, vhost_disk
from world import Skip, check, guests, main, say

DISK_MIB = 48


def boot(world, name, path):
    guest = world.guest(RootGuest(world, name, [path])).wait_ready()
    say(f"booted in {guest.booted_s:.1f} s")
    check_root(guest, DISK_MIB)
    return guest


def written(guest, name):
    guest.run(f"dd if=/dev/urandom of=/data/{name} bs=1M count=4 2>/dev/null; sync")
    return guest.run(f"sha256sum </data/{name}").text.split()[0]


def body(world):
    why = guests.uml_works()
    if why:
        raise Skip(why)
    path = os.path.join(world.dir, "root.sock")
    daemon = world.daemon(disk_site(world, [vhost_disk(world, "root", DISK_MIB)]))
    install_root(world, path)

    guest = boot(world, "first", path)
    row = daemon.facts("system", "show", "vm")["ios"][0]
    check(row["state"] == "running" and row["attachment"] == "vhost-user-blk", "the daemon shows it running")
    one = written(guest, "one")
    guest.run("(while :; do dd if=/dev/urandom of=/data/noise bs=64k count=64; sync; done) >/dev/null 2>&1 &")
    guest.run("sleep 0.5")
    guest.process.kill()
    guest.stop()

    guest = boot(world, "second", path)
    check(guest.run("sha256sum </data/one").text.split()[0] == one,
          "after a guest was killed in the midst of writing, the next runs from the disk and finds its file")
    two = written(guest, "two")
    guest.stop()
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()

    guest = boot(world, "third", path)
    check(guest.run("sha256sum </data/two").text.split()[0] == two,
          "after the daemon was killed, a guest runs from the disk and finds the file")
    guest.stop()


main("uml_root", body)
