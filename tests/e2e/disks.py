"""What the tests of vhost-user-blk share: a disk card's file, its server, and what a guest's dd says of it."""

import hashlib
import os

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
