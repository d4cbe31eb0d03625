"""The demo shows what it is to show; and whatever stops it, at whatever moment, nothing is left of it."""

import os
import random
import re
import signal
import sys
import time

from world import SOURCE, check, in_time, main, say

DEMO_S = 25      # about what it takes; it is stopped at moments before that
AGAIN_S = 0.3    # after the first signal a second one comes, which cuts its cleaning up short
KILLED, INTERRUPTED = -signal.SIGKILL, 128 + signal.SIGINT


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


def stopped(world, name, seconds, *numbers):
    demo = Demo(world, name)
    time.sleep(seconds)
    had = len(demo.left())
    for number in numbers:
        demo.signal(number)
        time.sleep(AGAIN_S if number != numbers[-1] else 0)
    began = time.monotonic()
    code = demo.process.wait(200)
    in_time(lambda: not demo.left(), 60)
    check(had and not demo.left(), f"{name} after {seconds:.1f} s, which ends it with {code}: of {had} things nothing "
          f"is left after {time.monotonic() - began:.1f} s {demo.left()}")
    return code


def whole(world):
    demo = Demo(world, "whole")
    said = world.output(demo.process, 400)
    say(said)
    check(demo.process.returncode == 0, "the demo ends well")
    for what in (r"web +db +\d+ +\d+ +[\d.]+ ms", r"(cache|db) +network +\d+ +\d+ +[\d.]+ ms",
                 r"time away as the daemon saw it: .*\d+ us", r"CPU of midplaned .*: [\d.]+ % of a core",
                 "saw no link change", "are gone again"):
        check(re.search(what, said), f"it says: {what}")
    check(not demo.left(), "and nothing is left of it")


def body(world):
    seed = int(os.environ.get("MIDPLANE_SEED", str(time.time_ns() % 1_000_000)))
    say(f"  seed {seed}")
    moment = random.Random(seed).uniform
    whole(world)
    for i, low in enumerate((0.5, 3, 8)): # its network, its guests, its traffic
        code = stopped(world, f"Ctrl-C-{i}", moment(low, low * 2), signal.SIGINT)
        check(code == INTERRUPTED, "its exit code says so")
    check(stopped(world, "terminated", moment(1, DEMO_S), signal.SIGTERM) == 128 + signal.SIGTERM, "so does this")
    stopped(world, "Ctrl-C-twice", moment(3, DEMO_S - 5), signal.SIGINT, signal.SIGINT)
    check(stopped(world, "killed", moment(3, DEMO_S - 5), signal.SIGKILL) == KILLED, "nothing could be done about it")


main("demo", body)
