#!/usr/bin/env python3
"""The iommu commands on images written by hand: answers, explanations, lists, findings, and refusals.

Usage: iommu_test.py MIDPLANE"""
import json
import resource
import subprocess
import sys
import tempfile
import unittest

from iommu_image import (AMD_READ, AMD_WRITE, CAP, CONTEXTS, DEVICES, ECAP, INTERRUPTS, LARGE, LOW,
                         MIDDLE, READ, ROOT, TOP,
                         WRITE, AmdImage, Image)

TOOL = sys.argv[1]


def run(*words, **more):
    return subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=200, **more)


def cpu_seconds():
    """What the tools that ended have used: unlike the time that they took it is not that of others as well."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Case(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="midplane-iommu-")
        self.image = Image(self.directory.name).save()

    def tearDown(self):
        self.directory.cleanup()

    def iommu(self, verb, *words, **more):
        return run("iommu", verb, *self.image.options(), *words, **more)

    def json(self, verb, *words, code=0):
        done = self.iommu(verb, "-o", "json", *words)
        self.assertEqual((done.returncode, done.stderr), (code, ""))
        return json.loads(done.stdout)

    def batch(self, verb, *lines):
        """The answers to lines, each a list of its words behind the question."""
        done = self.iommu(verb, "--batch", input="".join(line + "\n" for line in lines))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        answers = done.stdout.splitlines()
        self.assertEqual(len(answers), len(lines))
        for line, answer in zip(lines, answers):
            self.assertTrue(answer.startswith(line + "\t"), answer)
        return [answer.split("\t")[3:] for answer in answers]


class Walk(Case):
    def test_an_address_is_explained_level_by_level(self):
        done = self.iommu("walk", "--source", "00:02.0", "--iova", "0x1234", "--access", "w")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, """\
00:02.0 writes 0x1234
  root entry 0 at 0x1000
    0x0000000000002001 0x0000000000000000
    bus 00h: context table at 0x2000
  context entry 16 at 0x2100
    0x0000000000003001 0x0000000000000501
    domain 5: second stage of 3 levels at 0x3000
  SS-PDPE (level 3) 0 at 0x3000
    0x0000000000004003
    table at 0x4000: read and write
  SS-PDE (level 2) 0 at 0x4000
    0x0000000000005003
    table at 0x5000: read and write
  SS-PTE (level 1) 1 at 0x5008
    0x0000000000009003
    page of 4 KiB at 0x9000: read and write
ok: 0x9234, in a page of 4 KiB, rights rw, domain 5
""")

    def test_json_has_the_same(self):
        walk = self.json("walk", "--source", "00:02.0", "--iova", "0x7fff", "--access", "w")
        steps = walk.pop("steps")
        self.assertEqual(walk, {"source": "00:02.0", "iova": "0x7fff", "access": "w", "pasid": None,
                                "outcome": "fault", "reason": 5,
                                "text": "the page tables do not allow to write"})
        self.assertEqual([(step["address"], step["words"]) for step in steps],
                         [("0x1000", ["0x2001", "0x0"]), ("0x2100", ["0x3001", "0x501"]),
                          ("0x3000", ["0x4003"]), ("0x4000", ["0x5003"]), ("0x5038", ["0xd001"])])
        walk = self.json("walk", "--source", "0000:00:02.0", "--iova", "40000123")
        self.assertEqual((walk["address"], walk["page_size"], walk["rights"], walk["domain"]),
                         ("0x80000123", "0x40000000", "r", 5))

    def test_a_batch_is_answered_in_its_order_and_echoed_as_it_came(self):
        self.assertEqual(self.batch("walk", "00:02.0\t0x1234\tr", "00:02.0\t1234\tw", "00:02.0\t0x7000\tw",
                                    "00:02.0\t0x7000\t-", "00:02.0\t0x2abcde\t-", "00:03.0\t0x0\tr",
                                    "01:00.0\t0x0\tr", "00:02.0\t0x8000000000\tr"),
                         [["ok", "0x9234", "0x1000"], ["ok", "0x9234", "0x1000"], ["fault", "5"],
                          ["ok", "0xd000", "0x1000"], ["ok", "0x402abcde", "0x200000"],
                          ["fault", "2"], ["fault", "1"], ["fault", "4"]])

    def test_suppressed_faults_are_silent(self):
        self.image.context(0x10, TOP | 3, 5 << 8 | 1)
        self.image.save()
        self.assertEqual(self.batch("walk", "00:02.0\t0x0\tr", "00:02.0\t0x1000\tr"),
                         [["silent"], ["ok", "0x9000", "0x1000"]])
        done = self.iommu("walk", "--source", "00:02.0", "--iova", "0")
        self.assertIn("silent: reason 6, ", done.stdout)

    def test_a_core_gives_the_same_answers(self):
        options = self.image.core(self.directory.name)
        lines = "".join(f"00:02.0\t{iova:#x}\tr\n" for iova in range(0, 0x400000, 0x234))
        raw = self.iommu("walk", "--batch", input=lines)
        core = run("iommu", "walk", "--batch", *options, input=lines)
        self.assertEqual((core.returncode, core.stderr), (0, ""))
        self.assertEqual(core.stdout, raw.stdout)
        self.assertEqual(core.stdout.count("\tok\t"),
                         sum(iova >> 12 in (1, 2, 3, 4, 7) or iova >> 21 == 1
                             for iova in range(0, 0x400000, 0x234)))

    def test_quirks_answer_as_that_implementation_does(self):
        question = "00:02.0\t0x40000000\tr"
        self.image.words(TOP + 8, 0xfee00000 & ~0x3fffffff | READ | LARGE) # holds the interrupt range
        self.image.save()
        self.assertEqual(self.batch("walk", question), [["ok", "0xc0000000", "0x40000000"]])
        done = self.iommu("walk", "--batch", "--quirks", "qemu72", input=question + "\n")
        self.assertEqual(done.stdout, question + "\tfault\t14\n")

    def test_the_width_of_host_addresses_decides_which_bits_are_reserved(self):
        question = "00:02.0\t0x40000000\tr\n"
        for width, answer in (("39", "ok\t0x80000000\t0x40000000"), ("32", "ok\t0x80000000\t0x40000000")):
            done = self.iommu("walk", "--batch", "--host-width", width, input=question)
            self.assertEqual(done.stdout, question[:-1] + "\t" + answer + "\n")
        self.image.words(TOP + 8, 0x1080000000 | READ | LARGE)
        self.image.save()
        done = self.iommu("walk", "--batch", "--host-width", "36", input=question)
        self.assertEqual(done.stdout, question[:-1] + "\tfault\t12\n")
        self.assertEqual(self.batch("walk", question[:-1]), [["ok", "0x1080000000", "0x40000000"]])

    def test_protected_memory_is_reached_through_page_tables_only(self):
        self.image.context(0x20, 2 << 2 | 1, 6 << 8 | 1)
        self.image.values |= {0x08: CAP | 1 << 5, 0x64: 1 << 31 | 1, 0x68: 0, 0x6c: 0}
        self.image.save()
        questions = ["00:04.0\t0x12345\tr", "00:04.0\t0x212345\tw", "00:02.0\t0x1234\tr"]
        protected = [["silent"], ["ok", "0x212345", "0x1000"], ["ok", "0x9234", "0x1000"]]
        self.assertEqual(self.batch("walk", *questions), protected)
        done = self.iommu("walk", "--source", "00:04.0", "--iova", "0x12345")
        self.assertIn("silent: protected memory (PMEN) is reached through page tables only", done.stdout)
        self.image.values[0x64] = 0
        self.image.save()
        self.assertEqual(self.batch("walk", questions[0]), [["ok", "0x12345", "0x1000"]])
        self.image.values[0x64] = 1 << 31
        del self.image.values[0x6c]
        self.image.save()
        self.assertIn("the protected low memory limit register (0x06c) is needed and not there",
                      self.iommu("walk", "--source", "00:04.0", "--iova", "0").stderr)

    def test_malformed_lines_are_named_and_nothing_else_is_lost(self):
        lines = ["00:02.0\t0x1000\tr", "nonsense", "00:02.0\t0x1000\tx", "00:20.0\t0\tr",
                 "00:02.0\t0x1g\tr", "00:02.0\t0x10000000000000000\tr", "", "00:02.0\t0x1000\tr\tr",
                 "00:02.0\t" + "0" * 3000 + "\tr", "00:02.0\t0x1\0\tr", "00:02.0\t0x2000\tr"]
        done = self.iommu("walk", "--batch", input="\n".join(lines))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "00:02.0\t0x1000\tr\tok\t0x9000\t0x1000\n"
                                      "00:02.0\t0x2000\tr\tok\t0xa000\t0x1000\n")
        three = "not three fields (source, iova, access) with tabs between"
        self.assertEqual(done.stderr.splitlines(),
                         [f"midplane: iommu walk: line {line}: {text}" for line, text in [
                             (2, three), (3, "'x' is not an access: r, w or -"),
                             (4, "'00:20.0' is not a function: BB:DD.F"),
                             (5, "'0x1g' is not an address: hexadecimal, at most 64 bits"),
                             (6, "'0x10000000000000000' is not an address: hexadecimal, at most 64 bits"),
                             (7, three), (8, three), (9, "longer than any question"),
                             (10, "there is a zero byte in it")]])

    def test_a_line_longer_than_memory_for_it_is_skipped_whole(self):
        done = self.iommu("walk", "--batch", input="x" * 300000 + "\n00:02.0\t0x1000\tr\r\n")
        self.assertEqual(done.stderr, "midplane: iommu walk: line 1: longer than any question\n")
        self.assertEqual(done.stdout, "00:02.0\t0x1000\tr\tok\t0x9000\t0x1000\n")

    def test_a_partner_gets_each_answer_before_it_asks_on(self):
        with subprocess.Popen([TOOL, "iommu", "walk", "--batch", *self.image.options()], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
            for page in range(1, 5):
                tool.stdin.write(f"00:02.0\t{page << 12:#x}\tr\n")
                tool.stdin.flush()
                self.assertEqual(tool.stdout.readline().split("\t")[4], f"{page + 8 << 12:#x}")
            tool.stdin.close()
            self.assertEqual(tool.stdout.read(), "")

    def test_many_lines_are_answered_fast(self):
        lines = "".join(f"00:02.0\t{iova << 4:#x}\tr\n" for iova in range(100000))
        began = cpu_seconds()
        done = self.iommu("walk", "--batch", input=lines)
        seconds = cpu_seconds() - began
        print(f"# {100000 / seconds:.0f} lines a second", file=sys.stderr)
        self.assertEqual(done.stdout.count("\n"), 100000)
        self.assertLess(seconds, 20) # 0.2; sanitizers take their part

    def test_no_lines_have_no_answers(self):
        done = self.iommu("walk", "--batch", input="")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class Remap(Case):
    def test_messages_are_remapped_or_blocked(self):
        self.assertEqual(self.batch("remap", "00:02.0\t0xfee00050\t0x0", "00:02.1\t0xfee00050\t0x0",
                                    "00:1f.7\t0xfee00070\t0x0", "00:02.0\t0xfee00018\t0x2",
                                    "00:02.0\t0xfee00090\t0x0", "00:02.0\t0xfee00210\t0x0",
                                    "00:02.0\t0xfee01000\t0x31"),
                         [["ok", "0xfee01000", "0x4022", "2"], ["blocked", "38"],
                          ["ok", "0xfee01000", "0x4023", "3"], ["ok", "0xfee01000", "0x4022", "2"],
                          ["blocked", "34"], ["blocked", "33"], ["blocked", "37"]])

    def test_a_posted_entry_names_its_descriptor(self):
        self.image.values[0x08] |= 1 << 59
        self.image.words(INTERRUPTS + 5 * 16, 0x9040 << 32 | 1 << 15 | 1 << 14 | 0x41 << 16 | 1, 1 << 32)
        self.image.save()
        self.assertEqual(self.batch("remap", "00:02.0\t0xfee000b0\t0x0"),
                         [["posted", "0x100009040", "0x41", "5"]])

    def test_compatibility_format_has_no_entry(self):
        self.image.values[0x1c] |= 1 << 23
        self.image.save()
        self.assertEqual(self.batch("remap", "00:02.0\t0xfee01000\t0x31"),
                         [["ok", "0xfee01000", "0x31", "-"]])

    def test_a_message_is_explained(self):
        done = self.iommu("remap", "--source", "00:02.0", "--address", "0xfee00050", "--data", "0")
        self.assertEqual(done.stdout, """\
00:02.0 writes 0x0 to 0xfee00050
  interrupt remapping entry 2 at 0x6020
    0x0000010000220001 0x0000000000040010
    vector 22h to APIC 1
ok: 0x4022 written to 0xfee01000, by entry 2
""")
        told = self.json("remap", "--source", "00:02.1", "--address", "0xfee00050", "--data", "0")
        self.assertEqual((told["outcome"], told["reason"]), ("blocked", 38))

    def test_malformed_lines_are_named(self):
        done = self.iommu("remap", "--batch", input="00:02.0\t0xfee00050\t0x100000000\n")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "midplane: iommu remap: line 1: '0x100000000' is not the data of a "
                             "message: hexadecimal, at most 32 bits\n"))


class Dump(Case):
    def test_domains_mappings_and_interrupts_are_listed(self):
        self.image.context(0x18, TOP | 1, 5 << 8 | 1)
        self.image.context(0x20, 2 << 2 | 1, 6 << 8 | 1)
        self.image.save()
        done = self.iommu("dump")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, """\
domain 5: second stage, 3 levels at 0x3000
  of 00:02.0, 00:03.0
  0x000000001000-0x000000004fff -> 0x000000009000  rw   4 x 4 KiB
  0x000000007000-0x000000007fff -> 0x00000000d000  r    1 x 4 KiB
  0x000000008000-0x000000008fff -> 0x00000000f000  w    1 x 4 KiB
  0x000000200000-0x0000003fffff -> 0x000040200000  rw   1 x 2 MiB
  0x000040000000-0x00007fffffff -> 0x000080000000  r    1 x 1 GiB
domain 6: pass-through
  of 00:04.0
  every address leads to itself
interrupt entries at 0x6000, 16 places
      2  from 00:02.0: 0x4022 to 0xfee01000, vector 0x22
      3  from any: 0x4023 to 0xfee01000, vector 0x23
""")

    def test_json_has_the_same(self):
        dump = self.json("dump")
        domain, = dump["domains"]
        self.assertEqual((domain["domain"], domain["kind"], domain["levels"], domain["tables"]),
                         (5, "second stage", 3, "0x3000"))
        self.assertEqual(domain["functions"], [{"function": "00:02.0", "pasid": None}])
        self.assertEqual([(m["iova"], m["last"], m["address"], m["rights"], m["pages"])
                          for m in domain["mappings"]],
                         [("0x1000", "0x4fff", "0x9000", "rw", 4),
                          ("0x7000", "0x7fff", "0xd000", "r", 1),
                          ("0x8000", "0x8fff", "0xf000", "w", 1),
                          ("0x200000", "0x3fffff", "0x40200000", "rw", 1),
                          ("0x40000000", "0x7fffffff", "0x80000000", "r", 1)])
        self.assertEqual([(i["index"], i["source"], i["vector"]) for i in dump["interrupts"]],
                         [(2, "00:02.0", 0x22), (3, "any", 0x23)])

    def test_an_empty_unit_has_nothing(self):
        self.image.words(ROOT, 0)
        del self.image.values[0xb8]
        self.image.save()
        self.assertEqual(self.json("dump"), {"domains": [], "interrupts": []})

    def test_mappings_of_different_sizes_are_joined(self):
        self.image.words(MIDDLE + 16, *(0x100000000 + (page << 21) | 3 | LARGE for page in range(3)))
        self.image.words(TOP + 8, 0)
        self.image.words(LOW, *(0xffe00000 + (page << 12) | 3 for page in range(512)))
        self.image.words(MIDDLE + 8, 0x100000000 - (1 << 21) | 3 | LARGE) # overlaps nothing: page 200000
        self.image.save()
        self.image.words(LOW, *(0xffc00000 + (page << 12) | 3 for page in range(512)))
        self.image.save()
        mapping, = self.json("dump")["domains"][0]["mappings"]
        self.assertEqual((mapping["iova"], mapping["last"], mapping["address"], mapping["pages"]),
                         ("0x0", "0x9fffff", "0xffc00000", 512 + 4))

    def test_tables_that_lead_into_themselves_end(self):
        self.image.words(TOP + 16, TOP | 3)
        self.image.save()
        began = cpu_seconds()
        mappings = self.json("dump")["domains"][0]["mappings"]
        self.assertLess(cpu_seconds() - began, 10)
        self.assertEqual(len(mappings), 5) # what is beside the way back is there
        done = self.iommu("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("00:02.0 iova 0x80000000-0xbfffffff: SS-PDPE (level 3) 2 at 0x3010 "
                      "(0x0000000000003003): the page tables lead into themselves", done.stdout)


    def test_tables_that_share_tables_without_end_are_given_up(self):
        for table, below in ((TOP, MIDDLE), (MIDDLE, LOW)):
            self.image.words(table, *[below | 3] * 512)
        self.image.words(LOW, *[0x9003, 0xb003] * 256) # 2^27 single pages
        self.image.save()
        done = self.iommu("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("unit: the tables never end: what lies behind 1048576 answers", done.stdout)
        with subprocess.Popen([TOOL, "iommu", "dump", *self.image.options()], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
            self.assertEqual(sum(line.startswith("  0x") for line in tool.stdout),
                             (1 << 20) - 256) # asked for, and not reached: FEE00000h to FEEFFFFFh
            self.assertIn("there is more than is listed: the tables never end", tool.stderr.read())
        self.assertEqual(tool.returncode, 1)


class Scalable(Case):
    DIRECTORY, PASIDS, FIRST, FIRST3, FIRST2, FIRST1 = 0x7000, 0x8000, 0x9000, 0xa000, 0xb000, 0xc000

    def setUp(self):
        super().setUp()
        image = self.image
        image.values[0x08] = CAP | 4 << 8 | (47 << 16) - (38 << 16) # 48 bits too
        image.values[0x10] = ECAP | 1 << 40 | 19 << 35 | 1 << 43 | 1 << 46 | 1 << 47 | 1 << 26
        image.values[0x20] = ROOT | 1 << 10
        image.words(ROOT, CONTEXTS | 1, 0)
        image.words(CONTEXTS + 0x10 * 16, *[0] * 4)
        image.words(CONTEXTS + 0x10 * 32, self.DIRECTORY | 1 << 3 | 1, 0, 0, 0) # PASIDs on
        image.words(self.DIRECTORY, self.PASIDS | 1)
        self.pasid(0, 2, 5, second=TOP)
        self.pasid(3, 1, 7, first=self.FIRST)
        self.pasid(4, 4, 8)
        image.words(self.FIRST, self.FIRST3 | 0x27)
        image.words(self.FIRST + 511 * 8, self.FIRST3 | 0x27)
        image.words(self.FIRST3, self.FIRST2 | 0x27)
        image.words(self.FIRST2, self.FIRST1 | 0x27)
        image.words(self.FIRST1 + 8, 0x123000 | 0x67)
        image.save()

    def pasid(self, pasid, kind, domain, second=0, first=0):
        self.image.words(self.PASIDS + 64 * pasid, second | kind << 6 | 1 << 2 | 1, domain,
                         first, 0, 0, 0, 0, 0)

    def test_each_process_address_space_is_asked_by_its_number(self):
        done = self.iommu("walk", "--batch", "--pasid", "3", input="00:02.0\t0x1040\tr\n")
        self.assertEqual(done.stdout, "00:02.0\t0x1040\tr\tok\t0x123040\t0x1000\n")
        self.assertEqual(self.batch("walk", "00:02.0\t0x1040\tr"), [["ok", "0x9040", "0x1000"]])
        walk = self.json("walk", "--source", "00:02.0", "--pasid", "0x9", "--iova", "0")
        self.assertEqual((walk["pasid"], walk["reason"]), (9, 0x59))

    def test_all_of_them_are_listed_also_at_the_upper_end(self):
        domains = {domain["domain"]: domain for domain in self.json("dump")["domains"]}
        self.assertEqual([domains[d]["kind"] for d in (5, 7, 8)],
                         ["second stage", "first stage", "pass-through"])
        self.assertEqual(domains[7]["functions"], [{"function": "00:02.0", "pasid": 3}])
        self.assertEqual([(m["iova"], m["address"], m["rights"]) for m in domains[7]["mappings"]],
                         [("0x1000", "0x123000", "rw"), ("0xffffff8000001000", "0x123000", "rw")])
        self.assertEqual(len(domains[5]["mappings"]), 5)

    def test_nested_tables_are_listed_through_both_stages(self):
        # Guest physical is host physical below 64 KiB, so the same first-stage tables serve.
        second, low = 0xd000, 0xe000
        self.image.words(second, 0xf000 | 3)
        self.image.words(0xf000, low | 3)
        self.image.words(low, *(page << 12 | 3 for page in range(16)))
        self.image.words(low + 0x123 * 8, 0x9999000 | 1)
        self.pasid(6, 3, 9, second=second, first=self.FIRST)
        self.image.save()
        domain, = (d for d in self.json("dump")["domains"] if d["domain"] == 9)
        self.assertEqual((domain["kind"], domain["levels"], domain["first_levels"]), ("nested", 3, 4))
        self.assertEqual([(m["iova"], m["address"], m["rights"]) for m in domain["mappings"]],
                         [("0x1000", "0x9999000", "r"), ("0xffffff8000001000", "0x9999000", "r")])

    def test_the_tables_are_right(self):
        done = self.iommu("check")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_functions_that_share_tables_of_pasids_without_end_are_given_up(self):
        self.image.words(ROOT, *[CONTEXTS | 1] * 512)
        for function in range(128): # 65536 functions with 32768 PASIDs, of which three are there
            self.image.words(CONTEXTS + function * 32, self.DIRECTORY | 2 << 9 | 1 << 3 | 1, 0, 0, 0)
        self.image.words(self.DIRECTORY, *[0xd000 | 1] * 512)
        self.image.save()
        began = cpu_seconds()
        done = self.iommu("check")
        self.assertLess(cpu_seconds() - began, 20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("unit: the tables never end: what lies behind 1048576 answers", done.stdout)
        done = self.iommu("dump")
        self.assertIn("there is more than is listed: the tables never end", done.stderr)
        self.assertEqual(done.returncode, 1)


class Check(Case):
    def findings(self, **more):
        self.image.save()
        done = self.iommu("check", **more)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.returncode == 1, "0 things that" not in done.stdout, done.stdout)
        return done.stdout.splitlines()[:-1]

    def finding(self, *words):
        self.image.words(INTERRUPTS + 3 * 16, 0)
        found = self.findings()
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_good_tables_have_no_findings(self):
        self.assertEqual(self.findings(), ["interrupt entry 3: warning: it accepts messages of any function"])
        self.image.words(INTERRUPTS + 3 * 16, 0)
        self.image.save()
        self.assertEqual(self.json("check"), [])

    def test_reserved_bits_are_named_with_their_entry(self):
        self.image.words(LOW + 16, 0xa000 | READ | WRITE | 1 << 11)
        self.finding("00:02.0 iova 0x2000-0x2fff: SS-PTE (level 1) 2 at 0x5010 (0x000000000000a803): "
                     "reason 12, reserved bits")

    def test_a_large_page_that_is_not_aligned(self):
        self.image.words(MIDDLE + 8, 0x40201000 | READ | LARGE)
        self.finding("iova 0x200000-0x3fffff", "reason 12")

    def test_tables_outside_of_memory(self):
        self.image.words(MIDDLE + 16, 0x10000000 | READ | WRITE)
        self.finding("iova 0x400000-0x5fffff", "at 0x10000000: reason 7")

    def test_a_root_entry_is_told_once_for_its_bus(self):
        self.image.words(ROOT + 5 * 16, 0x3000 | 3)
        self.finding("05:00.0: root entry 5 at 0x1050", "reason 10")

    def test_a_context_table_outside_of_memory(self):
        self.image.words(ROOT + 5 * 16, 0x3000000 | 1)
        found = self.findings()
        self.assertTrue(any("reason 9" in line for line in found), found)

    def test_a_width_that_the_unit_does_not_have(self):
        self.image.context(0x18, TOP | 1, 9 << 8 | 2)
        self.finding("00:03.0: context entry 24 at 0x2180", "reason 3")

    def test_one_domain_number_for_two_sets_of_tables(self):
        self.image.words(0xd000, 0)
        self.image.context(0x18, 0xd000 | 1, 5 << 8 | 1)
        self.finding("domain 5: 00:02.0 (second stage, tables at 0x3000) and 00:03.0 (second stage, "
                     "tables at 0xd000) have the same domain number and different tables")

    def test_domain_zero_in_caching_mode(self):
        self.image.values[0x08] = CAP | 1 << 7
        self.image.context(0x10, TOP | 1, 1)
        self.finding("00:02.0: domain 0 is reserved in a unit with caching mode")

    def test_a_page_that_leads_into_the_interrupt_range(self):
        self.image.words(LOW, 0xfee00000 | READ | WRITE)
        self.finding("iova 0x0-0xfff: SS-PTE (level 1) 0", "reason 14")
        self.image.words(LOW, 0)
        self.image.words(TOP + 8, 0xc0000000 | READ | WRITE | LARGE)
        self.finding("iova 0x7ee00000-0x7eefffff: SS-PDPE (level 3) 1", "reason 14")

    def test_interrupt_entries(self):
        self.image.words(INTERRUPTS + 2 * 16, 1 << 40 | 0x22 << 16 | 1 << 12 | 1)
        self.finding("interrupt entry 2: at 0x6020", "reason 36")
        self.image.words(INTERRUPTS + 2 * 16, 0)
        self.image.values[0xb8] = 0xf000 | 15
        self.finding("interrupt entries: 0x10000 and what is behind it is not in memory")

    def test_a_table_that_a_function_can_write_is_a_warning(self):
        self.image.words(LOW, LOW | READ | WRITE)
        self.image.words(INTERRUPTS + 3 * 16, 0)
        self.assertEqual(self.findings(),
                         ["00:02.0 iova 0x0-0xfff: warning: the function can write the table at "
                          "0x5000, which decides what functions may reach"])

    def test_a_mode_that_does_not_exist(self):
        self.image.values[0x20] = ROOT | 2 << 10
        self.finding("unit: reason 48")

    def test_json_has_place_reason_and_text(self):
        self.image.words(MIDDLE + 8, 0x40201000 | READ | LARGE)
        self.image.words(INTERRUPTS + 3 * 16, 0)
        self.image.save()
        finding, = self.json("check", code=1)
        self.assertEqual((finding["where"], finding["reason"], finding["warning"]),
                         ("00:02.0 iova 0x200000-0x3fffff", 12, False))
        self.assertIn("0x4008", finding["text"])


class Amd(Case):
    def setUp(self):
        super().setUp()
        self.image = AmdImage(self.directory.name).save()

    def test_addresses_and_messages_are_answered(self):
        self.assertEqual(self.batch("walk", "00:02.0\t0x1234\tw", "00:02.0\t0x3000\tw", "00:02.0\t0x4000\tr",
                                    "00:02.0\t0xabcd\tr", "00:02.0\t0x2abcde\tr", "00:03.0\t0x9000\tw",
                                    "01:00.0\t0x9000\tw"),
                         [["ok", "0x9234", "0x1000"], ["fault", str(2 << 12 | 0x70)],
                          ["fault", str(2 << 12)], ["ok", "0x12bcd", "0x4000"],
                          ["ok", "0x402abcde", "0x200000"], ["ok", "0x9000", "0x1000"],
                          ["fault", str(2 << 12)]])
        self.assertEqual(self.batch("remap", "00:02.0\t0xfee00000\t0x2", "00:02.0\t0xfee00000\t0x3",
                                    "00:03.0\t0xfee01000\t0x31"),
                         [["ok", "0xfee01000", "0x4022", "2"], ["blocked", str(2 << 12 | 8)],
                          ["ok", "0xfee01000", "0x31", "-"]])

    def test_an_address_is_explained(self):
        done = self.iommu("walk", "--source", "00:02.0", "--iova", "0x1234")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("  device table entry 16 at 0x1200\n", done.stdout)
        self.assertIn("  I/O page entry (level 1) 1 at 0x5008\n", done.stdout)
        self.assertTrue(done.stdout.endswith(
            "ok: 0x9234, in a page of 4 KiB, rights rw, domain 5\n"), done.stdout)

    def test_everything_is_listed(self):
        self.image.device(0x11, 3 | AMD_READ | AMD_WRITE, 6)
        self.image.device(0x12, 3, 0) # lets nothing pass, as Linux writes it for functions it does not know
        self.image.save()
        self.assertEqual(self.iommu("dump").stdout, """\
domain 5: page tables, 3 levels at 0x3000
  of 00:02.0
  0x000000001000-0x000000002fff -> 0x000000009000  rw   2 x 4 KiB
  0x000000003000-0x000000003fff -> 0x00000000d000  r    1 x 4 KiB
  0x000000008000-0x00000000bfff -> 0x000000010000  rw   1 x 16 KiB
  0x000000200000-0x0000003fffff -> 0x000040200000  rw   1 x 2 MiB
domain 6: pass-through
  of 00:02.1
  every address leads to itself
interrupt entries of 00:02.0 at 0x6000, 16 places
      2  from 00:02.0: 0x4022 to 0xfee01000, vector 0x22
""")
        dump = self.json("dump")
        self.assertEqual([domain["domain"] for domain in dump["domains"]], [5, 6])
        self.assertEqual(dump["interrupts"][0]["source"], "00:02.0")

    def test_entries_that_do_not_agree_on_a_page_are_listed_each_as_it_answers(self):
        self.image.words(LOW + 8 * 8, 0) # of the four that a page of 16 KiB has
        self.image.words(LOW + 8 * 10, 0x20000 | 1 << 12 | 7 << 9 | AMD_READ | 1)
        self.image.save()
        self.assertIn("""
  0x000000009000-0x000000009fff -> 0x000000011000  rw   1 x 16 KiB
  0x00000000a000-0x00000000afff -> 0x000000022000  r    1 x 16 KiB
  0x00000000b000-0x00000000bfff -> 0x000000013000  rw   1 x 16 KiB
  0x000000200000-""", self.iommu("dump").stdout)

    def test_good_tables_have_no_findings(self):
        done = self.iommu("check")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "0 things that the specification forbids, 0 warnings\n"))

    def finding(self, text):
        self.image.save()
        done = self.iommu("check")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stdout.splitlines()), 2, done.stdout)
        self.assertIn(text, done.stdout)

    def test_wrong_entries_are_findings(self):
        self.image.device(0x11, 3 | 1 << 2, 6)
        self.image.words(DEVICES + 0x11 * 32, 3 | 1 << 2 | AMD_READ)
        self.finding("00:02.1: device table entry 17 at 0x1220")
        self.image.device(0x11, 0)
        self.image.words(LOW + 8 * 20, 0x9000 | 1 << 55 | 1)
        self.finding("00:02.0 iova 0x14000-0x14fff: I/O page entry (level 1) 20 at 0x50a0")
        self.image.words(LOW + 8 * 20, 0)
        self.image.words(MIDDLE + 16, 0x100000 | 1 << 9 | AMD_READ | 1)
        self.finding("00:02.0 iova 0x400000-0x5fffff: I/O page entry (level 1) 0 at 0x100000")
        self.image.words(MIDDLE + 16, MIDDLE | 1 << 9 | AMD_READ | 1)
        self.finding("the page tables lead into themselves")
        self.image.words(MIDDLE + 16, 0)
        self.image.words(INTERRUPTS, 1 << 24 | 1)
        self.finding("00:02.0 interrupt entry 0: at 0x6000")

    def test_registers_that_are_missing_are_named(self):
        for missing, name in ((0x00, "the device table base address register"),
                              (0x30, "the extended feature register")):
            image = AmdImage(self.directory.name)
            del image.values[missing]
            image.save()
            done = self.iommu("dump")
            self.assertEqual((done.returncode, done.stderr),
                             (1, f"midplane: iommu dump: {image.registers}: {name} (0x{missing:03x}) is "
                                 "needed and not there\n"))
        self.image.values[0x18] = 1 | 1 << 34
        self.image.save()
        self.assertIn("the base address register of a device table segment (0x100) is needed",
                      self.iommu("dump").stderr)

    def test_a_unit_that_is_off_lets_everything_pass(self):
        self.image.values[0x18] = 0
        self.image.save()
        self.assertEqual(self.batch("walk", "00:09.0\t0x123456\tw"), [["ok", "0x123456", "0x1000"]])
        self.assertEqual(self.json("dump"), {"domains": [], "interrupts": []})


class Refusals(Case):
    def refused(self, code, text, *words):
        done = run("iommu", *words)
        self.assertEqual((done.returncode, done.stderr, done.stdout),
                         (code, f"midplane: iommu {words[0]}: {text}\n", ""))

    def registers(self, values):
        with open(self.image.registers, "w", encoding="ascii") as out:
            json.dump(values, out)

    def test_a_register_that_is_missing_is_named(self):
        walk = ["walk", *self.image.options(), "--source", "00:02.0", "--iova", "0"]
        for missing, name in ((0x08, "the capability register"),
                              (0x10, "the extended capability register"),
                              (0x20, "the root table address register")):
            self.registers({f"{offset:#x}": value for offset, value in self.image.values.items()
                            if offset != missing})
            self.refused(1, f"{self.image.registers}: {name} (0x{missing:03x}) is needed and not there",
                         *walk)
        del self.image.values[0xb8]
        self.image.save()
        self.refused(1, f"{self.image.registers}: the interrupt remapping table address register "
                        "(0x0b8) is needed and not there", "remap", "--batch", *self.image.options())

    def test_halves_are_joined_and_status_may_be_missing(self):
        values = {offset: value for offset, value in self.image.values.items() if offset != 0x1c}
        self.registers({f"{offset + half * 4:#x}": value >> 32 * half & 0xffffffff
                        for offset, value in values.items() for half in (0, 1)})
        self.assertEqual(self.batch("walk", "00:02.0\t0x1000\tr"), [["ok", "0x9000", "0x1000"]])

    def test_a_unit_that_is_off_lets_everything_pass(self):
        self.image.values[0x1c] = 0
        self.image.save()
        self.assertEqual(self.batch("walk", "00:09.0\t0x123456\tw"), [["ok", "0x123456", "0x1000"]])

    def test_a_compressed_dump_is_refused_with_what_to_do(self):
        with open(self.image.memory, "wb") as out:
            out.write(b"KDUMP   ".ljust(4096))
        self.refused(1, f"{self.image.memory}: this is a kdump-compressed dump; dump again in ELF "
                        "format: dump-guest-memory without -z, -l and -s, or virsh dump --memory-only "
                        "--format elf", "dump", *self.image.options())

    def test_files_that_cannot_be_read(self):
        self.refused(1, "/nonexistent: No such file or directory", "check", "--memory", "/nonexistent",
                     "--registers", self.image.registers)
        self.refused(1, "/nonexistent: No such file or directory", "check", "--memory",
                     self.image.memory, "--registers", "/nonexistent")

    def test_mistakes_of_the_command_line(self):
        options = self.image.options()
        for text, words in [
                ("wants --memory", ["walk"]),
                ("wants --registers", ["dump", "--memory", "x"]),
                ("wants --source, or --batch", ["walk", *options]),
                ("wants --iova, or --batch", ["walk", *options, "--source", "00:02.0"]),
                ("wants --data, or --batch",
                 ["remap", *options, "--source", "00:02.0", "--address", "0xfee00000"]),
                ("--batch reads --source, --iova and --access from its lines",
                 ["walk", *options, "--batch", "--iova", "0"]),
                ("--batch reads --source, --address and --data from its lines",
                 ["remap", *options, "--batch", "--data", "0"]),
                ("--source: '2' is not a function: BB:DD.F",
                 ["walk", *options, "--source", "2", "--iova", "0"]),
                ("--iova: 'x' is not an address: hexadecimal, at most 64 bits",
                 ["walk", *options, "--source", "00:02.0", "--iova", "x"]),
                ("--access: 'rw' is not r, w or -",
                 ["walk", *options, "--source", "00:02.0", "--iova", "0", "--access", "rw"]),
                ("--pasid: '1048576' is not a number of 20 bits",
                 ["walk", *options, "--source", "00:02.0", "--iova", "0", "--pasid", "1048576"]),
                ("--quirks: 'qemu' is neither none (the default) nor qemu72",
                 ["check", *options, "--quirks", "qemu"]),
                ("--format: 'arm' is neither vtd (the default) nor amd",
                 ["dump", *options, "--format", "arm"]),
                ("--quirks: there are none for --format amd",
                 ["dump", *options, "--format", "amd", "--quirks", "qemu72"]),
                ("--host-width: '53' is not a number of bits, 32 to 52",
                 ["dump", *options, "--host-width", "53"]),
                ("does not take --pasid", ["dump", *options, "--pasid", "1"])]:
            self.refused(2, text, *words)

    def test_a_closed_output_is_no_success(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "iommu", "walk", "--batch", *self.image.options()], text=True,
                                  input="00:02.0\t0\tr\n", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
