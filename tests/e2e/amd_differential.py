"""Our walk of AMD's tables against QEMU's `amd-iommu`, without a guest: what is mapped leads to the same place.

As vtd_differential.py, but QEMU 7.2's model of this unit checks little and its trace says neither rights nor
reasons. So the tables are well-formed, and the claim is: every address that our tool calls mapped leads to the same
page there; an address that QEMU calls unmapped is refused by our tool; and so with interrupts.

    amd_differential.py [--seed N] [--rounds N]
"""

import collections
import json
import os
import random
import re
import struct

from vtd_differential import Tool
from vtd_machine import Machine, source_text
from vtd_tables import INTERRUPTS, NOWHERE_END, PAGE, TABLES, TABLES_END, TARGETS, TARGETS_END
from world import Failure, check, main, need, say

UNIT = 0xfed80000
DEVICE_TABLE, COMMANDS, CONTROL, FEATURES, COMMAND_TAIL = 0x00, 0x08, 0x18, 0x30, 0x2008
ENABLE, COMMANDS_ON, WIDE_INTERRUPTS = 1, 1 << 12, 1 << 17
INVALIDATE_ALL = 8 << 60
READ, WRITE, BOTH = 1 << 61, 1 << 62, 3 << 61
DEVICES = TABLES                   # the device table: 2 MiB
RING = TABLES + (2 << 20)          # commands: 4 KiB
INTERRUPT_TABLES = RING + PAGE     # one of 8 KiB for each function
PAGE_TABLES = INTERRUPT_TABLES + (1 << 20)
ASKED_EACH_ROUND = 20

RESULT = re.compile(r"amdvi_translation_result devid: (\w\w):(\w\w)\.(\w) gpa 0x(\w+) hpa 0x(\w+)")
REQUEST = re.compile(r"amdvi_ir_remap_msi_req addr 0x(\w+) data 0x(\w+) devid 0x(\w+)")
REMAPPED = re.compile(r"amdvi_ir_remap_msi \(addr 0x(\w+), data 0x(\w+)\) -> \(addr 0x(\w+), data 0x(\w+)\)")


class AmdMachine(Machine):
    SLOTS = [2, 5, 16, 24] # QEMU puts its unit's own function into slot 1
    UNIT_DEVICE = "amd-iommu,intremap=on"
    EVENTS = ["amdvi_translation_result", "amdvi_ir_remap_*"]

    def set(self, offset, value):
        self.send(f"writeq {UNIT + offset:#x} {value:#x}")

    def enable_unit(self, control):
        self.set(DEVICE_TABLE, DEVICES | 511)
        self.set(COMMANDS, RING | 8 << 56)
        self.set(CONTROL, ENABLE | COMMANDS_ON | control)
        self.tail = 0
        self.settle()

    def invalidate_all(self):
        struct.pack_into("<QQ", self.memory, RING + self.tail, INVALIDATE_ALL, 0)
        self.tail = (self.tail + 16) % PAGE
        self.set(COMMAND_TAIL, self.tail)

    def save_registers(self):
        values = {f"0x{offset:03x}": f"0x{self.ask(f'readq {UNIT + offset:#x}'):x}"
                  for offset in (DEVICE_TABLE, CONTROL, FEATURES)}
        with open(self.registers_path, "w", encoding="ascii") as out:
            json.dump(values, out)


class Tables:
    def __init__(self, memory, random_):
        self.memory, self.random = memory, random_

    def words(self, address, *words):
        struct.pack_into(f"<{len(words)}Q", self.memory, address, *words)

    def page(self):
        self.next_page += PAGE
        return self.next_page - PAGE

    def rights(self):
        return self.random.choice((READ, WRITE, BOTH, BOTH, BOTH, BOTH, BOTH))

    def leaf(self, level):
        """An entry that maps a page of the level's size."""
        size = PAGE << 9 * (level - 1)
        if size < TARGETS_END and self.random.random() < 0.6:
            address = self.random.randrange(TARGETS, TARGETS_END)
        else:
            address = self.random.randrange(1 << 32, 1 << 48)
        return address & ~(size - 1) | self.rights() | 1

    def table(self, level, below):
        """A table with pages of the level's size, of sizes in their addresses, and tables below."""
        entries = []
        while len(entries) < 512:
            kind = self.random.random()
            left = 512 - len(entries)
            if kind < 0.08:
                entries.append(0)
            elif kind < 0.16 and level < 4 and left >= 8 and len(entries) % 8 == 0:
                count = self.random.choice((2, 4, 8)) # pages that fill several entries
                shift = 12 + 9 * (level - 1) + count.bit_length() - 1
                base = self.random.randrange(1 << 33, 1 << 48) >> shift << shift
                entry = base | ((1 << shift - 1) - 1) & ~0xfff | 7 << 9 | self.rights() | 1
                entries += [entry] * count
            elif level == 1 or (level <= 4 and kind < 0.4):
                entries.append(self.leaf(level))
            else:
                entries.append(self.random.choice(below) | level - 1 << 9 | self.rights() | 1)
        page = self.page()
        self.words(page, *entries)
        return page

    def interrupt_table(self, index, wide):
        """A table of 256 entries; nobody is the processor that they name."""
        address = INTERRUPT_TABLES + 2 * PAGE * index
        for entry in range(256):
            valid = self.random.random() < 0.85
            word = valid | self.random.getrandbits(1) << 2 | self.random.getrandbits(1) << 6
            word |= self.random.randrange(1, 255) << 8
            vector = self.random.getrandbits(8)
            if wide:
                self.words(address + 16 * entry, word, vector)
            else:
                struct.pack_into("<I", self.memory, address + 4 * entry, word | vector << 16)
        return address

    def device(self, source, index, wide):
        kind = self.random.random()
        levels = self.random.randint(1, 6)
        self.widths[source] = min(12 + 9 * levels, 64)
        words = [self.random.choice(self.levels[levels]) | levels << 9 | BOTH | 3,
                 self.random.getrandbits(16), 0, 0]
        if kind < 0.05:
            words[0] = 0               # not valid: everything passes
        elif kind < 0.1:
            words[0] = BOTH | 3        # no page tables: the same
        elif kind < 0.15:
            words[0] &= ~2             # no translation: nothing passes
        elif kind < 0.25:
            words[0] &= ~self.random.choice((READ, WRITE))
        control = self.random.choices((2, 0), (90, 10))[0] # QEMU spoils the messages that 1 lets pass
        words[2] = self.interrupt_table(index, wide) | control << 60 | 8 << 1 | (kind < 0.93)
        self.words(DEVICES + 32 * source, *words)

    def make(self, sources, wide):
        self.next_page = PAGE_TABLES
        self.widths = {}
        self.levels, below = {}, []
        for level in range(1, 7):
            below = [self.table(level, below) for _ in range(4)]
            self.levels[level] = below
        if self.next_page > TABLES_END:
            raise Failure("no room for more tables")
        for index, source in enumerate(sources):
            self.device(source, index, wide)

    def iova(self, source):
        """An address that the function's tables have; QEMU does not look at the bits above."""
        while True:
            width = min(self.widths[source], self.random.choice((21, 30, 39, 48, 57, 64, 64)))
            iova = self.random.getrandbits(width) & ~7
            if iova not in INTERRUPTS and not NOWHERE_END <= iova < 1 << 32:
                return iova


class AmdTool(Tool):
    def ask(self, verb, questions, quirks=None):
        return super().ask(verb, questions, quirks, "--format", "amd")


class Run:
    def __init__(self, world, random_):
        self.random = random_
        self.machine = AmdMachine(world, "amd", "")
        # QEMU takes the bus numbers of before the bridges were programmed: only bus 0 is what it seems.
        self.machine.functions = [f for f in self.machine.functions if f.source < 0x100]
        self.tool = AmdTool(world, self.machine)
        self.tables = Tables(self.machine.memory, random_)
        self.sources = sorted({f.source for f in self.machine.functions})
        self.counts = collections.Counter()
        self.wrong = []

    def new_tables(self):
        wide = self.random.random() < 0.5
        self.tables.make(self.sources, wide)
        self.machine.enable_unit(WIDE_INTERRUPTS if wide else 0)
        self.machine.invalidate_all()
        self.machine.save_registers()
        self.machine.trace.lines()

    def judge(self, question, ours, theirs):
        """theirs: the page that QEMU's trace says, which is 0 or the address itself where nothing is mapped."""
        iova = int(question[1], 16)
        if ours[0] == "ok":
            # QEMU's page may be larger: ours ends where the interrupt range begins.
            sizes = [1 << shift for shift in range(12, 40) if 1 << shift >= int(ours[2], 16)]
            right = theirs in {int(ours[1], 16) - (iova & size - 1) for size in sizes} or \
                theirs == int(ours[1], 16) & ~0xfff == iova & ~0xfff # everything passes
            self.counts[f"ok {ours[2]}"] += 1
        else:
            # A right that is missing in the last entry is not in the trace.
            right = theirs in (0, iova & ~0xfff) or int(ours[1]) & 0x40
            self.counts[" ".join(ours)] += 1
        if not right:
            self.wrong.append((question, ours, f"{theirs:#x}"))

    def dma_once(self):
        questions = {}
        requests = [(f, self.tables.iova(f.source), self.random.choice("rrw"))
                    for f in self.machine.functions]
        asked = [(source_text(f.source), f"{iova:#x}", access) for f, iova, access in requests]
        for (function, iova, access), question, answer in zip(requests, asked,
                                                              self.tool.ask("walk", asked)):
            inside = answer[0] == "ok" and TABLES <= int(answer[1], 16) < TARGETS
            self.machine.start_dma(function, iova, 4, access == "w" and not inside)
            questions[question[0], iova] = question, answer
        self.machine.finish_dma(self.machine.functions)
        seen = set()
        for line in self.machine.trace.lines():
            if found := RESULT.match(line):
                bus, slot, function, iova, to = (int(word, 16) for word in found.groups())
                key = source_text(bus << 8 | slot << 3 | function), iova
                if key in questions:
                    seen.add(key)
                    self.judge(*questions[key], to)
        if len(seen) != len(questions):
            raise Failure(f"the trace has {len(seen)} of {len(questions)} requests")
        self.machine.invalidate_all()

    def interrupts(self):
        sent = []
        for function in self.machine.functions:
            address = 0xfee00000 | self.random.randrange(1, 255) << 12
            data = self.random.randrange(256) # QEMU does not look at the table's length
            self.machine.interrupt(function, address, data)
            sent.append((source_text(function.source), f"{address:#x}", f"{data:#x}"))
        self.machine.settle()
        theirs = []
        for line in self.machine.trace.lines():
            if found := REQUEST.match(line):
                theirs.append(("blocked",))
            elif found := REMAPPED.match(line):
                theirs[-1] = ("ok", f"0x{found[3]}", f"0x{found[4]}")
        if len(theirs) != len(sent):
            raise Failure("the trace does not have the messages that were sent")
        for question, answer, their in zip(sent, self.tool.ask("remap", sent), theirs):
            self.counts["interrupt " + answer[0]] += 1
            if answer[:len(their)] != their:
                self.wrong.append((question, answer, their))

    def entry(self, question):
        bus, device, function = re.split("[:.]", question[0])
        source = int(bus, 16) << 8 | int(device, 16) << 3 | int(function)
        return " ".join(f"{word:#x}" for word in struct.unpack_from(
            "<4Q", self.machine.memory, DEVICES + 32 * source))

    def round(self):
        self.new_tables()
        for _ in range(ASKED_EACH_ROUND):
            self.dma_once()
        for _ in range(4):
            self.interrupts()
        if self.wrong:
            raise Failure(f"{len(self.wrong)} answers differ: " + "; ".join(
                f"{' '.join(question)}: ours {ours}, QEMU's {theirs} ({self.entry(question)})"
                for question, ours, theirs in self.wrong[:12]))


def body(world):
    need("qemu-system-x86_64")
    options = world.options
    say(f"seed {options.seed} (--seed {options.seed} asks the same again)")
    run = Run(world, random.Random(options.seed))
    for _ in range(options.rounds):
        run.round()
    say("  " + ", ".join(f"{what}: {n}" for what, n in sorted(run.counts.items())))
    check(sum(run.counts.values()) > 0, f"{sum(run.counts.values())} answers are QEMU's")
    wanted = {"ok 0x1000", "ok 0x200000", "ok 0x40000000", "interrupt ok", "interrupt blocked"}
    check(wanted <= set(run.counts) and {"ok 0x2000", "ok 0x4000", "ok 0x8000"} & set(run.counts),
          "pages of every level's size and of others, and both fates of interrupts, were among them")


def add_options(parser):
    parser.add_argument("--seed", type=int, default=int(os.environ.get("MIDPLANE_SEED", "1")))
    parser.add_argument("--rounds", type=int, default=6, help="sets of tables")


if __name__ == "__main__":
    main("amd_differential", body, as_root=False, add_options=add_options)
