"""A real disk function behind a disk card, by the kernel's own SR-IOV, IOMMU and VFIO, with no hardware.

A Debian kernel boots in QEMU with `intel-iommu` and an NVMe device that can have virtual functions. Inside it the tool
makes them, gives one its queues and hands it to vfio-pci; a static program of ours maps memory for it and verifies
data; what it wrote is found through the physical function's own driver and in the file behind QEMU's device. Then
midplaned runs there with that function as the medium of a disk card, and a client drives the disk that it serves.

The remapping unit flushes at each unmapping (strict); with --lazy it does so later, as hardware does by default.
"""

import hashlib
import json
import os
import struct

from world import check, guests, image, in_time, main, need, say

PF, VF, VF2 = "0000:01:00.0", "0000:01:00.1", "0000:01:00.2"
DISK_MIB = 32
FILL_MIB = 2
SEED = 11
WORD = (1 << 64) - 1


class Guest(guests.QemuGuest):
    memory_mb = 768

    def __init__(self, world, programs):
        self.disk = os.path.join(world.dir, "disk.img")
        with open(self.disk, "wb") as out:
            out.truncate(DISK_MIB << 20)
        lazy = world.options.lazy
        extra = ["-device", f"intel-iommu,intremap=on,caching-mode={'off' if lazy else 'on'}",
                 "-device", "pcie-root-port,id=rp0,chassis=1,slot=1",
                 "-drive", f"file={self.disk},if=none,id=d0,format=raw,cache=writeback",
                 "-device", "nvme-subsys,id=ss0",
                 "-device", "nvme,serial=MID0,subsys=ss0,bus=rp0,max_ioqpairs=18,msix_qsize=9,sriov_max_vfs=2,"
                            "sriov_vq_flexible=8,sriov_vi_flexible=4,sriov_max_vi_per_vf=2,sriov_max_vq_per_vf=4",
                 "-device", "nvme-ns,drive=d0,shared=on"]
        super().__init__("vfio", world.dir, [], programs, modules=image.VFIO_MODULES, extra=extra,
                         kernel_args=f"intel_iommu=on iommu=nopt iommu.strict={0 if lazy else 1} no_timer_check")

    def command(self):
        return ["q35,kernel-irqchip=split" if word == "q35" else word for word in super().command()]

    def disk_tool(self, words, code=0, says=""):
        done = self.run(f"vfio_disk {words}", 120, check=False)
        text = " ".join(done.text.split())
        check(done.code == code and says in text, f"vfio_disk {words}: {text}")

    def tool(self, words):
        done = self.run(f"midplane {words}", check=False)
        return done.code, done.text


def pattern(seed, size):
    """What vfio_disk fills a disk with: the words of rand_u64() of base/base.h."""
    words = []
    for at in range(0, size, 8):
        z = (seed + at + 0x9e3779b97f4a7c15) & WORD
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & WORD
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & WORD
        words.append(z ^ (z >> 31))
    return struct.pack(f"<{len(words)}Q", *words)


def make(guest):
    """Virtual functions of a card whose physical one keeps all flexible queues to itself."""
    def hardware(words, code, says):
        found = guest.tool(f"hardware {words}")
        check(found[0] == code and says in found[1], f"hardware {words}: {found[1].strip()}")

    guest.disk_tool(f"keep {PF} 8 4")
    hardware(f"vfs {PF} 2", 0, "2 virtual functions")
    hardware(f"bind {VF2}", 0, "driver vfio-pci has it")
    hardware(f"queues {VF} 3 --interrupts 1", 1,
             f"{PF} must be reset to give up what it keeps itself, and driver vfio-pci has its virtual function {VF2}")
    hardware(f"release {VF2}", 0, "released")
    hardware(f"queues {VF} 3 --interrupts 1", 0, f"{VF}: online with 3 queue pairs and 1 interrupts")
    hardware(f"bind {VF}", 0, "driver vfio-pci has it")


def drive(guest):
    """The static program, and what others see of its data."""
    guest.disk_tool(f"fill {VF} 1 1", 1, "no PCI function")
    make(guest)
    guest.disk_tool(f"fill {VF2} 1 1", 1, "midplane hardware bind")
    guest.disk_tool(f"fill {VF} {SEED} {FILL_MIB}")
    wanted = hashlib.sha256(pattern(SEED, FILL_MIB << 20)).hexdigest()
    seen = guest.run(f"dd if=/dev/nvme0n1 bs=1M count={FILL_MIB} iflag=direct 2>/dev/null | sha256sum").text.split()[0]
    check(seen == wanted, "the physical function's own driver reads what was written through the virtual one")
    with open(guest.disk, "rb") as image_file:
        seen = hashlib.sha256(image_file.read(FILL_MIB << 20)).hexdigest()
    check(seen == wanted, "and so it is in the file behind the device")
    guest.run("dd if=/dev/urandom of=/tmp/r bs=1M count=1 2>/dev/null && "
              "dd if=/tmp/r of=/dev/nvme0n1 bs=1M seek=1 oflag=direct 2>/dev/null")
    guest.disk_tool(f"check {VF} {SEED} {FILL_MIB}", 1, "something else")
    guest.disk_tool(f"verify {VF} {SEED}")
    guest.disk_tool(f"interrupt {VF}")


def site():
    cards = [{"name": "ssd", "class": "disk", "medium": VF, "namespace": 1, "vfs": 4}]
    spare = [{"name": "spare", "class": "disk", "medium": "/tmp/spare.img", "size": "16MiB", "vfs": 4}]
    disks = [{"name": "data", "pool": "all", "attachment": "nvme", "size": "8MiB", "queues": 2,
              "socket": "/tmp/data.sock"},
             {"name": "twin", "pool": "both", "redundancy": "pair", "attachment": "nvme", "size": "4MiB",
              "socket": "/tmp/twin.sock"}]
    # In an emulated machine a CPU that the host takes away looks like a worker that hangs.
    return {"name": "guest", "workers": 1, "heartbeat_ms": 6000,
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": cards},
                                                       {"name": "other", "cards": spare}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "all", "cards": ["ssd"]}, {"name": "both", "cards": ["ssd", "spare"]}],
            "groups": [{"name": "pair", "pool": "both", "count": 2, "mode": "1+1", "spread": "carrier"}],
            "systems": [{"name": "a", "host": "blade", "io": disks}]}


def start_daemon(guest):
    guest.run("midplaned --socket /tmp/m.sock /bin/site.json >/tmp/daemon.log 2>&1 & echo $! >/tmp/daemon.pid")
    up = guest.run("until [ -S /tmp/data.sock ] && midplane --socket /tmp/m.sock site show >/dev/null 2>&1; "
                   "do kill -0 $(cat /tmp/daemon.pid) || exit 1; sleep 0.2; done", check=False)
    said = guest.run("cat /tmp/daemon.log").text
    check(up.code == 0, f"midplaned runs on it {said[-600:]}")


def stop_daemon(guest):
    guest.run("kill $(cat /tmp/daemon.pid); while kill -0 $(cat /tmp/daemon.pid) 2>/dev/null; do sleep 0.1; done; "
              "rm -f /tmp/data.sock")
    check(True, "midplaned ends when it is asked to")


def client(guest, *verb):
    done = guest.run(f"disk_client nvme /tmp/data.sock {' '.join(verb)}", 120, check=False)
    check(done.code == 0, f"disk_client {' '.join(verb)}: {done.text.strip()}")


def shown(guest):
    return json.loads(guest.tool("--socket /tmp/m.sock -o json card show ssd")[1])


def serve(guest):
    """A disk card on the function, a disk of it, and a client that drives that."""
    start_daemon(guest)
    card = shown(guest)
    check(card["state"] == "dead" and "is no table of namespaces" in card["medium_access"],
          f"a disk that holds something is not taken over: {card['medium_access']}")
    stop_daemon(guest)
    guest.run("dd if=/dev/zero of=/dev/nvme0n1 bs=1M count=2 oflag=direct 2>/dev/null")
    start_daemon(guest)
    card = shown(guest)
    check(card["medium"] == VF and card["medium_access"] == "VFIO" and card["size_bytes"] == DISK_MIB << 20,
          "the card says what it is on")
    client(guest, "verify", "3")
    client(guest, "fill", "4")
    guest.disk_tool(f"fill {VF} 1 1", 1, "in use: by another program")
    stop_daemon(guest)
    start_daemon(guest)
    client(guest, "compare", "4")


def die(guest):
    """The function is reset under the card, as a host's administrator can: its controller is no longer enabled."""
    guest.spawn("while disk_client nvme /tmp/data.sock verify 5; do :; done; exit 1", "client")
    guest.run(f"sleep 0.3; echo 1 >/sys/bus/pci/devices/{VF}/reset")
    done = guest.finish("client")
    check(done.code == 1, f"commands of a dead disk end with errors: {done.text.strip()[-200:]}")
    in_time(lambda: shown(guest)["at_medium"] == 0)
    card = shown(guest)
    check(card["medium_access"].startswith("dead: ") and card["at_medium"] == 0,
          f"the card says: {card['medium_access']}")
    told = guest.run(f"i=0; while ! midplane --socket /tmp/m.sock event list | grep -q 'its medium {VF} is dead: ' && "
                     "[ $i -lt 30 ]; do sleep 1; i=$((i+1)); done; [ $i -lt 30 ]", 90, check=False)
    check(told.code == 0, "and it is told as an event")
    for verb in (None, "pull", "insert"):
        if verb:
            check(guest.tool(f"--socket /tmp/m.sock card {verb} ssd")[0] == 0, f"card {verb}")
        card = shown(guest)
        check(card["state"] == ("pulled" if verb == "pull" else "dead"), f"the card is {card['state']}")
    data, twin = json.loads(guest.tool("--socket /tmp/m.sock -o json system show a")[1])["ios"]
    check(data["state"] == "away" and f"medium of its card 'ssd' is {card['medium_access']}" in data["stopped"],
          f"the disk on it is away: {data['stopped']}")
    check(twin["mirror"] == "degraded" and twin["state"] != "away" and
          "card 'spare' serves alone" in twin["mirror_text"] and
          "medium of card 'ssd' is dead: " in twin["mirror_text"], f"a mirror goes on: {twin['mirror_text']}")
    for verb in ("fill", "compare"):
        done = guest.run(f"disk_client nvme /tmp/twin.sock {verb} 7", 120, check=False)
        said = "" if done.code == 0 else guest.run(
            "tail -n 12 /tmp/daemon.log; midplane --socket /tmp/m.sock card show spare").text
        check(done.code == 0, f"with data: {verb} {done.text.strip()} {said}")
    stop_daemon(guest)


def body(world):
    need("qemu-system-x86_64")
    site_file = os.path.join(world.dir, "site.json")
    with open(site_file, "w", encoding="utf-8") as out:
        json.dump(site(), out)
    guest = world.guest(Guest(world, {"vfio_disk": world.program("tests/guests/vfio_disk"),
                                      "midplane": world.program("src/prog/midplane"),
                                      "midplaned": world.program("src/prog/midplaned"),
                                      "disk_client": world.program("tests/e2e/disk_client"), "site.json": site_file}))
    guest.wait_ready(200)
    say(f"  booted in {guest.booted_s:.1f} s")
    drive(guest)
    serve(guest)
    die(guest)
    start_daemon(guest)
    client(guest, "verify", "6")
    stop_daemon(guest)
    guest.stop()


main("vfio_nvme", body, add_options=lambda parser: parser.add_argument("--lazy", action="store_true"))
