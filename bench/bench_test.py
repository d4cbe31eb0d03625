"""What bench.py says to a command line that cannot be, and that nothing is left of it when it is stopped.

    bench_test.py BUILD
"""

import glob
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = [sys.executable, os.path.join(HERE, "bench.py")]
BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.path.join(os.path.dirname(HERE), "build")
PATIENCE_S = 60
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def said(*words, before=()):
    done = subprocess.run([*before, *BENCH, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd="/", timeout=200)
    return done.returncode, done.stdout.strip()


class CommandLineTest(unittest.TestCase):
    def refused(self, text, *words, **more):
        code, answer = said(*words, **more)
        self.assertNotEqual(code, 0)
        self.assertIn(text, answer)
        self.assertNotIn("Traceback", answer)

    def test_help_names_parts_and_rings(self):
        code, answer = said("--help")
        self.assertEqual(code, 0)
        for word in ("rates,latency,scale", "split,packed", "--rounds", "--json"):
            self.assertIn(word, answer)

    def test_what_cannot_be_is_refused_with_what_is_allowed(self):
        self.refused("'rate' is none of the parts: rates, latency", "--only", "rate")
        self.refused("'spilt' is none of the rings: split, packed", "--rings", "spilt")
        self.refused("'9000' is not a whole number from 64 to 1518", "--frames", "64,9000")
        self.refused("'' is not a whole number", "--frames", "64,")
        self.refused("'0' is not a whole number from 1", "--rounds", "0")
        self.refused("'nan' is not a number from 0.5", "--seconds", "nan")
        self.refused("no /nowhere/bench/core_distance: run make", "--build", "/nowhere", "--only", "unit")
        self.refused("--json /nowhere/x: No such file", "--build", BUILD, "--only", "unit", "--json", "/nowhere/x")

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
    def test_without_root_it_says_what_needs_none(self):
        # Nobody may not look where this repository may lie.
        with tempfile.TemporaryDirectory() as copy:
            os.chmod(copy, 0o755)
            top = os.path.dirname(HERE)
            subprocess.run(["cp", "-r", HERE, copy], check=True)
            subprocess.run(["mkdir", copy + "/tests"], check=True)
            subprocess.run(["cp", "-r", os.path.join(top, "tests/guests"), copy + "/tests"], check=True)
            done = subprocess.run([*NOBODY, sys.executable, copy + "/bench/bench.py"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, cwd="/", timeout=200)
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs root (hugepages), but for --only avail,", done.stdout)
        self.assertIn("make bench", done.stdout)


@unittest.skipUnless(os.path.exists(os.path.join(BUILD, "bench/core_distance")) and (os.cpu_count() or 1) > 1,
                     "needs the programs, and two cores")
class StopTest(unittest.TestCase):
    """The part 'disk' runs without root, with a daemon in a directory of its own."""

    def stopped(self, number):
        with tempfile.TemporaryDirectory() as place:
            bench = subprocess.Popen([*BENCH, "--build", BUILD, "--only", "disk"], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True, start_new_session=True,
                                     env={**os.environ, "TMPDIR": place})
            self.wait_until(lambda: glob.glob(place + "/mp-bench-*/mp-disk-*/disk.sock") or bench.poll() is not None)
            self.assertIsNone(bench.poll())
            os.killpg(bench.pid, number)
            errors = bench.communicate(timeout=200)[1]
            self.wait_until(lambda: not os.listdir(place))
            self.assertEqual(os.listdir(place), [])
        return bench.returncode, errors

    def wait_until(self, question):
        deadline = time.monotonic() + PATIENCE_S
        while not question() and time.monotonic() < deadline:
            time.sleep(0.02)

    def test_ctrl_c_ends_it_cleanly(self):
        code, errors = self.stopped(signal.SIGINT)
        self.assertEqual(code, 128 + signal.SIGINT)
        self.assertIn("stopped; cleaning up", errors)
        self.assertNotIn("Traceback", errors)

    def test_a_terminal_that_goes_away_does(self):
        self.assertEqual(self.stopped(signal.SIGHUP)[0], 128 + signal.SIGHUP)

    def test_nothing_is_left_after_it_was_killed(self):
        self.assertEqual(self.stopped(signal.SIGKILL)[0], -signal.SIGKILL)


if __name__ == "__main__":
    unittest.main(verbosity=2)
