"""A guest that points the requests of its disk outside its memory: each is blocked and told, a guest that keeps on is
quarantined, and what it asked for is done when it is let out; a pulled card, a killed daemon, and who connects.
"""

import os
import subprocess

from world import check, facts, in_time, main, say

OUTSIDE = 0x100000000
BAD = 20
MIB = 4


def site(world):
    def disk(name, **more):
        return {"name": name, "pool": "disks", "attachment": "vhost-user-blk", "size": "8MiB", "queues": 2,
                "socket": os.path.join(world.dir, name + ".sock"), **more}

    card = {"name": "ssd", "class": "disk", "medium": os.path.join(world.dir, "medium.img"), "size": "64MiB", "vfs": 4}
    return {"name": f"e2e-{os.getpid()}", "quarantine_faults": BAD,
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": [card]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "disks", "cards": ["ssd"]}],
            "systems": [{"name": "a", "host": "blade", "io": [disk("one"), disk("two", iops=200)]}]}


class Told:
    """A frontend that does as it is told (hostile_disk.c)."""

    def __init__(self, world, name):
        self.command = [world.program("tests/e2e/hostile_disk"), f"{world.dir}/{name}.sock"]
        self.process = None
        world.undo(self.end)
        self.begin()

    def begin(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        check(self.answer()["err"] == 0, f"{self.command[1]}: the driver starts")

    def answer(self):
        return facts(self.process.stdout.readline())

    def do(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.communicate()


def interface(daemon, name):
    return next(io for io in daemon.facts("system", "show", "a")["ios"] if io["name"] == name)


def wait_state(daemon, name, state):
    return in_time(lambda: interface(daemon, name)["state"] == state)


def shown(daemon):
    row = interface(daemon, "one")
    check(row["attachment"] == "vhost-user-blk" and row["state"] == "running" and row["queues"] == 2 and
          row["size_bytes"] == 8 << 20 and row["where"].endswith("/one.sock"), "the system shows the disk")
    function = daemon.facts("function", "show", row["function"])
    check(function["front"] == "vhost-user-blk" and function["written_bytes"] >= MIB << 20 and
          function["interrupts"] > 0 and function["dma_blocked"] == 0, "its function counts")
    card = daemon.facts("card", "show", "ssd")
    check(card["vfs_bound"] == 2 and card["namespaces"] == 2, "so does its card")


def blocked(daemon, guest):
    check(guest.do("bad", hex(OUTSIDE), 5)["posted"] == 5, "bad reads are posted, good writes between them")
    ended = guest.do("ended")
    check(ended["left"] == 0 and ended["wrong"] == 0, "all come back, the good ones done")
    in_time(lambda: len([fault for fault in daemon.facts("faults") if fault["io"] == "one"]) >= 5)
    told = [fault for fault in daemon.facts("faults") if fault["io"] == "one"]
    check([fault["address"] for fault in told] == [hex(OUTSIDE + 2 * i * 4096) for i in range(5)],
          "each blocked access is listed with its address")
    check(interface(daemon, "one")["state"] == "running", "the front goes on")


def quarantine(daemon, name, guest):
    guest.do("bad", hex(OUTSIDE), BAD)
    check(wait_state(daemon, name, "quarantined"), f"{name}: a guest that keeps on is quarantined")
    posted = guest.do("post", 7)
    check(posted["posted"] >= 40 and posted["ended"] == 0, f"nothing of what it asks for is done ({posted})")
    function = interface(daemon, name)["function"]
    rows = [row for row in daemon.facts("iommu", "dump") if row["io"] == name]
    check(rows and all(row["rid"] == "" for row in rows), "no requester ID reaches its domain")
    daemon.tool("function", "release", function)
    ended = guest.do("ended")
    check(ended["left"] == 0 and ended["wrong"] == 0, f"once it is let out, all of it is done ({ended})")
    check(guest.do("last", 7)["wrong"] == 0, "what it wrote meanwhile is on the disk")
    check(interface(daemon, name)["state"] == "running", "it runs")


def pulled(daemon, guest):
    daemon.tool("card", "pull", "ssd")
    check(guest.do("compare", 1, MIB)["wrong"] > 0, "requests end with an error while the card is pulled")
    daemon.tool("card", "insert", "ssd")
    check(guest.do("compare", 1, MIB)["wrong"] == 0, "and go on once it is back")


def body(world):
    daemon = world.daemon(site(world))
    one, two = Told(world, "one"), Told(world, "two")
    check(one.do("write", 1, MIB)["wrong"] == 0 and one.do("compare", 1, MIB)["wrong"] == 0, "a guest writes and reads")
    check(one.do("compare", 2, MIB)["wrong"] > 0, "another pattern is told from it")
    shown(daemon)
    say("blocked accesses")
    blocked(daemon, one)
    say("quarantine")
    quarantine(daemon, "one", one)
    quarantine(daemon, "two", two) # its rate keeps requests of it waiting
    check(one.do("compare", 1, MIB)["wrong"] == 0, "what the first wrote before is there")
    pulled(daemon, one)
    one.do("bad", hex(OUTSIDE), BAD)
    check(wait_state(daemon, "one", "quarantined"), "it may come in again")
    one.end()
    check(wait_state(daemon, "one", "waiting"), "its end ends the quarantine")
    one.begin()
    check(one.do("compare", 1, MIB)["wrong"] == 0, "the next guest is another one, and finds the data")
    say("stops")
    took = daemon.stop()
    check(daemon.process.returncode == 0, f"the daemon stops under its guests ({took * 1000:.0f} ms)")
    check(not [n for n in os.listdir(world.dir) if n in ("one.sock", "two.sock")], "it leaves no socket")
    one.end()
    daemon.start()
    one.begin()
    check(one.do("compare", 1, MIB)["wrong"] == 0, "a new daemon has the data")
    daemon.process.kill()
    daemon.process.wait()
    one.end()
    daemon.start()
    one.begin()
    check(one.do("compare", 1, MIB)["wrong"] == 0, "also after one was killed")


main("disk_guard", body)
