"""Three systems share an NVMe disk, and one has the primary controller: Virtualization Management by the daemon."""

import json
import os
import struct
import subprocess

from nvme_shared import Driver
from world import PATIENCE_S, check, main

ALLOCATE, OFFLINE, ASSIGN, ONLINE = 1, 7, 8, 9
VQ, VI = 0, 1
FAILED, READY = 2, 1  # CSTS
INVALID_ID, INVALID_STATE, INVALID_COUNT = 0x11F, 0x120, 0x121


def site(world):
    def disk(system, **more):
        return {"name": "disk", "pool": "one", "attachment": "nvme", "socket": socket(world, system), **more}
    return {"name": f"e2e-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "left", "cards": [
                {"name": "card", "class": "disk", "medium": os.path.join(world.dir, "medium.img"), "size": "64MiB",
                 "vfs": 16}]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "one", "cards": ["card"]}],
            # b before the one whose disk it is, c after it
            "systems": [{"name": "b", "host": "blade", "io": [disk("b", shares="a/disk", queues=2)]},
                        {"name": "a", "host": "blade", "io": [disk("a", size="8MiB", queues=4, primary=True)]},
                        {"name": "c", "host": "blade", "io": [disk("c", shares="a/disk", queues=2)]}]}


def socket(world, system):
    return os.path.join(world.dir, f"{system}.sock")


def status_before_a_driver(world, system):
    """What the registers say to who has not touched them."""
    words = subprocess.run([world.program("tests/e2e/nvme_talk"), socket(world, system), "csts"], check=True,
                           stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S).stdout.split()
    return int(words[1], 16)


def status(driver):
    return int(driver.ask("csts")[1], 16)


def refuses_a_driver(world, system):
    done = subprocess.run([world.program("tests/e2e/nvme_talk"), socket(world, system)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S,
                          check=False)
    return done.returncode == 1 and "the driver does not come up" in done.stderr


def manage(driver, action, controller, count=0, kind=VQ):
    return driver.admin(0x1C, dw10=action | kind << 8 | controller << 16, dw11=count)[0]


def resources(driver):
    """Of queues and of interrupts: all that can be lent, lent, kept by the primary one, its own, most of one."""
    page = driver.identify(0x14)
    check(struct.unpack_from("<H", page)[0] == 0 and page[4] == 3, "the primary controller is 0 and has both kinds")
    return [struct.unpack_from("<IIHHH", page, at) for at in (32, 64)]


def secondaries(driver):
    page = driver.identify(0x15)
    rows = {}
    for n in range(page[0]):
        number, of, state = struct.unpack_from("<HHB", page, 32 + 32 * n)
        function, queues, interrupts = struct.unpack_from("<HHH", page, 32 + 32 * n + 8)
        check(of == 0, "its primary controller is number 0")
        rows[number] = {"online": state & 1, "function": function, "lent": (queues, interrupts)}
    return rows


def offline_at_first(world, a):
    check(all(status_before_a_driver(world, system) == FAILED for system in ("b", "c")),
          "the controllers of those that share say in CSTS that they are not to be used")
    check(refuses_a_driver(world, "b"), "and no driver comes up on one")
    check(status_before_a_driver(world, "b") == FAILED, "then it says so still")
    check(struct.unpack_from("<H", a.identify(1), 256)[0] & 0x80, "the first one offers Virtualization Management")
    check(resources(a) == [(6, 0, 0, 5, 3)] * 2, "it lists six queues and interrupts for two controllers, all free")


def listed(daemon, a):
    rows = secondaries(a)
    # b is the first in the file that shares, c the second.
    for number, system in ((1, "b"), (2, "c")):
        io = daemon.facts("system", "show", system)["ios"][0]
        check(io["function"] == f"card/vf{rows[number]['function'] - 1}",
              f"it lists '{system}' with its function ({io['function']}) from 1 on")
    check(len(rows) == 2 and len({row["function"] for row in rows.values()}) == 2 and
          all(row["online"] == 0 and row["lent"] == (0, 0) for row in rows.values()), "two, offline, with nothing lent")


def refusals(a):
    check(manage(a, ONLINE, 1) == INVALID_STATE, "without resources one does not come online")
    check(manage(a, ASSIGN, 1, 4) == INVALID_COUNT and manage(a, ASSIGN, 1, 4, VI) == INVALID_COUNT,
          "more than a controller has room for is refused")
    check(manage(a, ALLOCATE, 0, 7) == INVALID_COUNT, "so is more than there is, for itself")
    check(manage(a, ASSIGN, 0, 2) == INVALID_ID and manage(a, ONLINE, 3) == INVALID_ID, "and who is no secondary one")


def brought_online(world, a):
    check(manage(a, ASSIGN, 1, 2) == 0 and manage(a, ASSIGN, 1, 1, VI) == 0, "two queues and an interrupt are lent")
    check(status_before_a_driver(world, "b") == FAILED, "that alone does not bring it online")
    check(manage(a, ONLINE, 1) == 0 and status_before_a_driver(world, "b") == 0, "then it is brought online")
    b = Driver(world, socket(world, "b"))
    check(status(b) == READY and b.admin(0x0A, dw10=7)[1] == 0, "its driver enables it, and has one pair of I/O queues")
    page = b.identify(1)
    check(page[76] & 4 and not struct.unpack_from("<H", page, 256)[0] & 0x80,
          "it is that of a virtual function, and manages nothing")
    check(manage(b, ONLINE, 2) == 1 and b.admin(0x06, dw10=0x14, size=4096)[0] == 2, "what it asks so is refused")
    check(a.write(5, 0x5A) == 0 and b.read(5) == 0x5A and b.write(6, 0xB6) == 0 and a.read(6) == 0xB6,
          "it reads and writes")
    check(manage(a, ASSIGN, 1, 3) == INVALID_STATE, "while it is online its resources stay")
    check(refuses_a_driver(world, "c"), "the other one is offline as before")
    return b


def stays_online(world, daemon, a, b):
    """Resets, guests that go, a card that goes."""
    before = secondaries(a)
    b.close()
    a.close()
    a, b = (Driver(world, socket(world, system)) for system in ("a", "b"))
    check(secondaries(a) == before and before[1]["lent"] == (2, 1), "guests went and came, and it is as it was")
    daemon.tool("card", "pull", "card")
    check(secondaries(a) == before and status(b) == READY and b.read(5) != 0x5A, "so it is while the card is pulled")
    daemon.tool("card", "insert", "card")
    check(b.read(5) == 0x5A, "with the card its disk is back")
    return a, b


def handed_over(world, daemon, sound, a, b):
    check(manage(a, ALLOCATE, 0, 5) == INVALID_COUNT and manage(a, ALLOCATE, 0, 4) == 0, "the first one keeps four")
    before = resources(a), secondaries(a)
    other = json.dumps(sound).replace(', "primary": true', "")
    check(other != json.dumps(sound), "the other site file says nothing of it")
    path = daemon.site_path
    daemon.site_path = path.replace(".yaml", "-other.yaml")
    with open(daemon.site_path, "w", encoding="utf-8") as out:
        out.write(other)
    code = daemon.spawn("--take-over").wait(PATIENCE_S)
    daemon.site_path = path
    check(code == 4 and "has a client, and is another in the new site file" in daemon.log(), "so it is not handed over")
    daemon.hand_over()
    check((resources(a), secondaries(a)) == before, "handed over, all is as it was")
    check(status(b) == READY and b.read(5) == 0x5A and b.write(7, 0x77) == 0 and a.read(7) == 0x77,
          "and what is online works")
    check(a.admin(0x0A, dw10=7)[1] == 3 << 16 | 3, "what the first one keeps is not its own before its reset")
    a.close()
    a = Driver(world, socket(world, "a"))
    check(a.admin(0x0A, dw10=7)[1] == 7 << 16 | 7, "and is after it")
    check(status_before_a_driver(world, "c") == FAILED, "who was offline is so")
    return a


def taken_away(world, a, b):
    check(manage(a, OFFLINE, 1) == 0 and status(b) == FAILED, "taken offline, its driver finds it failed")
    b.drop()
    check(refuses_a_driver(world, "b") and secondaries(a)[1]["lent"] == (0, 0), "nobody uses it, and nothing is lent")
    check(manage(a, ASSIGN, 2, 2) == 0 and manage(a, ASSIGN, 2, 3, VI) == 0 and manage(a, ONLINE, 2) == 0,
          "what it had goes to the other")
    c = Driver(world, socket(world, "c"))
    check(c.read(6) == 0xB6 and c.write(8, 0xC8) == 0 and a.read(8) == 0xC8, "which reads and writes")
    return c


def body(world):
    sound = site(world)
    daemon = world.daemon(sound)
    a = Driver(world, socket(world, "a"))
    offline_at_first(world, a)
    listed(daemon, a)
    refusals(a)
    b = brought_online(world, a)
    a, b = stays_online(world, daemon, a, b)
    a = handed_over(world, daemon, sound, a, b)
    c = taken_away(world, a, b)
    daemon.process.kill()
    daemon.process.wait()
    a.drop()
    c.drop()
    daemon.start()
    a = Driver(world, socket(world, "a"))
    check(resources(a) == [(6, 0, 0, 5, 3)] * 2 and all(not row["online"] for row in secondaries(a).values()) and
          refuses_a_driver(world, "c"), "after a kill all are offline again, with nothing lent")
    a.close()
    daemon.stop()
    check(daemon.process.returncode == 0, "SIGTERM stops it")


if __name__ == "__main__":
    main("nvme_primary", body)
