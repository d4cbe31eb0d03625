"""A disk on two cards: a driver writes and compares while cards are pulled and put in again and the daemon is
killed; what is copied, what is told, and what is refused."""

import json
import os
import re
import subprocess
import time

from world import SOURCE, check, main, say

MIB = 1 << 20
SIZE_MIB = 24
PATIENT_MS = 60000 # a worker that gets no time is no dead card here


def site(world, spread="carrier", redundancy="pair", size=f"{SIZE_MIB}MiB", mode="1+1"):
    def card(name):
        return {"name": name, "class": "disk", "medium": os.path.join(world.dir, name + ".img"), "size": "64MiB",
                "vfs": 4}

    def disk(name, attachment, **more):
        made = {"name": name, "pool": "store", "attachment": attachment, "queues": 2,
                "socket": os.path.join(world.dir, name + ".sock"), **more}
        return {key: value for key, value in made.items() if value is not None}

    return {"name": f"e2e-{os.getpid()}", "workers": 2, "heartbeat_ms": PATIENT_MS,
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier-a", "cards": [card("a")]},
                                                       {"name": "carrier-b", "cards": [card("b")]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "store", "cards": ["a", "b"]}],
            "groups": [{"name": "pair", "pool": "store", "count": 2, "mode": mode, "spread": spread}],
            "systems": [{"name": "s", "host": "blade", "io": [
                disk("kept", "nvme", size=size, redundancy=redundancy),
                disk("blk", "virtio-blk", size="2MiB", redundancy="pair"),
                disk("plain", "virtio-blk", size="2MiB")]}]}


class Worker:
    """A driver that reads and writes at random, and compares all that it reads."""

    def __init__(self, world, name="kept", kind="nvme"):
        self.process = subprocess.Popen(
            [world.program("tests/e2e/disk_client"), kind, os.path.join(world.dir, name + ".sock"), "work", "11"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        world.undo(self.process.kill)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        check(answer != "", f"the driver works ({line}: {answer})")
        return answer

    def goes_on(self, commands=300):
        """It has so many commands more behind it."""
        until = int(self.ask("say")) + commands
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            self.process.stdin.write("say\n")
            self.process.stdin.flush()
            if int(self.process.stdout.readline()) >= until:
                return
            time.sleep(0.02)
        check(False, "the driver gets on")

    def end(self):
        self.process.stdin.close()
        check(self.process.wait(120) == 0, f"the driver ends without a fault: {self.process.stdout.read().strip()}")


def row(daemon, name="kept"):
    return next(io for io in daemon.facts("system", "show", "s")["ios"] if io["name"] == name)


def wait_for(daemon, state, name="kept", seconds=120):
    deadline = time.monotonic() + seconds
    while row(daemon, name)["mirror"] != state:
        if time.monotonic() > deadline:
            check(False, f"the mirror becomes {state}; it is {row(daemon, name)}")
        time.sleep(0.02)
    say(f"  {name} is {state}: {row(daemon, name)['mirror_text']}")


def events(daemon, after=0):
    return [event for event in daemon.facts("event", "list") if event["id"] > after]


def last_event(daemon):
    return events(daemon)[-1]["id"]


def wait_for_event(daemon, kind, after, io="kept"):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = [event for event in events(daemon, after)
                 if event["kind"] == kind and event["object"].endswith("/" + io)]
        if found:
            return found[-1]["text"]
        time.sleep(0.02)
    check(False, f"the event {kind} comes; there are {[(e['kind'], e['text']) for e in events(daemon, after)]}")
    return ""


def copied_kib(text):
    number, unit = re.search(r": ([0-9.]+) (KiB|MiB) copied in", text).groups()
    return float(number) * (1024 if unit == "MiB" else 1)


def client(world, name, kind, *verb):
    socket = os.path.join(world.dir, name + ".sock")
    done = subprocess.run([world.program("tests/e2e/disk_client"), kind, socket, *verb], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200)
    return done.returncode, done.stdout.strip()


def good(world, name, kind, *verb):
    code, text = client(world, name, kind, *verb)
    check(code == 0, f"{name}: {' '.join(verb)} ({text})")


def pulled_under_work(daemon, worker, card, other):
    since = last_event(daemon)
    daemon.tool("card", "pull", card)
    facts = row(daemon)
    check(facts["mirror"] == "degraded" and f"insert {card}" in facts["mirror_text"] and
          facts["state"] in ("running", "connected"), f"pulled: {facts['mirror_text']}")
    worker.goes_on()
    check(f"card '{other}' serves alone" in wait_for_event(daemon, "mirror-degraded", since), "that is told")
    daemon.tool("card", "insert", card)
    wait_for(daemon, "mirrored")
    worker.goes_on()
    done = wait_for_event(daemon, "resync-done", since)
    check(copied_kib(done) > 0 and wait_for_event(daemon, "resync-started", since), f"so is the copying: {done}")


def only_what_changed(world, daemon):
    """One region of 64 KiB is written while a card is out."""
    copied = []
    for attempt in range(4): # a machine that is late looks late
        good(world, "blk", "virtio-blk", "fill", "3")
        time.sleep(4.5 * (attempt + 1)) # what was not written for two seconds is unmarked at the next look
        since = last_event(daemon)
        daemon.tool("card", "pull", "b")
        daemon.tool("card", "insert", "b")
        wait_for(daemon, "mirrored", "blk")
        copied.append(copied_kib(wait_for_event(daemon, "resync-done", since, "blk")))
        if copied[-1] == 0:
            break
    check(copied[-1] == 0, f"nothing was written, nothing is copied ({copied})")
    good(world, "blk", "virtio-blk", "compare", "3")


def killed(daemon, worker):
    daemon.kill()
    daemon.start()
    check(worker.ask("lost") == "checked", "nothing that was acknowledged is lost with the daemon")
    worker.goes_on()


def killed_degraded(daemon, worker):
    """The card that was pulled before the kill has the older data."""
    daemon.tool("card", "pull", "a")
    worker.goes_on()
    killed(daemon, worker)
    wait_for(daemon, "mirrored")
    check("card 'a'" in wait_for_event(daemon, "resync-done", 0), "the half that was left behind is brought up to date")


def killed_while_copying(daemon, worker):
    daemon.tool("card", "pull", "b")
    worker.goes_on(2000)
    daemon.tool("card", "insert", "b")
    killed(daemon, worker)
    wait_for(daemon, "mirrored")


def both_pulled(world, daemon):
    good(world, "kept", "nvme", "fill", "21")
    daemon.tool("card", "pull", "a")
    good(world, "kept", "nvme", "fill", "22")
    since = last_event(daemon)
    daemon.tool("card", "pull", "b")
    facts = row(daemon)
    check(facts["state"] == "away" and facts["mirror"] == "away" and "insert b" in facts["stopped"] and
          "latest writes" in facts["stopped"], f"both are out: {facts['stopped']}")
    check(wait_for_event(daemon, "mirror-away", since), "that is told")
    daemon.tool("card", "insert", "a")
    time.sleep(0.3)
    facts = row(daemon)
    check(facts["state"] == "away" and "insert b" in facts["stopped"],
          f"the one that lacks the latest writes is not enough: {facts['stopped']}")
    check(client(world, "kept", "nvme", "compare", "21")[0] == 1, "it is not read")
    daemon.tool("card", "insert", "b")
    wait_for(daemon, "mirrored")
    for _ in range(2):
        good(world, "kept", "nvme", "compare", "22")
    daemon.tool("card", "pull", "b")
    good(world, "kept", "nvme", "compare", "22")
    daemon.tool("card", "insert", "b")
    wait_for(daemon, "mirrored")


def forced(world, daemon):
    """The card with the latest writes does not come back: the operator decides."""
    def force(*more, card="a"):
        return daemon.tool("system", "force", "s", "--io", "kept", "--card", card, *more, check_code=False)

    good(world, "kept", "nvme", "fill", "31")
    code, text = force("--give-up")
    check(code == 1 and "nothing is to be given up" in text, f"refused while it is mirrored: {text.strip()}")
    daemon.tool("card", "pull", "a")
    good(world, "kept", "nvme", "fill", "32")
    code, text = force("--give-up", card="b")
    check(code == 1 and "nothing is to be given up" in text, "and while one half serves")
    daemon.tool("card", "pull", "b")
    code, text = force("--give-up")
    check(code == 1 and "not there" in text, f"a card that is out is no help: {text.strip()}")
    daemon.tool("card", "insert", "a")
    deadline = time.monotonic() + 120
    while (answer := force())[1].find("--give-up") < 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    check(answer[0] == 1 and "card 'b' alone would be lost for good" in answer[1],
          f"it warns first: {answer[1].strip()}")
    check(row(daemon)["mirror"] == "away" and client(world, "kept", "nvme", "compare", "31")[0] == 1,
          "and nothing has changed")
    since = last_event(daemon)
    code, text = force("--give-up")
    check(code == 0, f"forced: {text.strip()}")
    told = wait_for_event(daemon, "mirror-forced", since)
    check("card 'a'" in told and "given up" in told, f"that is told: {told}")
    check(row(daemon)["mirror"] == "degraded", f"it serves: {row(daemon)['mirror_text']}")
    good(world, "kept", "nvme", "compare", "31")
    since = last_event(daemon)
    daemon.tool("card", "insert", "b")
    wait_for(daemon, "mirrored")
    check(copied_kib(wait_for_event(daemon, "resync-done", since)) == SIZE_MIB * 1024,
          "the lost card is written over whole")
    daemon.tool("card", "pull", "a")
    good(world, "kept", "nvme", "compare", "31")
    daemon.tool("card", "insert", "a")
    wait_for(daemon, "mirrored")


SLOW_MIB = 16
SLOW_MIB_PER_S = 2


def slow_site(world):
    def card(name):
        return {"name": name, "class": "disk", "medium": "memory", "size": f"{SLOW_MIB + 16}MiB", "vfs": 4}

    return {"name": f"slow-{os.getpid()}", "workers": 1, "heartbeat_ms": PATIENT_MS,
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier-a", "cards": [card("fast")]},
                                                       {"name": "carrier-b", "cards": [card("slow")]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "store", "cards": ["fast", "slow"]}],
            "groups": [{"name": "pair", "pool": "store", "count": 2, "mode": "1+1", "spread": "carrier"}],
            "systems": [{"name": "s", "host": "blade", "io": [
                {"name": "kept", "pool": "store", "attachment": "nvme", "queues": 2, "size": f"{SLOW_MIB}MiB",
                 "redundancy": "pair", "resync_rate": f"{SLOW_MIB_PER_S}MiB", "socket": f"{world.dir}/drip.sock"}]}]}


def progress(world):
    """What is told while a half is being brought up to date, and that its rate is kept."""
    daemon = world.daemon(slow_site(world), name="slow")
    daemon.tool("card", "pull", "slow")
    good(world, "drip", "nvme", "fill", "40")
    since = last_event(daemon)
    daemon.tool("card", "insert", "slow")
    seen = [row(daemon)]
    deadline = time.monotonic() + 120
    while seen[-1]["mirror"] != "mirrored":
        if time.monotonic() > deadline:
            check(False, f"the copying ends; it is at {seen[-1]}")
        time.sleep(0.04)
        seen.append(row(daemon))
    wait_for_event(daemon, "resync-done", since)
    told = [e for e in events(daemon, since) if e["kind"].startswith("resync")]
    check([e["kind"] for e in told] == ["resync-started"] + ["resync"] * (len(told) - 2) + ["resync-done"] and
          len(told) > 2, f"the copying tells how far it is: {[e['kind'] for e in told]}")
    check(f"{SLOW_MIB}.0 MiB may differ" in told[0]["text"] and "from card 'fast'" in told[0]["text"],
          f"what it has before it: {told[0]['text']}")
    done = [int(re.fullmatch(r"card 'slow': (\d+) % are copied, \S+ \S+ left", e["text"]).group(1))
            for e in told[1:-1]]
    tenths = [n // 10 for n in done]
    check(tenths == sorted(set(tenths)) and 1 <= tenths[0] and tenths[-1] < 10, f"each tenth once at most: {done} %")
    check(copied_kib(told[-1]["text"]) == SLOW_MIB * 1024, f"and that it has ended: {told[-1]['text']}")
    seconds = float(re.search(r"copied in ([0-9.]+) s", told[-1]["text"]).group(1))
    check(seconds > 0.9 * SLOW_MIB / SLOW_MIB_PER_S,
          f"it was not faster than it may: {SLOW_MIB / seconds:.1f} MiB/s of {SLOW_MIB_PER_S}")
    rebuilding = [r for r in seen if r["mirror"] == "rebuilding"]
    behind = [r["mirror_behind_bytes"] for r in rebuilding]
    check(behind == sorted(behind, reverse=True) and behind[0] <= SLOW_MIB * MIB and
          any(0 < r["mirror_percent"] < 100 for r in rebuilding) and
          "brought up to date from card 'fast'" in rebuilding[-1]["mirror_text"],
          f"the system says so, too: {rebuilding[-1]['mirror_text']}")
    daemon.tool("card", "pull", "fast")
    good(world, "drip", "nvme", "compare", "40")
    daemon.stop()


def plain(world, daemon):
    good(world, "plain", "virtio-blk", "fill", "4")
    card = row(daemon, "plain")["card"]
    daemon.tool("card", "pull", card)
    facts = row(daemon, "plain")
    check(facts["state"] == "away" and f"insert {card}" in facts["stopped"] and facts["mirror"] is None,
          f"a disk without a mirror: {facts['stopped']}")
    check(daemon.facts("system", "show", "s")["state"] == "away", "its system says so")
    daemon.tool("card", "insert", card)
    check(row(daemon, "plain")["state"] != "away", "it is back")
    good(world, "plain", "virtio-blk", "compare", "4")
    wait_for(daemon, "mirrored")


def shown(daemon):
    functions = [f for f in daemon.facts("function", "list") if f["io"] == "kept"]
    check(sorted(f["role"] for f in functions) == ["active", "mirror"], "it has a function on each card")
    facts = [daemon.facts("function", "show", f["name"]) for f in functions]
    check({f["card"] for f in facts} == {"a", "b"} and all(
        f["mirror"] == "mirrored" and f["mirror_percent"] == 100 and f["half"] == "fresh" and
        f["size_bytes"] == SIZE_MIB * MIB for f in facts), "both say that they are mirrored")
    check(daemon.facts("card", "show", "a")["worker"] == daemon.facts("card", "show", "b")["worker"],
          "one worker runs both cards")
    code, text = daemon.tool("system", "switch", "s", "--io", "kept", "--card", "b", check_code=False)
    check(code == 1 and "both cards" in text, f"it cannot be switched: {text.strip()}")


def refused(world, daemon):
    plain_path = os.path.join(world.dir, "other.yaml")
    daemon.stop()

    def refuse(program, verb, what, **changes):
        with open(plain_path, "w") as target:
            json.dump(site(world, **changes), target)
        done = subprocess.run([world.program(program), *verb, plain_path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=200)
        check(done.returncode == 1 and what in done.stdout, f"refused: {done.stdout.strip()[-240:]}")

    tool = ("src/prog/midplane", ("site", "check"))
    refuse(*tool, "takes 2 cards in different chassis", spread="chassis")
    refuse(*tool, "a disk is mirrored on two cards", mode="n+m")
    refuse(*tool, "the disks that are placed on it take", size="62MiB")
    refuse("src/prog/midplaned", (), "is half of a mirror", redundancy=None)
    refuse("src/prog/midplaned", (), "has 25165824 bytes, the site file says 20971520", size="20MiB")


def body(world):
    example = subprocess.run([world.program("src/prog/midplane"), "site", "check",
                              os.path.join(SOURCE, "examples/09-mirrored-disk.yaml")])
    check(example.returncode == 0, "examples/09-mirrored-disk.yaml is a good site file")
    daemon = world.daemon(site(world))
    say(f"  started in {daemon.started_s * 1000:.0f} ms")
    shown(daemon)
    good(world, "kept", "nvme", "verify", "1")
    only_what_changed(world, daemon)
    worker = Worker(world)
    worker.goes_on()
    pulled_under_work(daemon, worker, "a", "b")
    pulled_under_work(daemon, worker, "b", "a")
    killed(daemon, worker)
    killed_degraded(daemon, worker)
    killed_while_copying(daemon, worker)
    worker.end()
    both_pulled(world, daemon)
    forced(world, daemon)
    plain(world, daemon)
    refused(world, daemon)
    progress(world)


if __name__ == "__main__":
    main("mirror", body)
