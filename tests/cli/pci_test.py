#!/usr/bin/env python3
"""midplane pci: a function that a process serves by vfio-user, and what lspci makes of it.

Usage: pci_test.py MIDPLANE VFIO_SAMPLE_SERVER"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL, SERVER = sys.argv[1:3]


class Pci(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.socket = os.path.join(cls.dir.name, "sample.sock")
        cls.server = subprocess.Popen([SERVER, cls.socket], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)
        assert cls.server.stdout.readline() == "ready\n"

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(60)
        cls.server.stdout.close()
        assert not os.path.exists(cls.socket)
        cls.dir.cleanup()

    def tool(self, *words, code=0):
        run = subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=200)
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout if code == 0 else run.stderr

    def test_show_says_what_the_function_is(self):
        text = self.tool("pci", "show", self.socket)
        for line in ("1af4:10f3  class ff0000, revision 01, subsystem 1af4:4d50",
                     "bar0      16 KiB at 0x0, 64-bit, prefetchable; 4 KiB at 0x1000 can be mapped",
                     "bar4      8 KiB at 0x0, 64-bit, prefetchable",
                     "config    4 KiB",
                     "INTx      1 interrupt, by eventfd, can be masked, masks itself",
                     "MSI-X     8 interrupts, by eventfd, can be masked",
                     "MSI-X: 8 vectors, off, table in BAR 4 at 0x0, pending bits in BAR 4 at 0x1000",
                     "PCI Express: version 2, endpoint, function-level reset, x4, link speed code 4",
                     "Device Serial Number: 4d50000000000001"):
            self.assertIn(line, text)

    def test_json_has_the_same(self):
        shown = json.loads(self.tool("pci", "show", self.socket, "-o", "json"))
        self.assertEqual((shown["vendor"], shown["device"]), ("0x1af4", "0x10f3"))
        self.assertEqual([r["region"] for r in shown["regions"]], ["bar0", "bar4", "config"])
        self.assertEqual(shown["regions"][0]["mapped_size"], "0x1000")
        self.assertEqual([i["count"] for i in shown["interrupts"]], [1, 0, 8, 0, 0])
        self.assertEqual(shown["config"][:8], "f41af310")
        self.assertIn("MSI-X", [c["name"] for c in shown["capabilities"]])

    @unittest.skipUnless(shutil.which("lspci"), "pciutils is not there")
    def test_lspci_finds_the_same_capabilities(self):
        shown = json.loads(self.tool("pci", "show", self.socket, "-o", "json"))
        dump = os.path.join(self.dir.name, "dump")
        with open(dump, "w") as file:
            file.write(self.tool("pci", "show", self.socket, "--dump"))
        text = subprocess.run(["lspci", "-F", dump, "-vvvnn"], capture_output=True, text=True,
                              check=True).stdout
        found = [line.split("[")[1].split("]")[0].split(" ")[0] for line in text.splitlines()
                 if line.strip().startswith("Capabilities: [")]
        self.assertEqual([int(c["offset"], 16) for c in shown["capabilities"]],
                         [int(at, 16) for at in found])
        self.assertIn("MSI-X: Enable- Count=8 Masked-", text)
        self.assertNotIn("<chain broken>", text)

    def test_read_prints_numbers_and_bytes(self):
        self.assertEqual(self.tool("pci", "read", self.socket, "bar0", "0"), "0x4d50534d\n")
        self.assertEqual(self.tool("pci", "read", self.socket, "0", "0x0", "1"), "0x4d\n")
        self.assertEqual(self.tool("pci", "read", self.socket, "config", "0", "8"),
                         "0x0010000010f31af4\n")
        self.assertEqual(self.tool("pci", "read", self.socket, "config", "0", "18"),
                         "00000000: f4 1a f3 10 00 00 10 00 01 00 00 ff 00 00 00 00\n"
                         "00000010: 0c 00\n")
        one = json.loads(self.tool("pci", "read", self.socket, "bar0", "0", "2", "-o", "json"))
        self.assertEqual((one["value"], one["bytes"], one["size"]), ("0x534d", "4d53", 2))

    def test_write_reaches_the_function(self):
        before = self.tool("pci", "read", self.socket, "7", "0x3c", "1")
        self.tool("pci", "write", self.socket, "config", "0x3c", "0xff:1")
        # The client went: the function was reset.
        self.assertEqual(self.tool("pci", "read", self.socket, "7", "0x3c", "1"), before)

    def test_conform_judges_it(self):
        report = json.loads(self.tool("conform", self.socket, "--destructive", "-o", "json"))
        self.assertEqual([a for a in report["assertions"] if a["verdict"] == "fail"], [])
        self.assertGreater(report["passed"], 90)
        verdicts = {a["name"]: a["verdict"] for a in report["assertions"]}
        for name in ("intx.lines", "intx.disable", "intx.status", "intx.reset", "msix.mask-bit"):
            self.assertEqual(verdicts[name], "pass", name)
        gentle = json.loads(self.tool("conform", self.socket, "-o", "json"))
        self.assertLess(gentle["passed"], report["passed"])

    def test_mistakes_are_named(self):
        for words, text, code in (
                (("read", self.socket, "bar9", "0"), "'bar9' is not a region", 2),
                (("read", self.socket, "bar0", "x"), "'x' is not an offset", 2),
                (("read", self.socket, "bar0", "0", "0"), "'0' is not a number of bytes", 2),
                (("read", self.socket, "bar0", "0", "1", "2"), "'2' is one word too many", 2),
                (("read", self.socket, "bar0"), "wants a OFFSET", 2),
                (("write", self.socket, "bar0", "0", "0x100:1"), "'0x100:1' is not a value", 2),
                (("write", self.socket, "bar0", "0", "1:3"), "'1:3' is not a value", 2),
                (("read", self.socket, "bar0", "0x3fff", "2"), "bar0 has 0x4000 bytes", 1),
                (("read", self.socket, "bar1", "0"), "has no region bar1", 1),
                (("show", "/tmp/nobody.sock"), "/tmp/nobody.sock: No such file", 3)):
            self.assertIn(text, self.tool("pci", *words, code=code))


unittest.main(argv=sys.argv[:1])
