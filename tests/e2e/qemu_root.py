"""A stock Debian kernel in QEMU runs from a disk of the daemon by vhost-user-blk, and has a second one on a socket that
QEMU listens at.  Both are written while the daemon is killed and started again, and while it is stopped and started
again: the guest waits, goes on, and has lost nothing."""

import os
import time

from disks import check_root, disk_site, install_root, vhost_disk
from world import check, guests, main, need, say

DISK_MIB, DATA_MIB = 48, 32


class RootGuest(guests.QemuGuest):
    def __init__(self, world, name):
        super().__init__(name, world.dir, [], world.guest_programs(), kernel_args="root=/dev/vda", extra=["-smp", "2"])

    def devices(self):
        made = []
        for i, (name, how) in enumerate((("root", "reconnect=1"), ("data", "server=on,wait=off"))):
            made += ["-chardev", f"socket,id=c{i},path={self.workdir}/{name}.sock,{how}",
                     "-device", f"pcie-root-port,id=rp{i},chassis={i + 1},slot={i + 1}",
                     "-device", f"vhost-user-blk-pci,bus=rp{i},chardev=c{i},num-queues=2,disable-legacy=on"]
        return made


# A place of each disk is written for ever, 64 KiB at a time, every block with a text of its own.
BLOCKS = 32
TEXT = "yes {disk}-$i | head -c 65536"
WRITER = ("i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); "
          + TEXT + " | dd of={file} bs=64k seek=$((i%{blocks})) iflag=fullblock {flags} 2>/dev/null "
          "|| echo failed; echo $i >/tmp/count-{disk}; done")
READER = ("i={first}; while [ $i -le {last} ]; do "
          "[ $(" + TEXT + " | md5sum | cut -d' ' -f1) = "
          "$(dd if={file} bs=64k skip=$((i%{blocks})) count=1 2>/dev/null | md5sum | cut -d' ' -f1) ] || echo $i; "
          "i=$((i+1)); done")
FILES = {"root": ("/data/noise", "conv=fsync,notrunc"), "data": ("/dev/vdb", "oflag=direct")}


def count(guest, disk):
    return int(guest.run(f"cat /tmp/count-{disk}", seconds=200).text or 0)


def goes_on(guest, what):
    """Waits until both disks are written further."""
    began = time.monotonic()
    before = {disk: count(guest, disk) for disk in FILES}
    left = set(FILES)
    while left and time.monotonic() - began < 200:
        time.sleep(0.1)
        left = {disk for disk in FILES if count(guest, disk) < before[disk] + 2}
    check(not left, f"{what} both disks are written on ({time.monotonic() - began:.1f} s)")


def begin(guest):
    guest.run("mount -t tmpfs tmpfs /tmp")
    for disk, (file, flags) in FILES.items():
        guest.run(f"echo 0 >/tmp/count-{disk}")
        guest.spawn(WRITER.format(disk=disk, file=file, flags=flags, blocks=BLOCKS), disk)


def wrong(guest, disk, first, last, text=""):
    """The numbers of blocks that are not as they were written."""
    command = READER.format(disk=text or disk, file=FILES[disk][0], first=first, last=last, blocks=BLOCKS)
    return guest.run(command, seconds=200, check=False).text.split()


def verify(guest):
    """What each writer wrote last is there, read past the cache."""
    guest.run("touch /tmp/stop")
    for disk in FILES:
        check(guest.finish(disk).text == "", f"{disk}: no write has failed")
        last = count(guest, disk)
        guest.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        check(wrong(guest, disk, max(last - BLOCKS + 1, 1), last) == [], f"{disk}: the last of {last} writes are there")
        check(wrong(guest, disk, last, last, "none") == [str(last)], f"{disk}: another text is told from it")
    errors = guest.run("cat /sys/fs/ext4/vda/errors_count; dmesg | grep -ciE 'I/O error|ext4-fs error'",
                       check=False).text.split()
    check(errors == ["0", "0"], "the guest has seen no error")


def body(world):
    need("qemu-system-x86_64")
    daemon = world.daemon(disk_site(world, [vhost_disk(world, "root", DISK_MIB),
                                            vhost_disk(world, "data", DATA_MIB, socket_mode="client")]))
    install_root(world, os.path.join(world.dir, "root.sock"))
    guest = world.guest(RootGuest(world, "vm")).wait_ready()
    say(f"booted in {guest.booted_s:.1f} s")
    check_root(guest, DISK_MIB)
    begin(guest)
    goes_on(guest, "at first")
    daemon.process.kill()
    daemon.process.wait()
    time.sleep(0.5)
    daemon.start()
    goes_on(guest, "after the daemon was killed and started again")
    daemon.stop()
    check(daemon.process.returncode == 0, "the daemon stops under the guest")
    daemon.start()
    goes_on(guest, "started again after that,")
    verify(guest)
    rows = daemon.facts("system", "show", "vm")["ios"]
    check(all(row["state"] == "running" and row["queues"] == 2 for row in rows), "both disks run with two queues")
    events = [event["kind"] for event in daemon.facts("event", "list")]
    check("stopped" not in events and "refused" not in events, "the daemon refused and stopped nothing")
    guest.stop()


main("qemu_root", body)
