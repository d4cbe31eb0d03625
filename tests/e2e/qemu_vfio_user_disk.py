"""Disks of the daemon plugged in whole: QEMU 11's vfio-user-pci, Linux's own drivers (make test-vfio-user).

A stock Debian guest has an NVMe controller and a virtio block device, each a VF of a disk card on a vfio-user
socket, its IOMMU off and strict: it writes them through its page cache and past it, its drivers reset the functions,
the card is pulled and put back under it, and the next guest finds what was written.

The daemon is killed under the first guest, and started again.  QEMU's vfio-user-pci never connects a second time, and
QEMU fails an assertion of its own when such a device is taken out, so there is no way back for that guest; it goes on
without its disks, and the next has them with all that was written.  A planned restart hands the connections over
instead: the guest writes and reads on.
"""

import json
import os
import time

from disks import disk_site
from world import check, guests, main, need, newer_qemu, say

DISK_MIB = 48
WRITE_MIB = 4
KINDS = {"nvme": "nvme0n1", "virtio-blk": "vda"}
KERNELS = {"no IOMMU": "intel_iommu=off", "strict IOMMU": "intel_iommu=on iommu=nopt iommu.strict=1"}


def disk(world, kind, **more):
    return {"name": kind, "pool": "disks", "attachment": kind, "size": f"{DISK_MIB}MiB", "queues": 2,
            "socket": os.path.join(world.dir, kind + ".sock"), **more}


class Guest(guests.QemuGuest):
    def device(self, kind):
        return {"driver": "vfio-user-pci", "id": kind, "bus": f"rp-{kind}",
                "socket": {"type": "unix", "path": f"{self.workdir}/{kind}.sock"}}

    def devices(self):
        made = ["-device", "intel-iommu,intremap=on,caching-mode=on"]
        for i, kind in enumerate(KINDS, 1):
            made += ["-device", f"pcie-root-port,id=rp-{kind},chassis={i},slot={i}",
                     "-device", json.dumps(self.device(kind))]
        return made

    def command(self):
        return ["q35,kernel-irqchip=split" if word == "q35" else word for word in super().command()]


def boot(world, name, kernel):
    guest = Guest(name, world.dir, [], world.guest_programs(), vectors=None, kernel_args=kernel + " no_timer_check",
                  extra=["-smp", "2"])
    guest.program = newer_qemu()
    world.guest(guest).wait_ready(200)
    say(f"{name}: booted in {guest.booted_s:.1f} s")
    return guest


def digest(guest, device, skip):
    return guest.run(f"dd if=/dev/{device} bs=1M skip={skip} count={WRITE_MIB} iflag=direct 2>/dev/null | sha256sum",
                     seconds=120).text.split()[0]


def write(guest, device, skip, how):
    guest.run(f"dd if=/dev/urandom of=/x bs=1M count={WRITE_MIB} 2>/dev/null; "
              f"dd if=/x of=/dev/{device} bs=1M seek={skip} {how} 2>/dev/null; sync; "
              "echo 3 >/proc/sys/vm/drop_caches", seconds=120)
    return guest.run("sha256sum </x; rm /x").text.split()[0]


def use(guest, strict):
    """What is on each disk afterwards, by its place."""
    wrote = {}
    for kind, device in KINDS.items():
        guest.run(f"for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/{device} ] && break; sleep 1; done; "
                  f"[ $(cat /sys/block/{device}/size) = {DISK_MIB * 2048} ]")
        check(True, f"{guest.name}: the guest's driver has /dev/{device}, {DISK_MIB} MiB")
        group = guest.run(f"d=$(readlink -f /sys/block/{device}/device); while [ ! -e $d/iommu_group ] && [ $d != / ]; "
                          "do d=$(dirname $d); done; cat $d/iommu_group/type", check=False).text.strip()
        check(group.startswith("DMA") if strict else not group.startswith("DMA"),
              f"{guest.name}: {'behind' if strict else 'without'} the guest's IOMMU")
        for skip, how in ((0, ""), (WRITE_MIB, "oflag=direct")):
            wrote[device, skip] = write(guest, device, skip, how)
        check(all(digest(guest, device, skip) == wrote[device, skip] for skip in (0, WRITE_MIB)),
              f"{guest.name}: 2 x {WRITE_MIB} MiB are read back as they were written")
        interrupts = guest.run("grep -E 'nvme|virtio' /proc/interrupts").text
        check("MSI" in interrupts, f"{guest.name}: queues have MSI-X vectors")
    return wrote


def rebind(guest, wrote):
    """Drivers let go of their functions, which are reset, and take them anew."""
    guest.run("for d in /sys/bus/pci/drivers/nvme/0000* /sys/bus/pci/drivers/virtio-pci/0000*; do "
              "[ -e $d ] || continue; r=$(dirname $d); a=$(basename $d); "
              "echo $a >$r/unbind; echo 1 >/sys/bus/pci/devices/$a/reset; "
              "echo $a >$r/bind; done", seconds=120)
    for device in KINDS.values():
        guest.run(f"for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/{device} ] && break; sleep 1; done; [ -b /dev/{device} ]")
        check(digest(guest, device, 0) == wrote[device, 0], f"{guest.name}: after a reset /dev/{device} has its data")


def pull(daemon, guest, wrote):
    daemon.tool("card", "pull", "ssd")
    for device in KINDS.values():
        code = guest.run(f"dd if=/dev/{device} of=/dev/null bs=4k count=1 skip=9 iflag=direct 2>/dev/null",
                         check=False, seconds=120).code
        check(code != 0, f"{guest.name}: its card is pulled: a read of /dev/{device} fails")
    daemon.tool("card", "insert", "ssd")
    for device in KINDS.values():
        check(digest(guest, device, 0) == wrote[device, 0], f"{guest.name}: it is back: /dev/{device} has its data")


# One line a command.
WORK = ("(n=0; while [ ! -e /stop ]; do dd if=/dev/urandom of=/y.DEV bs=64k count=16 2>/dev/null; "
        "a=$(sha256sum </y.DEV); "
        "dd if=/y.DEV of=/dev/DEV bs=64k seek=512 oflag=direct 2>/dev/null || echo DEV write $n >>/bad; "
        "b=$(dd if=/dev/DEV bs=64k skip=512 count=16 iflag=direct 2>/dev/null | sha256sum); "
        "[ \"$a\" = \"$b\" ] || echo DEV data $n >>/bad; n=$((n+1)); echo $n >/count.DEV; done; touch /done.DEV) "
        ">/dev/null 2>&1 &")


def rounds(guest):
    return [int(guest.run(f"cat /count.{device}").text) for device in KINDS.values()]


def more_rounds(guest, before, what):
    """Two at least: one may have been over but for its end."""
    for _ in range(60):
        now = rounds(guest)
        if all(n >= b + 2 for n, b in zip(now, before)):
            break
        time.sleep(0.5)
    check(all(n >= b + 2 for n, b in zip(now, before)), f"the guest writes and reads {what}: rounds {now}")
    return now


def handed_over(daemon, guest, wrote):
    """The daemon is replaced by another under a guest that works, and that never connects again."""
    guest.run("touch /count.nvme0n1 /count.vda; echo 0 >/count.nvme0n1; echo 0 >/count.vda")
    for device in KINDS.values():
        guest.run(WORK.replace("DEV", device))
    now = more_rounds(guest, [0, 0], "to begin with")
    for n in range(3):
        pause_ms = daemon.hand_over()
        now = more_rounds(guest, now, f"after hand-over {n + 1}, a pause of {pause_ms} ms")
    guest.run("touch /stop; for i in $(seq 60); do [ -e /done.vda ] && [ -e /done.nvme0n1 ] && break; sleep 1; done; "
              "rm /stop", seconds=90)
    check(guest.run("cat /bad 2>/dev/null", check=False).text.strip() == "", "all that it read is as it was written")
    check(all(digest(guest, device, skip) == wrote[device, skip] for device, skip in wrote),
          "what was written before the hand-overs is there")
    said = guest.run("dmesg | grep -iE 'nvme.*(timeout|abort|reset)|I/O error' | grep -v 'Shutdown timeout set'",
                     check=False).text.strip()
    check(said == "", "its drivers have met no time-out, reset or error")


def restarted(daemon, guest):
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()
    time.sleep(2)
    check(guest.run("echo alive").text.strip() == "alive",
          "the daemon was killed and started again, and the guest goes on")
    states = {row["state"] for row in daemon.facts("system", "show", "vm")["ios"]}
    check(states == {"waiting"}, "QEMU does not connect again")
    code = guest.run("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=9 iflag=direct 2>/dev/null", check=False,
                     seconds=120).code
    check(code != 0, "a read of its disk fails")


def body(world):
    need("debootstrap")
    daemon = world.daemon(disk_site(world, [disk(world, kind) for kind in KINDS]))
    wrote = {}
    for name, kernel in KERNELS.items():
        guest = boot(world, name.split()[0], kernel)
        if wrote:
            check(all(digest(guest, device, skip) == wrote[device, skip] for device, skip in wrote),
                  f"{guest.name}: finds what the last guest wrote, on another daemon")
        wrote = use(guest, name == "strict IOMMU")
        rebind(guest, wrote)
        handed_over(daemon, guest, wrote)
        pull(daemon, guest, wrote)
        kinds = [event["kind"] for event in daemon.facts("event", "list")]
        # The firmware leaves its ring to itself when a kernel turns the IOMMU on.
        allowed = 1 if name == "strict IOMMU" else 0
        check(kinds.count("stopped") <= allowed and kinds.count("fault") <= allowed and "refused" not in kinds,
              f"{guest.name}: nothing of the kernel's drivers was blocked, refused or stopped")
        if name == "no IOMMU":
            restarted(daemon, guest)
        guest.stop()


main("qemu_vfio_user_disk", body)
