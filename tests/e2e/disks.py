"""What the tests of vhost-user-blk share: a disk card's file, its server, and what a guest's dd says of it."""

import hashlib
import os
import subprocess

from world import check, facts, guests, image

MIB = 1 << 20
SIZE_MIB = 64


def serve(world):
    """A file of random bytes, served: the socket, the file, the server."""
    path, disk = f"{world.dir}/disk.sock", f"{world.dir}/disk.img"
    with open(disk, "wb") as file:
        for _ in range(SIZE_MIB):
            file.write(os.urandom(MIB))
    server = world.process(world.program("src/attach/vhost_disk_server"), path, "file", disk)
    world.wait_for_output(server, "ready")
    return path, disk, server


def digest(path, offset, size):
    with open(path, "rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read(size)).hexdigest()


def guest_digest(guest, skip_mib, mib, before=""):
    return guest.run(f"{before} dd if=/dev/vda bs=1M skip={skip_mib} count={mib} iflag=direct 2>/dev/null | sha256sum"
                     ).text.split()[0]


def write(guest, offset_mib, mib):
    """Random bytes, past the guest's cache; what they were."""
    guest.run(f"dd if=/dev/urandom of=/tmp/bytes bs=1M count={mib} 2>/dev/null")
    guest.run(f"dd if=/tmp/bytes of=/dev/vda bs=1M seek={offset_mib} oflag=direct 2>/dev/null && sync")
    return guest.run("sha256sum /tmp/bytes").text.split()[0]


def disk_site(world, disks, card_mib=256):
    """One card of class disk on a file, and system "vm" with these disks, which are made by vhost_disk()."""
    card = {"name": "ssd", "class": "disk", "medium": os.path.join(world.dir, "medium.img"), "size": f"{card_mib}MiB",
            "vfs": 4}
    return {"name": f"e2e-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": [card]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "disks", "cards": ["ssd"]}],
            "systems": [{"name": "vm", "host": "blade", "io": disks}]}


def vhost_disk(world, name, mib, **more):
    """A disk on NAME.sock in the test's directory."""
    return {"name": name, "pool": "disks", "attachment": "vhost-user-blk", "size": f"{mib}MiB", "queues": 2,
            "socket": os.path.join(world.dir, name + ".sock"), **more}


ROOT_MIB = 32


def install_root(world, path, mib=ROOT_MIB, programs=None):
    """Writes a file system with all that a guest needs, and these programs, to the disk on a vhost-user socket."""
    root = os.path.join(world.dir, "root.img")
    image.root_image(root, mib, programs)
    done = subprocess.run([world.program("tests/e2e/hostile_disk"), path], input=f"copy {root}\n",
                          stdout=subprocess.PIPE, text=True, timeout=200)
    told = facts(done.stdout)
    check(done.returncode == 0 and told["wrong"] == 0 and told["bytes"] == mib * MIB,
          "a root file system is written to the disk")


class RootGuest(guests.UmlGuest):
    """User-mode Linux whose root is the first of its disks, which are sockets."""

    kernel_args = ("root=/dev/vda",)

    def __init__(self, world, name, disks):
        super().__init__(name, world.dir, [], world.guest_programs())
        self.disks = disks


def check_root(guest, size_mib):
    said = guest.run("mount | grep ' on / ' | cut -d' ' -f1-5; cat /sys/class/block/vda/size").text.split()
    check(said[:5] == ["/dev/vda", "on", "/", "type", "ext4"], f"{guest.name}: its root is /dev/vda")
    check(int(said[5]) * 512 == size_mib * MIB, f"which has {size_mib} MiB")
