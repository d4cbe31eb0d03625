#!/usr/bin/env python3
"""midplane conform: a function in a directory as sysfs has it, and what the reports look like.

Usage: conform_test.py MIDPLANE"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

TOOL = sys.argv[1]


def endpoint():
    """Configuration space of a plain endpoint: PM, MSI-X, PCI Express, and a serial number."""
    space = bytearray(4096)

    def put(at, size, value):
        space[at:at + size] = value.to_bytes(size, "little")

    put(0x00, 4, 0x10f21af4)
    put(0x04, 4, 0x00100000)          # Capabilities List
    put(0x08, 4, 0x02000001)
    put(0x10, 4, 0x0000000c)          # 64-bit, prefetchable
    put(0x34, 1, 0x40)
    put(0x40, 4, 0x00035001)          # PM, version 3
    put(0x50, 4, 0x00036011)          # MSI-X, 4 vectors
    put(0x58, 4, 0x00001000)
    put(0x60, 4, 0x00020010)          # PCI Express, version 2
    put(0x64, 4, 0x00008001)          # role-based errors, 256 bytes
    put(0x6c, 4, 0x00000041)          # x4, 2.5 GT/s
    put(0x70, 4, 0x00410000)
    put(0x8c, 4, 0x00000002)
    put(0x100, 4, 0x00010003)
    put(0x104, 8, 0x0123456789abcdef)
    return space


class Conform(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="midplane-conform-")
        self.addCleanup(self.directory.cleanup)

    def write(self, space):
        with open(self.directory.name + "/config", "wb") as file:
            file.write(space)

    def run_tool(self, *words):
        return subprocess.run([TOOL, "conform", self.directory.name, *words], capture_output=True,
                              text=True, timeout=200)

    def verdict(self, report, name):
        return [a["verdict"] for a in report["assertions"] if a["name"] == name]

    def test_a_good_function_passes_and_is_only_read(self):
        self.write(endpoint())
        done = self.run_tool("-o", "json")
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(list(report), ["assertions", "passed", "failed", "not_applicable"])
        failed = [a for a in report["assertions"] if a["verdict"] == "fail"]
        self.assertEqual((report["failed"], failed), (0, []))
        self.assertGreater(report["passed"], 25)
        self.assertEqual(len(report["assertions"]),
                         report["passed"] + report["failed"] + report["not_applicable"])
        for assertion in report["assertions"]:
            self.assertTrue(assertion["section"] and assertion["text"] and assertion["seen"])
            if assertion["destructive"]:
                self.assertEqual(assertion["verdict"], "not applicable")
        with open(self.directory.name + "/config", "rb") as file:
            self.assertEqual(file.read(), bytes(endpoint()))

    def test_a_function_without_power_management_fails_with_exit_code_1(self):
        space = endpoint()
        space[0x34] = 0x50
        self.write(space)
        done = self.run_tool("-o", "json")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.verdict(report, "caps.required"), ["fail"])
        self.assertEqual(report["failed"], 1)

    def test_a_file_whose_every_byte_can_be_written_fails_what_must_be_read_only(self):
        self.write(endpoint())
        done = self.run_tool("--destructive", "-o", "json")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1)
        for name in ("header.ids-read-only", "caps.read-only", "msix.read-only", "power.read-only"):
            self.assertEqual(self.verdict(report, name), ["fail"], name)

    def junit(self, *words):
        path = self.directory.name + "/report.xml"
        return path, self.run_tool(*words, "--junit", path)

    def test_junit_has_a_case_for_every_assertion(self):
        self.write(endpoint())
        path, done = self.junit("--destructive")
        suite = xml.etree.ElementTree.parse(path).getroot()
        last = done.stdout.splitlines()[-1]
        cases = suite.findall("testcase")
        self.assertEqual(len(cases), int(suite.get("tests")))
        self.assertEqual(len(suite.findall("testcase/failure")), int(suite.get("failures")))
        self.assertEqual(len(suite.findall("testcase/skipped")), int(suite.get("skipped")))
        self.assertIn(f"{suite.get('failures')} failed, {suite.get('skipped')} not applicable", last)

    @unittest.skipUnless(shutil.which("xmllint"), "libxml2-utils is not there")
    def test_junit_is_valid(self):
        self.write(endpoint())
        for words in ((), ("--destructive",)):
            path, _ = self.junit(*words)
            schema = os.path.join(os.path.dirname(os.path.abspath(__file__)), "junit.rng")
            lint = subprocess.run(["xmllint", "--noout", "--relaxng", schema, path], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(lint.returncode, 0, lint.stderr)

    def test_junit_loads_in_a_parser_of_others(self):
        program = ("import junitparser, sys; suite = junitparser.JUnitXml.fromfile(sys.argv[1]);"
                   "kinds = [type(result).__name__ for case in suite for result in case.result];"
                   "print(suite.tests, kinds.count('Failure'), kinds.count('Skipped'), suite.errors)")
        pythons = [python for python in (sys.executable, "/usr/bin/python3") if os.path.exists(python) and
                   subprocess.run([python, "-c", "import junitparser"], capture_output=True).returncode == 0]
        if not pythons:
            self.skipTest("python3-junitparser is not there")
        self.write(endpoint())
        path, done = self.junit("--destructive")
        last = re.match(r".*: (\d+) passed, (\d+) failed, (\d+) not applicable", done.stdout.splitlines()[-1])
        passed, failed, others = (int(n) for n in last.groups())
        parsed = subprocess.run([pythons[0], "-c", program, path], capture_output=True, text=True, check=True)
        self.assertEqual(parsed.stdout, f"{passed + failed + others} {failed} {others} 0\n")

    def test_markup_in_a_target_s_name_does_not_spoil_the_xml(self):
        name = self.directory.name + "/<&\">\x01\u00fc"
        os.mkdir(name)
        with open(name + "/config", "wb") as file:
            file.write(endpoint())
        path = self.directory.name + "/report.xml"
        subprocess.run([TOOL, "conform", name, "--junit", path], capture_output=True, timeout=60, check=True)
        suite = xml.etree.ElementTree.parse(path).getroot()
        self.assertEqual(suite.find("testcase").get("classname"), self.directory.name + "/<&\">???")

    def test_a_junit_file_that_cannot_be_written_is_named(self):
        self.write(endpoint())
        for path, why in (("/nowhere/report.xml", "No such file"), ("/dev/full", "No space left")):
            done = self.run_tool("--junit", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"--junit: cannot write {path}: {why}", done.stderr)

    def test_text_reads_well_in_100_columns(self):
        self.write(endpoint())
        for words in ((), ("--destructive",)):
            lines = self.run_tool(*words).stdout.splitlines()
            self.assertEqual([line for line in lines if len(line) > 100 or line != line.rstrip()], [])
            heads = [line for line in lines[:-1] if line[:1] != " " and not line.startswith("failed: ")]
            for line in heads:
                self.assertRegex(line, r"^(pass|fail|not applicable) +[a-z0-9]+\.[a-z0-9-]+ +\d+\.\d")
            failed = [line.split()[1] for line in heads if line.startswith("fail ")]
            self.assertEqual([line[8:] for line in lines if line.startswith("failed: ")], failed)

    def test_a_function_that_does_not_answer_fails_by_that_alone(self):
        self.write(b"\xff" * 4096)
        report = json.loads(self.run_tool("-o", "json").stdout)
        self.assertEqual((report["failed"], self.verdict(report, "header.answers")), (1, ["fail"]))

    def test_a_function_in_use_is_refused_when_it_would_be_disturbed(self):
        self.write(endpoint())
        os.symlink("/sys/bus/pci/drivers/ixgbe", self.directory.name + "/driver")
        done = self.run_tool("--destructive")
        self.assertEqual(done.returncode, 1)
        self.assertIn("driver ixgbe uses it", done.stderr)
        self.assertEqual(self.run_tool().returncode, 0)

    def test_usage(self):
        for words, text in ((["conform"], "conform: wants a TARGET"),
                            (["conform", "a", "b"], "'b' is one word too many"),
                            (["conform", "00:1f.9", "--off"], "conform: does not take --off")):
            done = subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=200)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)

    def test_an_address_that_is_not_there_is_named(self):
        done = subprocess.run([TOOL, "conform", "ffff:ff:1f.7"], capture_output=True, text=True,
                              timeout=200)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/sys/bus/pci/devices/ffff:ff:1f.7/config: No such file", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=0)
