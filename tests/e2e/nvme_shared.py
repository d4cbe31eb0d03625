"""Two systems share an NVMe disk, of one card or mirrored: data, reservations, sanitize; what outlives the daemon."""

import json
import os
import struct
import subprocess
import time

from world import PATIENCE_S, Failure, check, in_time, main

MIB = 1 << 20
CONFLICT = 0x83
REGISTER, REPORT, ACQUIRE, RELEASE = 0x0D, 0x0E, 0x11, 0x15
WRITE_EXCLUSIVE = 1
KEPT = 3 << 30  # CPTPL: through a loss of power
HOSTS = {"a": "aa" * 16, "b": "bb" * 16}
FAST, SLOW = "32MiB", "1MiB"  # bytes a second of the disks that are erased
KEYS = {"a": 0xA11CE, "b": 0xB0B}


class Driver:
    """An NVMe driver on a socket, which sends what it is told."""

    def __init__(self, world, socket, host=None):
        self.process = subprocess.Popen([world.program("tests/e2e/nvme_talk"), socket], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == "ready\n", f"a driver comes up on {os.path.basename(socket)}")
        if host:
            check(self.admin(0x09, dw10=0x81, dw11=1, out=host)[0] == 0, "its host has an identifier")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def send(self, kind, opcode, nsid=0, dw10=0, dw11=0, dw12=0, dw13=0, size=0, out=None):
        data = f" in {size}" if size else f" out {out}" if out else ""
        words = self.ask(f"{kind} {opcode} {nsid} {dw10} {dw11} {dw12} {dw13} 0 0{data}")
        if len(words) < 2:
            raise Failure(f"command {opcode:#x} is not answered")
        return int(words[0], 16), bytes.fromhex(words[2]) if len(words) > 2 else int(words[1], 16)

    def admin(self, opcode, **words):
        return self.send("admin", opcode, **words)

    def io(self, opcode, **words):
        return self.send("io", opcode, nsid=1, **words)

    def identify(self, cns, nsid=0):
        status, page = self.admin(0x06, nsid=nsid, dw10=cns, size=4096)
        if status:
            raise Failure(f"Identify {cns:#x} ends with {status:#x}")
        return page

    def log(self, page, size):
        status, data = self.admin(0x02, nsid=0xFFFFFFFF, dw10=page | (size // 4 - 1) << 16, size=size)
        if status:
            raise Failure(f"log page {page:#x} ends with {status:#x}")
        return data

    def write(self, lba, fill):
        return self.io(0x01, dw10=lba, out=f"{fill:02x}" * 512)[0]

    def read(self, lba):
        status, data = self.io(0x02, dw10=lba, size=512)
        return data[0] if status == 0 else -status

    def reserve(self, opcode, dw10, key, other=0):
        return self.io(opcode, dw10=dw10, out=struct.pack("<QQ", key, other).hex())[0]

    def report(self):
        status, data = self.io(REPORT, dw10=1023, dw11=1, size=4096)
        if status:
            raise Failure(f"reservations are not reported: {status:#x}")
        count = struct.unpack_from("<H", data, 5)[0]
        rows = [data[64 + 64 * i:128 + 64 * i] for i in range(count)]
        return {"type": data[4], "kept": data[9], "generation": struct.unpack_from("<I", data)[0],
                "hosts": {row[16:32].hex(): {"controller": struct.unpack_from("<H", row)[0], "holds": row[2] & 1,
                                             "key": struct.unpack_from("<Q", row, 8)[0]} for row in rows}}

    def event(self, ms=PATIENCE_S * 1000):
        words = self.ask(f"event {ms}")
        return int(words[1], 16) if words[0] == "event" else None

    def close(self):
        self.process.stdin.close()
        check(self.process.wait(PATIENCE_S) == 0, "the driver shuts down")

    def drop(self):
        self.process.kill()
        self.process.wait()


def socket(world, system, disk):
    return os.path.join(world.dir, f"{system}-{disk}.sock")


def site(world):
    cards = [{"name": f"card-{n}", "class": "disk", "medium": os.path.join(world.dir, f"{n}.img"), "size": "64MiB",
              "vfs": 16} for n in (1, 2)]

    def disk(system, name, pool, **more):
        return {"name": name, "pool": pool, "attachment": "nvme", "socket": socket(world, system, name), **more}
    return {"name": f"e2e-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "left", "cards": cards[:1]},
                                                       {"name": "right", "cards": cards[1:]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "one", "cards": ["card-1"]}, {"name": "both", "cards": ["card-1", "card-2"]}],
            "groups": [{"name": "pair", "cards": ["card-1", "card-2"]}],
            # The one that shares stands before the one whose disk it is: the order of the file is nothing.
            "systems": [{"name": "b", "host": "blade",
                         "io": [disk("b", "plain", "one", shares="a/plain"),
                                disk("b", "twin", "both", redundancy="pair", shares="a/twin"),
                                disk("b", "scratch", "one", shares="a/scratch"),
                                disk("b", "twins", "both", redundancy="pair", shares="a/twins")]},
                        {"name": "a", "host": "blade",
                         "io": [disk("a", "plain", "one", size="8MiB"),
                                disk("a", "twin", "both", redundancy="pair", size="8MiB"),
                                disk("a", "scratch", "one", size="8MiB", byte_rate=FAST),
                                disk("a", "twins", "both", redundancy="pair", size="8MiB", byte_rate=FAST)]}]}


def pair(world, disk):
    return [Driver(world, socket(world, system, disk), HOSTS[system]) for system in ("a", "b")]


def identities(a, b):
    ids, spaces = [d.identify(1) for d in (a, b)], [d.identify(0, 1) for d in (a, b)]
    check(ids[0][768:1024] == ids[1][768:1024] and ids[0][4:24] == ids[1][4:24],
          "both controllers are of one subsystem, with one serial number")
    check({struct.unpack_from("<H", i, 78)[0] for i in ids} == {0, 1}, "and have an identifier each")
    check(all(i[76] & 2 for i in ids), "the subsystem has several controllers")
    check(spaces[0] == spaces[1] and any(spaces[0][104:120]), "the namespace is the same, its NGUID too")
    check(spaces[0][30] & 1 and spaces[0][31] == 0xFF, "it may be shared, and reserved through a loss of power")
    for d in (a, b):
        page = d.identify(0x13)
        check(struct.unpack_from("<HHH", page) == (2, 0, 1), "each lists both controllers")
    check(all(struct.unpack_from("<HHH", d.identify(0x12, 1)) == (2, 0, 1) for d in (a, b)),
          "both are attached to the namespace")


def reservations(a, b):
    check(a.write(5, 0x5A) == 0 and b.read(5) == 0x5A, "what one system writes the other reads")
    check(b.write(6, 0xB6) == 0 and a.read(6) == 0xB6, "and the other way round")
    check(a.reserve(REGISTER, KEPT, 0, KEYS["a"]) == 0 and b.reserve(REGISTER, 0, 0, KEYS["b"]) == 0,
          "both register, to be kept through a loss of power")
    check(b.event(0) is None, "nothing has happened for the other yet")
    check(a.reserve(ACQUIRE, WRITE_EXCLUSIVE << 8, KEYS["a"]) == 0, "one reserves writing")
    check(b.write(6, 1) == CONFLICT and b.read(5) == 0x5A, "the other's writes conflict, its reads do not")
    check(b.reserve(ACQUIRE, WRITE_EXCLUSIVE << 8, KEYS["b"]) == CONFLICT, "and it cannot reserve")
    check(b.admin(0x80, nsid=1)[0] == CONFLICT, "nor format")
    check(b.admin(0x84, dw10=2)[0] == CONFLICT, "nor sanitize")
    check(a.write(7, 0x77) == 0, "who holds it writes")
    for d in (a, b):
        seen = d.report()
        check(seen["type"] == WRITE_EXCLUSIVE and seen["kept"] == 1 and
              seen["hosts"] == {HOSTS["a"]: {"controller": 0, "holds": 1, "key": KEYS["a"]},
                                HOSTS["b"]: {"controller": 1, "holds": 0, "key": KEYS["b"]}},
              "each is told who is registered, with which identifier, and who holds it")


def still_there(a, b):
    seen = b.report()
    check(seen["type"] == WRITE_EXCLUSIVE and seen["kept"] == 1 and len(seen["hosts"]) == 2 and
          seen["hosts"][HOSTS["a"]]["holds"] == 1, "the reservation is as it was")
    check(b.write(6, 1) == CONFLICT and b.read(7) == 0x77 and a.write(8, 0x88) == 0, "and is enforced")


def preempted(a, b):
    check(a.event(0) is None, "its holder waits for an event")
    check(b.reserve(ACQUIRE, 1 | WRITE_EXCLUSIVE << 8, KEYS["b"], KEYS["a"]) == 0, "the other preempts it")
    check(b.write(6, 0x66) == 0 and a.read(6) == 0x66, "and writes")
    check(a.write(7, 1) == CONFLICT, "now the first one's writes conflict")
    event = a.event()
    check(event is not None and event & 7 == 6 and event >> 16 == 0x80, f"it was told by an event ({event})")
    note = a.log(0x80, 64)
    check(note[8] == 3 and struct.unpack_from("<I", note, 12)[0] == 1, "the log page: its reservation was preempted")
    check(list(a.report()["hosts"]) == [HOSTS["b"]], "and it is registered no more")
    check(b.reserve(RELEASE, WRITE_EXCLUSIVE << 8, KEYS["b"]) == 0 and a.write(7, 0x70) == 0,
          "released, both write again")


def handed_over(daemon, a, b):
    """A planned restart under both: nothing of it is seen, whether it persists or not."""
    check(b.reserve(ACQUIRE, WRITE_EXCLUSIVE << 8, KEYS["b"]) == 0, "reserved")
    before = a.report()
    daemon.hand_over()
    check(a.report() == before == b.report() and a.write(7, 1) == CONFLICT and b.write(7, 0x71) == 0,
          "another process has the site, and the reservation is as it was")
    check(b.reserve(RELEASE, WRITE_EXCLUSIVE << 8, KEYS["b"]) == 0 and a.write(7, 0x70) == 0, "released")


def forgotten(world, daemon, a, b):
    """Without persistence a loss of power clears all."""
    check(b.reserve(REGISTER, 2 << 30 | 2, KEYS["b"], KEYS["b"]) == 0, "persistence is given up")
    check(b.reserve(ACQUIRE, WRITE_EXCLUSIVE << 8, KEYS["b"]) == 0 and a.write(7, 1) == CONFLICT, "reserved again")
    kill(daemon, a, b)
    a, b = pair(world, "plain")
    check(a.report()["hosts"] == {} and a.write(7, 2) == 0, "after a kill nobody is registered, and both may write")
    return a, b


def sanitize_log(driver):
    data = driver.log(0x81, 512)
    return struct.unpack_from("<HH", data)


def sanitized(driver):
    """What the log page says at the end."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        progress, status = sanitize_log(driver)
        if progress == 0xFFFF and status & 7 != 2:
            return status
    raise Failure("a sanitize does not end")


def pace(daemon, rate):
    """From the daemon's next start on the disks that are erased have this rate."""
    with open(daemon.site_path, encoding="utf-8") as file:
        site_now = json.load(file)
    for io in (io for system in site_now["systems"] for io in system["io"] if "byte_rate" in io):
        io["byte_rate"] = rate
    with open(daemon.site_path, "w", encoding="utf-8") as out:
        json.dump(site_now, out, indent=1)


def erased(world, daemon, disk):
    """Format and sanitize: what they refuse, what they leave, and what a kill in their midst leaves."""
    a, b = pair(world, disk)
    for d in (a, b):
        check(d.admin(0x09, dw10=0x0B, dw11=0x100)[0] == 0 and d.event(0) is None, "changed namespaces are told")
    check(a.admin(0x80, nsid=1, dw10=2 << 9)[0] == 0x02, "a cryptographic erase is refused by Format")
    check(a.admin(0x84, dw10=4)[0] == 0x02, "and by Sanitize")
    check(a.admin(0x80, nsid=1, dw10=1)[0] == 0x10A, "other blocks than the disk was made with are refused")
    check(a.write(9, 0x99) == 0 and b.admin(0x80, nsid=1, dw10=1 << 9)[0] == 0 and a.read(9) == 0,
          "the one formats, with user data erased, and the other reads zeroes")
    event = a.event()
    check(event == 0x40002, f"it was told that the namespace has changed ({event})")
    check(a.log(4, 4096)[:4] == b"\1\0\0\0", "and which")
    check(a.write(9, 0x99) == 0 and a.admin(0x84, dw10=3 | 2 << 4 | 1 << 8, dw11=0xC3C3C3C3)[0] == 0,
          "overwriting begins, in two passes")
    status = sanitized(b)
    check(status == 1 | 2 << 3 and a.read(9) == 0xC3 and b.read(16383) == 0xC3,
          f"it leaves the pattern everywhere ({status:#x})")
    # 16 passes, so slowly that its midst is minutes long.
    pace(daemon, SLOW)
    kill(daemon, a, b)
    a, b = pair(world, disk)
    check(a.admin(0x84, dw10=3, dw11=0x5A5A5A5A)[0] == 0 and sanitize_log(b)[1] & 7 == 2, "and again, in 16 passes")
    check(b.write(9, 1) == 0x1D and a.write(9, 1) == 0x1D, "commands of both are refused meanwhile")
    kill(daemon, a, b)
    a, b = pair(world, disk)
    progress, status = sanitize_log(a)
    check(status & 7 == 2, f"killed in its midst, it goes on ({progress}, {status:#x})")
    check(in_time(lambda: progress < sanitize_log(b)[0] < 0xFFFF), "which the log page shows")
    pace(daemon, FAST)
    kill(daemon, a, b)
    a, b = pair(world, disk)
    status = sanitized(b)
    check(status == 1 | 16 << 3 and a.read(0) == a.read(16383) == 0x5A,
          f"killed again, it comes to its end ({status:#x})")
    check(a.write(3, 0x33) == 0 and a.io(0, dw10=0)[0] == 0, "what is written after it")
    kill(daemon, a, b)
    a, b = pair(world, disk)
    check(b.read(3) == 0x33 and b.read(4) == 0x5A and sanitize_log(a)[1] == 1 | 16 << 3, "stays after another kill")
    check(b.admin(0x84, dw10=2)[0] == 0 and sanitized(a) == 1 and a.read(3) == a.read(4) == 0,
          "a block erase leaves zeroes")
    a.close()
    b.close()


def kill(daemon, *drivers):
    daemon.process.kill()
    daemon.process.wait()
    for driver in drivers:
        driver.drop()
    daemon.start()


def one_disk(world, daemon, disk):
    a, b = pair(world, disk)
    identities(a, b)
    reservations(a, b)
    kill(daemon, a, b)
    a, b = pair(world, disk)
    still_there(a, b)
    a.close()
    b.close()
    daemon.stop()
    daemon.start()
    a, b = pair(world, disk)
    still_there(a, b)
    return a, b


def halves(world, daemon):
    """Reservations of a mirrored disk are on both cards, and one is enough."""
    a, b = one_disk(world, daemon, "twin")
    daemon.tool("card", "pull", "card-1")
    check(b.write(6, 1) == CONFLICT, "with one card pulled the reservation is enforced")
    preempted(a, b)
    check(b.reserve(REGISTER, KEPT | 2, KEYS["b"], 0xB0B0) == 0 and
          b.reserve(ACQUIRE, WRITE_EXCLUSIVE << 8, 0xB0B0) == 0, "and another one is kept on the other card")
    daemon.tool("card", "insert", "card-1")
    kill(daemon, a, b)
    a, b = pair(world, "twin")
    seen = a.report()
    check(seen["type"] == WRITE_EXCLUSIVE and list(seen["hosts"]) == [HOSTS["b"]], "which is the truth after a kill")
    check(a.write(6, 1) == CONFLICT and a.read(6) == 0x66, "and is enforced")
    row = [io for io in daemon.facts("system", "show", "b")["ios"] if io["name"] == "twin"][0]
    check(row["shares"] == "a/twin" and row["size_bytes"] == 8 * MIB and row["mirror"] in ("mirrored", "rebuilding"),
          f"the one that shares is shown: {row['mirror']}")
    a.close()
    b.close()


def body(world):
    daemon = world.daemon(site(world))
    a, b = one_disk(world, daemon, "plain")
    preempted(a, b)
    handed_over(daemon, a, b)
    a, b = forgotten(world, daemon, a, b)
    a.close()
    b.close()
    halves(world, daemon)
    for disk in ("scratch", "twins"):
        erased(world, daemon, disk)
    a, b = pair(world, "plain")
    took = daemon.stop()
    check(daemon.process.returncode == 0, f"SIGTERM stops it under both ({took * 1000:.0f} ms)")
    a.drop()
    b.drop()


if __name__ == "__main__":
    main("nvme_shared", body)
