"""The demo shows what it is to show; and whatever stops it, at whatever moment, nothing is left of it."""

import os
import random
import re
import signal
import sys
import time

from world import SOURCE, check, in_time, main, say

ATTEMPTS = 3
LOST = "more than a card that is pulled may cost"
AGAIN_S = 0.3    # after the first signal a second one comes, which cuts its cleaning up short


class Demo:
    """The demo in a process group of its own, and in a directory for what it makes for a time."""

    def __init__(self, world, name):
        self.dir = os.path.join(world.dir, name)
        os.mkdir(self.dir)
        self.process = world.process(sys.executable, os.path.join(SOURCE, "demo/demo.py"), "--build", world.build,
                                     env={**os.environ, "TMPDIR": self.dir})

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def left(self):
        """What is there of it: files, namespaces, processes."""
        spaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        return (os.listdir(self.dir) + [name for name in spaces if name.startswith(f"mp-demo-{self.process.pid}-")] +
                self.processes())

    def processes(self):
        found, mark = [], self.dir.encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                    if mark in environ.read() + cmdline.read():
                        found.append(f"process {pid}")
            except OSError: # it has ended
                continue
        return found


def stopped(world, name, seconds, code, *numbers):
    """Stops it after so long, upon which it ends with 'code', unless it was quicker than before and is over."""
    demo = Demo(world, name)
    in_time(lambda: os.listdir(demo.dir))  # it has begun, and knows what to do upon a signal
    time.sleep(seconds)
    had, over = len(demo.left()), demo.process.poll() is not None
    for number in numbers:
        demo.signal(number)
        time.sleep(AGAIN_S if number != numbers[-1] else 0)
    began = time.monotonic()
    ended = demo.process.wait(200)
    in_time(lambda: not demo.left())
    check(over or ended == code, f"{name} after {seconds:.1f} s ends it with {ended}")
    check(over or had, f"{had} things were there then")
    check(not demo.left(), f"none is left after {time.monotonic() - began:.1f} s {demo.left()}")


def lost_only(said):
    """Whether all that it says went wrong is that datagrams were lost: a machine that stands still does that, too."""
    wrong = re.findall(r"NOT as it should be: (.*?)(?=NOT as|Namespaces, guests|$)", " ".join(said.split()))
    return wrong and all(LOST in sentence for sentence in wrong)


def whole(world):
    """The seconds it took."""
    for attempt in range(ATTEMPTS):
        began = time.monotonic()
        demo = Demo(world, f"whole-{attempt}")
        said = world.output(demo.process, 400)
        took = time.monotonic() - began
        say(said)
        if demo.process.returncode == 0 or not lost_only(said):
            break
        say("  once more")
    check(demo.process.returncode == 0, "the demo ends well")
    for what in (r"web +db +\d+ +\d+ +[\d.]+ ms", r"(cache|db) +network +\d+ +\d+ +[\d.]+ ms",
                 r"time away as the daemon saw it: .*\d+ us", r"CPU of midplaned .*: [\d.]+ % of a core",
                 "saw no link change", "are gone again"):
        check(re.search(what, said), f"it says: {what}")
    check(not demo.left(), f"and nothing is left of it after {took:.0f} s")
    return took


def body(world):
    seed = int(os.environ.get("MIDPLANE_SEED", str(time.time_ns() % 1_000_000)))
    say(f"  seed {seed}")
    part = random.Random(seed).uniform
    took = whole(world)
    for i, low in enumerate((0.02, 0.2, 0.5)):  # its network, its guests, its traffic
        stopped(world, f"Ctrl-C-{i}", took * part(low, low + 0.2), 128 + signal.SIGINT, signal.SIGINT)
    stopped(world, "terminated", took * part(0.1, 0.8), 128 + signal.SIGTERM, signal.SIGTERM)
    stopped(world, "Ctrl-C-twice", took * part(0.2, 0.7), 128 + signal.SIGINT, signal.SIGINT, signal.SIGINT)
    stopped(world, "killed", took * part(0.2, 0.7), -signal.SIGKILL, signal.SIGKILL)


main("demo", body)
