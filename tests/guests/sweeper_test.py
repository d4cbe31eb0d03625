"""The sweeper takes away what a program leaves that is killed, and leaves alone what is not its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 60

# A program with a child in a session of its own, and one of that child's group that has forgotten its
# environment; prints their ids.
PROGRAM = """
import os, signal, subprocess, sys, time
sys.path.insert(0, {here!r})
from sweeper import Sweeper
sweeper = Sweeper({directory!r}, {namespaces!r})
{early}
sweeper.remove({file!r})
child = subprocess.Popen(["sh", "-c", "{trap} env -i sleep 1000 & echo $!; wait; sleep 1000"],
                         stdout=subprocess.PIPE, start_new_session=True, text=True)
print(child.pid, child.stdout.readline().strip(), sweeper.process.pid, flush=True)
{then}
"""


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class SweeperTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="mp-sweeper-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        handle, self.file = tempfile.mkstemp(prefix="mp-sweeper-")
        os.close(handle)
        self.addCleanup(lambda: os.path.exists(self.file) and os.remove(self.file))
        with open(os.path.join(self.directory, "a.log"), "w", encoding="ascii") as log:
            log.write("text")
        self.namespaces = f"mp-swept-{os.getpid()}-"

    def start(self, then, trap="", early=""):
        text = PROGRAM.format(here=HERE, directory=self.directory, file=self.file, then=then,
                              trap=trap, early=early, namespaces=self.namespaces)
        # What the sweeper itself says is to be seen, so it has no pipe of ours.
        program = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True,
                                   start_new_session=True)
        self.addCleanup(program.stdout.close)
        *self.children, self.sweeper = map(int, program.stdout.readline().split())
        self.assertTrue(all(map(runs, self.children)))
        return program

    def all_gone(self):
        return not (any(map(runs, [*self.children, self.sweeper])) or os.path.exists(self.directory) or
                    os.path.exists(self.file))

    def wait_until_gone(self):
        deadline = time.monotonic() + PATIENCE_S
        while not self.all_gone() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertTrue(self.all_gone(), "what the program left is gone")

    def test_processes_that_ignore_sigterm_are_killed(self):
        program = self.start("time.sleep(1000)", trap="trap '' TERM;")
        program.kill()
        program.wait()
        self.wait_until_gone()

    def test_nothing_is_left_of_a_program_that_is_killed_with_its_group(self):
        stranger = subprocess.Popen(["sleep", "1000"], env={**os.environ, "MIDPLANE_SWEEP": self.directory + "x"})
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        program = self.start("time.sleep(1000)")
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        self.wait_until_gone()
        self.assertIsNone(stranger.poll(), "a process with another mark goes on")

    def kill_with_a_fork(self, early=""):
        """Kills a program, but not a child of it, which has the program's end of the pipe."""
        program = self.start("if os.fork() == 0: print('forked', flush=True)\ntime.sleep(1000)", early=early)
        # The forked one has no mark: it was no program yet.
        self.addCleanup(os.killpg, program.pid, signal.SIGKILL)
        self.assertEqual(program.stdout.readline(), "forked\n")
        os.kill(program.pid, signal.SIGKILL)
        program.wait()

    def test_nothing_is_left_although_a_forked_child_keeps_the_pipe(self):
        self.kill_with_a_fork()
        self.wait_until_gone()

    def test_nothing_is_left_when_the_program_is_gone_before_the_sweeper_looks(self):
        self.kill_with_a_fork(early="os.kill(sweeper.process.pid, signal.SIGSTOP)")
        os.kill(self.sweeper, signal.SIGCONT)
        self.wait_until_gone()

    def test_close_returns_when_all_is_gone(self):
        program = self.start("sweeper.close(); print('MIDPLANE_SWEEP' in os.environ, flush=True)")
        self.assertEqual(program.stdout.readline().strip(), "False")
        self.assertTrue(self.all_gone())
        program.wait()

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("ip"), "needs root")
    def test_namespaces_of_a_program_that_is_killed_are_gone(self):
        name = self.namespaces + "a"
        if subprocess.run(["ip", "netns", "add", name], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no network namespaces here")
        program = self.start("time.sleep(1000)")
        program.kill()
        program.wait()
        self.wait_until_gone()
        self.assertFalse(os.path.exists("/run/netns/" + name))


if __name__ == "__main__":
    unittest.main(verbosity=2)
