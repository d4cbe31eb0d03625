#!/usr/bin/env python3
"""avail solve: answers from files, exit codes, changes, pictures, budgets.

Usage: avail_test.py MIDPLANE SOURCE_ROOT"""
import html.parser
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLE = str(ROOT / "examples/04-availability.yaml")

# One of two cards on one carrier: cards 250,000 h, carrier 500,000 h, chassis 1,000,000 h, 4 h each.
PAIR = """
name: pair
chassis:
  - name: shelf
    mtbf: 1000000h
    mttr: 4h
    carriers:
      - name: amc1
        mtbf: 500000h
        mttr: 4h
        cards:
          - {name: nic0, line: net_null0, mtbf: 250000h, mttr: 4h}
          - {name: nic1, line: net_null1, mtbf: 250000h, mttr: 4h}
      - {name: amc2, mtbf: 500000h, mttr: 4h}
hosts: [{name: blade, chassis: shelf, mtbf: 150000h, mttr: 4h}]
pools: [{name: all, cards: [nic0, nic1]}]
groups: [{name: g, cards: [nic0, nic1]}]
systems: [{name: web, host: blade, io: [{pool: all, redundancy: g}]}]
"""
INTERFACE = "interface web/net0 down"


def run(*words):
    return subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=200)


class Avail(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="midplane-avail-")
        self.path = self.directory.name + "/pair.yaml"
        pathlib.Path(self.path).write_text(PAIR)

    def tearDown(self):
        self.directory.cleanup()

    def solve(self, *words, path=None):
        done = run("avail", "solve", path or self.path, "-o", "json", *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def refused(self, code, text, *words):
        done = run(*words)
        self.assertEqual((done.returncode, done.stdout), (code, ""))
        self.assertIn(text, done.stderr)

    def close(self, value, expected, relative=1e-11):
        self.assertLessEqual(abs(value - expected), relative * abs(expected), (value, expected))

    def test_cards_on_one_carrier_are_no_redundant_pair(self):
        answer = self.solve("--top", INTERFACE)
        self.close(answer["unavailability"], 1.200014398961e-5)
        self.close(answer["minutes_a_year"], 6.307275681, 1e-9)
        self.assertIs(answer["exact"], True)
        self.assertEqual(answer["cut_sets"]["count"], "3")
        self.assertEqual(answer["cut_sets"]["by_order"], ["2", "1"])
        self.assertEqual([s["events"] for s in answer["cut_sets"]["list"]],
                         [["carrier amc1"], ["chassis shelf"], ["card nic0", "card nic1"]])

    def test_examples_by_hand_have_the_figures_that_they_cite(self):
        for name, top, unavailability in (
                ("bridge", "bridge", 0.02152),
                ("power-supplies", "power", 4.79980799616e-9),
                ("one-plus-one", "io", 8.31328020934e-6),
                ("io-cards", "one-carrier", 1.2000143989696316e-5),
                ("io-cards", "two-carriers", 4.0005599762566645e-6),
                ("capacity", "uplink", 2.500010000e-7)):
            with self.subTest(name=name, top=top):
                answer = self.solve("--top", top, path=f"{ROOT}/examples/avail/{name}.yaml")
                self.close(answer["unavailability"], unavailability, 1e-9)

    def test_members_are_chosen_where_a_group_names_a_pool_and_the_reason_is_shown(self):
        path = f"{ROOT}/examples/05-chosen-members.yaml"
        checked = run("site", "check", path)
        self.assertEqual(checked.returncode, 0)
        reason = checked.stdout.splitlines()[1]
        self.assertTrue(reason.startswith("group pair: nic0 and nic3 of pool 'lines': best of 6"))
        answer = self.solve(path=path)
        self.assertIn(reason, answer["notes"])
        self.assertNotIn("nic2", [row["fru"] for row in answer["frus"]])
        worse = self.solve("--what-if", "replace nic3 by nic1 in pair", path=path)["what_if"][0]
        self.assertGreater(worse["unavailability"], answer["unavailability"])

    def test_improvements_are_found_that_only_coverage_makes(self):
        answer = self.solve("--improve", path=EXAMPLE)
        found = answer["improvements"]
        self.assertEqual(found["tried"], found["candidates"])
        changes = {row["change"]: row for row in found["list"]}
        self.assertIn("replace nic1 by nic2 in pair", changes)
        self.assertIn("replace nic0 by nic3 in pair", changes)
        for row in found["list"]:
            self.assertLess(row["unavailability_upper"], answer["unavailability"])

    def test_moving_a_card_to_another_carrier_shows_what_it_saves(self):
        answer = self.solve("--top", INTERFACE, "--what-if", "move card nic1 to amc2")
        row = answer["what_if"][0]
        self.close(row["unavailability"], 4.0005599762566645e-6)
        self.close(row["saves_minutes_a_year"], 6.307275681 - 2.102694323, 1e-8)

    def test_what_costs_most_comes_first(self):
        frus = self.solve("--top", INTERFACE)["frus"]
        self.assertEqual([f["fru"] for f in frus][:2], ["amc1", "shelf"])
        self.close(frus[0]["minutes_a_year"], 525600 * 4 / 500004, 1e-4)

    def test_changes_follow_each_other(self):
        answer = self.solve("--what-if", "carrier amc1 mtbf 200000h", "--what-if",
                            "carrier amc1 mtbf 500000h; pull card nic0")
        before, back, out = [row["unavailability"] for row in answer["what_if"]]
        self.assertGreater(before, answer["unavailability"])
        self.close(back, answer["unavailability"], 1e-12)
        self.assertGreater(out, back)

    def test_an_event_may_be_changed_by_the_name_it_is_shown_with(self):
        rows = self.solve("--top", INTERFACE, "--what-if", 'event "chassis shelf" never fails',
                          "--what-if", 'event "carrier amc1" fails')["what_if"]
        self.assertLess(rows[0]["unavailability"], 8.1e-6)
        self.assertEqual(rows[1]["unavailability"], 1)

    def test_improvements_help_and_are_sorted_by_cost(self):
        found = self.solve("--top", INTERFACE, "--improve")["improvements"]
        self.assertEqual(found["tried"], found["candidates"])
        best = found["list"][0]
        self.assertEqual(best["change"], "add card spare-g to amc2 group g")
        self.assertGreater(best["saves_minutes_a_year"], 4)
        for row, following in zip(found["list"], found["list"][1:]):
            self.assertLessEqual(row["cost"], following["cost"])
        self.assertTrue(all(row["saves_minutes_a_year"] > 0 for row in found["list"]))

    def test_the_same_question_has_the_same_bytes_as_answer(self):
        words = ["avail", "solve", EXAMPLE, "-o", "json", "--simulate", "600", "--draws", "40"]
        first, second = run(*words), run(*words, "--threads", "1")
        self.assertEqual(first.returncode, 0)
        self.assertEqual(first.stdout, second.stdout)

    def test_the_simulation_agrees(self):
        answer = self.solve("--top", "signalling", "--simulate", "2000", path=EXAMPLE)
        estimate = answer["simulation"]["unavailability"]
        self.assertLess(abs(estimate["value"] - answer["unavailability"]),
                        4 * estimate["standard_error"])

    def test_chains_are_named_where_a_tree_does_not_suffice(self):
        answer = self.solve("--top", "gateway", path=EXAMPLE)
        self.assertTrue(answer["modules"])
        self.assertTrue(all(m["states"] > 1 for m in answer["modules"]))
        self.assertIn("Markov", answer["method"])

    def test_the_page_names_figure_costs_and_sets(self):
        done = run("avail", "solve", self.path, "--top", INTERFACE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for text in ("6.307 min a year", "carrier amc1", "card nic0 and card nic1", "exact"):
            self.assertIn(text, done.stdout)
        self.assertLess(len(done.stdout.splitlines()), 60)

    def test_pictures_are_well_formed(self):
        page, dot = self.directory.name + "/a.html", self.directory.name + "/a.dot"
        self.solve("--report", page, "--dot", dot, path=EXAMPLE)
        text = pathlib.Path(page).read_text()
        self.assertNotIn("http://", text)
        self.assertNotIn("https://", text)
        depth = []

        class Parser(html.parser.HTMLParser):
            def handle_starttag(self, tag, attrs):
                if tag not in ("meta", "br"):
                    depth.append(tag)

            def handle_endtag(self, tag):
                assert depth.pop() == tag, tag

        Parser().feed(text)
        self.assertEqual(depth, [])
        self.assertIn("card nic0", text)
        lines = pathlib.Path(dot).read_text().splitlines()
        self.assertEqual((lines[0], lines[-1]), ("digraph availability {", "}"))
        self.assertTrue(any('label="card nic0"' in line for line in lines))

    def test_what_cannot_be_is_refused_with_the_reason(self):
        self.refused(1, "there is no", "avail", "solve", self.path, "--top", "nobody")
        self.refused(1, "no card 'nic9'", "avail", "solve", self.path, "--what-if",
                     "pull card nic9")
        self.refused(1, "not understood", "avail", "solve", self.path, "--what-if", "do it")
        self.refused(1, "unit, group and event", "avail", "solve", self.path, "--what-if",
                     "router r1 mtbf 1h")
        self.refused(1, "is no time", "avail", "solve", self.path, "--what-if",
                     "card nic0 mtbf soon")
        self.refused(1, "cannot be read", "avail", "solve", self.path + "x")
        bare = self.path + ".bare"
        with open(bare, "w", encoding="ascii") as file:
            file.write("name: bare\nchassis:\n  - name: c\n    carriers:\n      - name: k\n"
                       "        cards: [{name: n, vfs: 1, line: net_null0}]\n")
        self.refused(1, "systems: nobody is there whose availability could be asked for", "avail", "solve", bare)
        self.refused(2, "--mission: 'x'", "avail", "solve", self.path, "--mission", "x")
        self.refused(2, "--by: 'name'", "avail", "solve", self.path, "--by", "name")
        self.refused(2, "--threads: '0'", "avail", "solve", self.path, "--threads", "0")
        done = run("avail", "solve", self.path, "--report", "/nonexistent/a.html")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/a.html: cannot be written", done.stderr)

    def test_no_more_is_answered_than_was_asked(self):
        whole = self.solve()
        for only, there in (("probability", ()), ("cut-sets", ("cut_sets",)),
                            ("importance", ("importance", "frus"))):
            part = self.solve("--only", only)
            self.assertEqual(part["unavailability"], whole["unavailability"])
            for key in ("cut_sets", "importance", "frus", "mission"):
                self.assertEqual(key in part, key in there, (only, key))
        self.refused(2, "--only: 'all' is none of probability, cut-sets and importance",
                     "avail", "solve", self.path, "--only", "all")

    def test_a_tree_that_passes_its_budget_has_bounds_and_no_cut_sets(self):
        """Thirty triples, of events that are far from each other; 2,000 nodes do not hold them."""
        path = self.directory.name + "/ring.xml"
        gates = "".join(
            f'<define-gate name="g{i}"><and><basic-event name="e{i}"/>'
            f'<basic-event name="e{i * 17 % 31}"/><basic-event name="e{i * 29 % 31}"/>'
            "</and></define-gate>" for i in range(1, 31))
        top = "".join(f'<gate name="g{i}"/>' for i in range(1, 31))
        events = "".join(f'<define-basic-event name="e{i}"><float value="0.1"/>'
                         "</define-basic-event>" for i in range(1, 31))
        pathlib.Path(path).write_text(
            f'<opsa-mef><define-fault-tree name="ring"><define-gate name="top"><or>{top}</or>'
            f"</define-gate>{gates}{events}</define-fault-tree></opsa-mef>")
        exact = self.solve("--only", "probability", path=path)
        self.assertTrue(exact["exact"])
        bounds = self.solve("--nodes", "2000", path=path)
        self.assertFalse(bounds["exact"])
        self.assertLessEqual(bounds["unavailability_lower"], exact["unavailability"])
        self.assertGreaterEqual(bounds["unavailability_upper"], exact["unavailability"])
        self.assertLess(bounds["unavailability_upper"], 1)
        self.assertIsNone(bounds["cut_sets"]["count"])
        self.assertTrue(any("were not counted" in note for note in bounds["notes"]))
        self.assertIn("simulation", bounds)

    def test_help_names_every_option(self):
        text = run("avail", "solve", "--help").stdout
        for option in ("--top", "--what-if", "--improve", "--report", "--simulate", "--seconds"):
            self.assertIn(option, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
