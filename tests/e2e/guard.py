"""A guest that points its descriptors outside its memory: each access is blocked and told, a guest that keeps
on is quarantined, and the others' traffic goes on.
"""

import subprocess
import time

from sites import OneLine, mac, site, vhost
from world import check, facts, in_time, main, say

OUTSIDE = 0x100000000
STREAM = 5000
INTERVAL_US = 100


class Told:
    """A frontend that does as it is told (hostile.c)."""

    def __init__(self, world, name, number, to):
        self.world = world
        self.command = [world.program("tests/e2e/hostile"), f"{world.dir}/{name}.sock", mac(number),
                        mac(to)]
        self.process = None
        world.undo(self.end)
        self.begin()

    def begin(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        check(self.answer()["err"] == 0, f"{self.command[1]}: the driver starts")

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self):
        return facts(self.process.stdout.readline())

    def do(self, *words):
        self.say(*words)
        return self.answer()

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def faults(daemon, **wanted):
    return [fault for fault in daemon.facts("faults")
            if all(fault[key] == value for key, value in wanted.items())]


def events(daemon, kind):
    return [event for event in daemon.facts("event", "list") if event["kind"] == kind]


def interface(daemon, system):
    return daemon.facts("system", "show", system)["ios"][0]


def wait_state(daemon, system, state):
    return in_time(lambda: interface(daemon, system)["state"] == state)


def each_access_is_told(daemon, a, b):
    check(a.do("good", 10)["used"] == 10, "good frames are sent")
    check(a.do("bad", hex(OUTSIDE), 5)["used"] == 5, "bad frames come back")
    in_time(lambda: len(faults(daemon, system="a")) >= 5 and events(daemon, "fault"))
    told = faults(daemon, system="a")
    check([fault["address"] for fault in told] ==
          [hex(OUTSIDE + i * 4096) for i in range(5)], "each of five accesses is listed with its address")
    function = interface(daemon, "a")["function"]
    rid = daemon.facts("function", "show", function)["rid"]
    check(all(fault["io"] == "net0" and fault["function"] == function and fault["rid"] == rid and
              fault["access"] == "read" and fault["count"] == 1 for fault in told),
          f"with interface, function {function}, requester ID {rid} and access")
    check(all("not allow to read" in fault["reason"] for fault in told), "and the reason")
    check(rid in daemon.tool("host", "lspci", "blade")[1], "the host's tree has that requester ID")
    last = events(daemon, "fault")[-1]
    check(last["object"] == "system a/net0" and function in last["text"] and rid in last["text"],
          f"an event says: {last['text']}")
    check("read" in daemon.tool("faults")[1], "'midplane faults' is a table")
    number = daemon.facts("faults")[0]["name"]
    check(daemon.facts("fault", "show", number)["code"] == 6, "'fault show' has the specification's number")
    check(interface(daemon, "a")["state"] == "running", "the front goes on")
    check(a.do("good", 10)["used"] == 10, "and good frames are sent as before")

    a.do("receive", hex(OUTSIDE))
    check(b.do("good", 1)["used"] == 1, "somebody sends to receive buffers outside")
    check(in_time(lambda: faults(daemon, system="a", access="write")), "writes are listed, too")
    check(interface(daemon, "a")["state"] == "running", "and do not stop the front")


def quarantine(world, daemon, a, b, c):
    b.say("stream", STREAM, INTERVAL_US)
    c.say("numbers")
    time.sleep(0.1)
    a.do("bad", hex(OUTSIDE), 200)
    check(wait_state(daemon, "a", "quarantined"), "a guest that keeps on is quarantined")
    check(daemon.facts("system", "show", "a")["state"] == "quarantined", "its system says so")
    why = interface(daemon, "a")["stopped"]
    check("quarantined: " in why and "blocked accesses within" in why, f"with the reason: {why}")
    check(int(a.do("status")["status"]) & 64, "its driver reads DEVICE_NEEDS_RESET")
    check(a.do("good", 5)["used"] == 0, "nothing is taken from it any more")
    a.do("reset")
    check(a.do("good", 5)["used"] == 0, "a reset by its driver does not help")
    before = len(daemon.facts("faults"))
    a.do("bad", hex(OUTSIDE), 50)
    check(len(daemon.facts("faults")) == before, "nor are there further faults of it")
    check(len(events(daemon, "quarantined")) == 1, "one event says that it is in quarantine")
    rows = [row for row in daemon.facts("iommu", "dump") if row["system"] == "a"]
    check(all(row["rid"] == "" for row in rows), "no requester ID reaches its domain")

    sent = b.answer()["sent"]
    got = c.answer()
    # A guest that the machine does not let run in time has no buffers posted.
    no_room = daemon.facts("function", "show", interface(daemon, "c")["function"])["rx_no_room"]
    check(sent == STREAM and got["received"] + no_room == STREAM,
          f"of {STREAM} frames between two other guests meanwhile none is lost ({no_room} found no room)")


def ways_out(daemon, a):
    function = interface(daemon, "a")["function"]
    code, said = daemon.tool("function", "release", "nic0/vf8", check_code=False)
    check(code == 1 and "no interface uses" in said, "a free function is not released")
    a.do("reset") # its driver begins anew; nothing is taken from it yet
    daemon.tool("function", "release", function)
    code, said = daemon.tool("function", "release", function, check_code=False)
    check(code == 1 and "not in quarantine" in said, "a function is released once")
    check(a.do("good", 10)["used"] == 10, "the operator lets it out")
    a.do("bad", hex(OUTSIDE), 200)
    check(wait_state(daemon, "a", "quarantined"), "it may come in again")
    a.end()
    check(wait_state(daemon, "a", "waiting"), "its end ends the quarantine")
    a.begin()
    check(a.do("good", 10)["used"] == 10, "the next guest is another one")


def dump(daemon, a):
    rows = daemon.facts("iommu", "dump")
    check([row["system"] for row in rows] == ["a", "b", "c"], "'iommu dump' has every guest")
    check(all(row["iova"] == "0x0" and row["rights"] == "rw" and row["rid"] for row in rows),
          "with what it granted")
    check(len({row["domain"] for row in rows}) == 3, "in a domain of its own")
    check(daemon.tool("iommu", "dump", "b")[1].count("\n") == 2, "or one system's")
    a.end()
    check(wait_state(daemon, "a", "waiting"), "a guest goes")
    gone = daemon.facts("iommu", "dump", "a")
    check(len(gone) == 1 and gone[0]["iova"] is None and gone[0]["domain"] == rows[0]["domain"],
          "and what it granted; its domain stays")


def body(world):
    net = OneLine(world)
    daemon = world.daemon(site(world, net.lines, [vhost(world, name, i) for i, name in
                                                  enumerate("abc", 1)]), namespace=net.chassis)
    a, b, c = Told(world, "a", 1, 2), Told(world, "b", 2, 1), Told(world, "c", 3, 2)
    host = daemon.facts("host", "show", "blade")
    check(host["translation"] and host["interrupt_remapping"] and host["domains"] == 3,
          "the host's unit is on, with a domain for each function")
    check(daemon.facts("faults") == [], "there are no faults")
    say("blocked accesses")
    each_access_is_told(daemon, a, b)
    b.end()
    b = Told(world, "b", 2, 3)
    say("quarantine")
    quarantine(world, daemon, a, b, c)
    ways_out(daemon, a)
    dump(daemon, a)


main("guard", body)
