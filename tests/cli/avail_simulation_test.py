#!/usr/bin/env python3
"""avail solve --simulate: every top of every example, exact against simulated.

Usage: avail_simulation_test.py MIDPLANE SOURCE_ROOT"""
import json
import pathlib
import re
import subprocess
import sys
import unittest

TOOL, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLES = sorted(ROOT.glob("examples/0*.yaml")) + sorted(ROOT.glob("examples/avail/*.yaml"))
SYSTEMS = {"04-availability.yaml": [None, "signalling", "gateway"]}  # beside the whole site
HISTORIES = "1500"


def run(*words):
    return subprocess.run([TOOL, "avail", "solve", *words], capture_output=True, text=True,
                          timeout=120)


def tops(path):
    """Names of all tops; [None] where the file has one."""
    done = run(str(path), "--only", "probability")
    several = re.search(r"there are \d+ tops; name one of (.*)", done.stderr)
    return several.group(1).split(", ") if several else SYSTEMS.get(path.name, [None])


def figures(answer):
    """Pairs of what is exact and what was found by simulation."""
    found = answer["simulation"]
    return [(name, answer[name], found[name]) for name in ("unavailability", "frequency_per_h")
            if name in found and answer[name] is not None]


def is_near(exact, found):
    """Within 4.5 standard errors; where no outage was seen, below the upper end."""
    if found["value"] == 0:
        return exact <= found["upper"] or exact == 0
    return abs(found["value"] - exact) <= 4.5 * found["standard_error"]


class Simulation(unittest.TestCase):
    def answer(self, path, top):
        words = [str(path), "--simulate", HISTORIES, "-o", "json"]
        done = run(*words, *(["--top", top] if top else []))
        self.assertEqual((done.returncode, done.stderr), (0, ""), path)
        return json.loads(done.stdout)

    def test_every_example_is_as_simulated(self):
        within = compared = 0
        for path in EXAMPLES:
            for top in tops(path):
                answer = self.answer(path, top)
                self.assertIs(answer["exact"], True)
                for name, exact, found in figures(answer):
                    with self.subTest(example=path.name, top=top, figure=name):
                        self.assertTrue(is_near(exact, found), (exact, found))
                    within += found["lower"] <= exact <= found["upper"]
                    compared += 1
        print(f"# {compared} figures, {within} within their interval")
        self.assertGreater(compared, 2 * len(EXAMPLES))
        self.assertGreaterEqual(within, 0.85 * compared)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
