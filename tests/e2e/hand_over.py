"""A planned restart: midplaned hands its site over to another midplaned while clients of vfio-user work.

Clients that never connect again drive an NVMe and a virtio-blk function at depth 32 and compare all that they read.
The site is handed over again and again under them, and they notice nothing; then it is refused, fails half way, and the
process that takes it over is killed, and the daemon that has it goes on.
"""

import json
import os
import random
import subprocess
import time

from disks import disk_site
from world import PATIENCE_S, check, in_time, main, say

HANDS = 4
ATTEMPTS = 5
DISKS = {"nvme": "nvme", "blk": "virtio-blk"}


def disk(world, name, kind, **more):
    return {"name": name, "pool": "disks", "attachment": kind, "size": "8MiB", "queues": 4,
            "socket": os.path.join(world.dir, name + ".sock"), **more}


class Worker:
    """A client that works until it is told to stop, and ends with 1 when anything is not as it should be."""

    def __init__(self, world, name):
        self.name = name
        self.process = subprocess.Popen(
            [world.program("tests/e2e/disk_client"), DISKS[name], os.path.join(world.dir, name + ".sock"), "work",
             "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        world.undo(self.process.kill)

    def commands(self):
        self.process.stdin.write("say\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        check_line = said.strip()
        if not check_line.isdigit():
            raise AssertionError(f"{self.name}: {check_line}")
        return int(check_line)

    def goes_on(self, what):
        """It does a good deal more than could have been under way."""
        enough = self.commands() + 500
        check(in_time(lambda: self.commands() >= enough), f"{self.name} works on {what}")

    def end(self):
        said, _ = self.process.communicate(timeout=200)
        check(self.process.returncode == 0, f"{self.name} found all its data: {said.strip()}")


def states(daemon):
    return {row["name"]: row["state"] for row in daemon.facts("system", "show", "vm")["ios"]}


def again(daemon, workers):
    pauses = []
    for n in range(HANDS):
        before = daemon.process.pid
        pauses.append(daemon.hand_over())
        for worker in workers:
            worker.goes_on(f"after hand-over {n + 1}")
        check(daemon.process.pid != before and set(states(daemon).values()) == {"running"},
              "the new daemon has its functions running")
    kinds = [event["kind"] for event in daemon.facts("event", "list")]
    check("taken over" in kinds and "disconnected" not in kinds and "fault" not in kinds,
          "it says that it took over, and that nothing was blocked")
    say(f"  pauses: {', '.join(f'{p} ms' for p in pauses)}")


def try_site(daemon, text):
    """Another site file takes over, and fails: its exit code and what it says."""
    path = daemon.site_path
    daemon.site_path = path.replace(".yaml", "-other.yaml")
    with open(daemon.site_path, "w", encoding="utf-8") as out:
        out.write(text)
    try:
        with open(daemon.log_path, "rb") as log:
            log.seek(0, os.SEEK_END)
            process = daemon.spawn("--take-over")
            code = process.wait(PATIENCE_S)
            return code, log.read().decode(errors="replace")
    finally:
        daemon.site_path = path


def refused(daemon, site, workers):
    text = json.dumps(site)
    for other, words in (
            (text.replace('"8MiB"', '"9MiB"'), "is another in the new site file"),
            (text.replace('"name": "nvme"', '"name": "other"'), "the new site file has no such interface"),
            (text.replace('"name": "vm"', '"name": "vm2"'), "the new site file has no such interface")):
        code, said = try_site(daemon, other)
        check(code == 4 and words in said, f"refused: {said.strip().splitlines()[-1][:150]}")
    for worker in workers:
        worker.goes_on("as if nothing had been asked")
    with open(daemon.log_path, encoding="utf-8", errors="replace") as log:
        check(log.read().count("taken over functions") == HANDS, "nothing was stopped for that")


def failed(world, daemon, site, workers):
    """What cannot be known beforehand: a card that the new daemon cannot open."""
    other = json.loads(json.dumps(site))
    other["chassis"][0]["carriers"][0]["cards"].append(
        {"name": "bad", "class": "disk", "medium": os.path.join(world.dir, "nowhere/x.img"), "size": "16MiB", "vfs": 1})
    code, said = try_site(daemon, json.dumps(other))
    check(code == 4 and "card 'bad'" in said, "the new daemon cannot build the site, and says why")
    check(daemon.process.poll() is None, "the other one goes on")
    daemon.wait_ready()
    for worker in workers:
        worker.goes_on("after it was taken back")


def begin(world):
    workers = [Worker(world, name) for name in DISKS]
    for worker in workers:
        worker.goes_on("to begin with")
    return workers


def still_has_it(daemon):
    """Whether the daemon has the site, now that who was to take it over is dead.  Then it answers; else it ends."""
    in_time(lambda: daemon.process.poll() is not None or daemon.tool("system", "list", check_code=False)[0] == 0)
    return daemon.process.poll() is None


def killed(world, daemon):
    """At any moment: the daemon that has the site takes everything back, unless the other one had it all already."""
    workers, back, tries, longest_s = begin(world), 0, 0, 0.4
    while back < 4 and tries < 20:
        tries += 1
        taker = daemon.spawn("--take-over")
        time.sleep(random.random() * longest_s)
        if taker.poll() is not None:
            raise AssertionError(f"the taker ended with {taker.returncode}: {daemon.log()}")
        taker.kill()
        taker.wait()
        if still_has_it(daemon):
            daemon.wait_ready()
            back += 1
            for worker in workers:
                worker.goes_on("after its taker was killed")
            continue
        # The site was the other one's already, and ended with it: it is quick here.
        longest_s *= 0.7
        for worker in workers:
            worker.process.kill()
        daemon.start()
        workers = begin(world)
    check(back == 4, f"a taker that is killed leaves the site to who had it (4 of {tries})")
    for worker in workers:
        worker.end()


def mirrored_site(world):
    def card(name):
        return {"name": name, "class": "disk", "medium": os.path.join(world.dir, name + ".img"), "size": "32MiB",
                "vfs": 2}

    return {"name": f"e2e-{os.getpid()}-pair", "workers": 2,
            "chassis": [{"name": "shelf", "carriers": [{"name": f"carrier-{n}", "cards": [card(n)]} for n in "ab"]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "disks", "cards": ["a", "b"]}],
            "groups": [{"name": "pair", "pool": "disks", "count": 2, "mode": "1+1", "spread": "carrier"}],
            "systems": [{"name": "vm", "host": "blade", "io": [disk(world, "nvme", "nvme", redundancy="pair")]}]}


def mirror_is(daemon, state):
    return in_time(lambda: daemon.facts("system", "show", "vm")["ios"][0]["mirror"] == state)


def nothing_is_copied(daemon):
    """Once, of several hand-overs: what a late machine has not written down in time is copied."""
    pauses, copied = [], True
    while copied and len(pauses) < ATTEMPTS:
        pauses.append(daemon.hand_over())
        whole = mirror_is(daemon, "mirrored")
        copied = "resync-started" in [event["kind"] for event in daemon.facts("event", "list")]
    check(whole and not copied, f"the mirror is whole, and nothing was copied ({pauses} ms)")


def mirrored(world):
    """A disk on two cards: nothing is copied for a hand-over, and a card that is pulled stays so."""
    daemon = world.daemon(mirrored_site(world), name="mirrored")
    worker = Worker(world, "nvme")
    worker.goes_on("on a mirrored disk")
    daemon.hand_over()
    worker.goes_on("after it was handed over")
    nothing_is_copied(daemon)
    worker.goes_on("after it was handed over again")
    daemon.tool("card", "pull", "b")
    worker.goes_on("with one half")
    daemon.hand_over()
    worker.goes_on("with one half after a hand-over")
    check(daemon.facts("card", "show", "b")["state"] == "pulled" and mirror_is(daemon, "degraded"),
          "the card that was pulled is pulled")
    daemon.tool("card", "insert", "b")
    check(mirror_is(daemon, "mirrored"), "it is put in, and brought up to date")
    worker.goes_on("with both")
    worker.end()
    daemon.stop()


def locked(world, daemon):
    """Somebody has the site's lock at any time, and a take-over needs somebody."""
    done = subprocess.run([world.program("src/prog/midplaned"), daemon.site_path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200)
    check(done.returncode == 3 and f"pid {daemon.process.pid}" in done.stdout,
          f"a second start says who has it: {done.stdout.strip()[-120:]}")


def body(world):
    site = disk_site(world, [disk(world, name, kind) for name, kind in DISKS.items()], card_mib=64)
    daemon = world.daemon(site)
    workers = begin(world)
    again(daemon, workers)
    locked(world, daemon)
    refused(daemon, site, workers)
    failed(world, daemon, site, workers)
    daemon.hand_over()
    for worker in workers:
        worker.goes_on("after one more")
        worker.end()
    took = daemon.stop()
    check(daemon.process.returncode == 0, f"SIGTERM stops the last one cleanly ({took * 1000:.0f} ms)")
    check(not [n for n in os.listdir(world.dir) if n.endswith(".sock")], "it leaves no socket")
    done = subprocess.run([world.program("src/prog/midplaned"), "--take-over", "--socket", daemon.socket,
                           daemon.site_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    check(done.returncode == 4 and "nobody runs site" in done.stdout,
          f"nobody to take over from: {done.stdout.strip()}")
    daemon.start()
    killed(world, daemon)
    daemon.stop()
    mirrored(world)


main("hand_over", body)
