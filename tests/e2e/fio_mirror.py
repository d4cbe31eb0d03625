"""User-mode Linux runs from a mirrored disk of the daemon, by vhost-user-blk, and fio writes and verifies another
one, while each of the two cards is pulled and put in again."""

import os
import shutil
import time

from disks import RootGuest, check_root, install_root
from world import Failure, Skip, check, guests, main

ROOT_MIB = 128 # fio comes with its libraries
DATA_MIB = 24
FIO = ("fio --name=verify --filename=/dev/vdb --rw=randwrite --bs=4k --size=4M --iodepth=8 --ioengine=libaio "
       "--direct=1 --thread --verify=crc32c --verify_fatal=1 --verify_backlog=64")


def site(world):
    def card(name):
        return {"name": name, "class": "disk", "medium": os.path.join(world.dir, name + ".img"), "size": "256MiB",
                "vfs": 4}

    def disk(name, mib):
        return {"name": name, "pool": "store", "attachment": "vhost-user-blk", "size": f"{mib}MiB",
                "queues": 2, "redundancy": "pair", "socket": os.path.join(world.dir, name + ".sock")}

    return {"name": f"e2e-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier-a", "cards": [card("a")]},
                                                       {"name": "carrier-b", "cards": [card("b")]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "store", "cards": ["a", "b"]}],
            "groups": [{"name": "pair", "pool": "store", "count": 2, "mode": "1+1", "spread": "carrier"}],
            "systems": [{"name": "vm", "host": "blade", "io": [disk("root", ROOT_MIB), disk("data", DATA_MIB)]}]}


def mirrors(daemon):
    return {io["name"]: io["mirror"] for io in daemon.facts("system", "show", "vm")["ios"]}


def wait_for_mirrors(daemon, state, seconds=200):
    deadline = time.monotonic() + seconds
    while set(mirrors(daemon).values()) != {state}:
        if time.monotonic() > deadline:
            raise Failure(f"the mirrors do not become {state}: {mirrors(daemon)}")
        time.sleep(0.05)


def runs(guest):
    return int(guest.run("grep -c err= /tmp/fio.out || true").text)


def fio_goes_on(guest, more=2, seconds=200):
    """It has verified all that it wrote so many times more."""
    wanted, deadline = runs(guest) + more, time.monotonic() + seconds
    while runs(guest) < wanted:
        if time.monotonic() > deadline or guest.run("[ -e /tmp/fio.code ]", check=False).code == 0:
            raise Failure("fio does not go on: " + guest.run("tail -n 5 /tmp/fio.out").text)
        time.sleep(0.1)


def body(world):
    why = guests.uml_works()
    if why:
        raise Skip(why)
    if not shutil.which("fio"):
        raise Skip("fio is not installed: run packaging/install-deps test")
    daemon = world.daemon(site(world))
    paths = [os.path.join(world.dir, name + ".sock") for name in ("root", "data")]
    install_root(world, paths[0], ROOT_MIB, {"fio": shutil.which("fio")})
    guest = world.guest(RootGuest(world, "guest", paths)).wait_ready()
    check_root(guest, ROOT_MIB)
    wait_for_mirrors(daemon, "mirrored")

    guest.spawn(f"while [ ! -e /tmp/stop ]; do {FIO} || exit 1; done", "fio")
    fio_goes_on(guest)
    for card in ("a", "b"):
        daemon.tool("card", "pull", card)
        wait_for_mirrors(daemon, "degraded")
        check(set(mirrors(daemon).values()) == {"degraded"}, f"card '{card}' is pulled under fio, and stays away")
        fio_goes_on(guest)
        daemon.tool("card", "insert", card)
        wait_for_mirrors(daemon, "mirrored")
        fio_goes_on(guest)
    guest.run("touch /tmp/stop")
    done = guest.finish("fio")
    rounds = [line for line in done.text.splitlines() if "err=" in line]
    check(done.code == 0 and all("err= 0" in line for line in rounds),
          f"fio wrote and verified {len(rounds)} times 4 MiB without a fault")
    guest.stop()


main("fio_mirror", body)
