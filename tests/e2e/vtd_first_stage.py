"""Our walk of first-stage tables against QEMU 11's, without a guest (make test-first-stage).

As vtd_differential.py, with a unit that has first-stage translation (fsts=on), which Debian 12's QEMU has not, and
without a set of quirks for it. So entries are wrong in many ways, and the claim is: what one lets pass leads to the
same place and page in the other; what one refuses the other refuses; and with the same reason, but for what QEMU is
known to do otherwise:

- a right that an entry lacks, or US, is reported at that entry, before its reserved bits and the entries below;
- a page that touches the interrupt range is refused as a whole.

    vtd_first_stage.py [--seed N] [--rounds N]
"""

import collections
import os
import random

from vtd_differential import Tool, words_of
from vtd_machine import Answers, Machine, source_text
from vtd_tables import INTERRUPTS, NOWHERE, NOWHERE_END, PAGE, TABLES, TARGETS, TARGETS_END, Tables
from world import Failure, check, main, newer_qemu, say

WIDTH, LEVELS = 48, 4
PRESENT, WRITABLE, USER, USED, LARGE = 1, 2, 4, 0x60, 0x80 # USED: accessed and dirty
SPACES = 8                 # sets of top tables; a function has one of them
ASKED_EACH_ROUND = 12
NOT_THERE, ABSENT, RESERVED, US, CANONICAL, WRITE, INTERRUPT = 112, 113, 114, 129, 128, 133, 135
# Ours, QEMU's.
EARLIER = {(ours, theirs) for ours in (NOT_THERE, ABSENT, RESERVED, US) for theirs in (WRITE, US)}
WANTED = {"ok 0x1000", "ok 0x200000", "ok 0x40000000",
          *(f"fault {reason}" for reason in (NOT_THERE, ABSENT, RESERVED, US, CANONICAL, WRITE, INTERRUPT))}


class NewerMachine(Machine):
    def command(self, unit_options, trace):
        return [*newer_qemu(), *super().command(unit_options, trace)[1:]]


class FirstStage(Tables):
    """First-stage tables below one root table."""

    def first_stage_entry(self, level, below):
        random_ = self.random
        if self.chance(6):
            return random_.getrandbits(64) & ~PRESENT if self.chance(50) else 0
        entry = PRESENT | USED | (0 if self.chance(15) else WRITABLE) | (0 if self.chance(8) else USER)
        if level == 1 or (level <= 3 and self.chance(35)):
            entry |= self.target(level) | (LARGE if level > 1 else 0)
        elif self.chance(1.5): # to nowhere, or beyond the host's width
            entry |= random_.choice([random_.randrange(NOWHERE, NOWHERE_END) & ~(PAGE - 1),
                                     1 << random_.randrange(self.width, 52) | random_.choice(below)])
        else:
            entry |= random_.choice(below)
        if self.chance(10): # available and ignored bits, execute-disable, global
            entry |= random_.getrandbits(64) & 0xfff0000000000e18
        if self.chance(3):
            entry |= 1 << random_.choice((7, 51, 63, random_.randrange(12, 64)))
        return entry

    def make(self):
        self.next_page = TABLES
        below = []
        for level in range(1, LEVELS + 1):
            pages = [self.page() for _ in range((0, 6, 5, 4, SPACES)[level])]
            for page in pages:
                self.words(page, [self.first_stage_entry(level, below) for _ in range(512)])
            below = pages
        directories = []
        for domain, top in enumerate(below):
            table, directory = self.page(), self.page()
            self.words(table, [1 << 6 | (LEVELS - 2) << 2 | 1, domain + 1, top, 0, 0, 0, 0, 0])
            self.words(directory, [table | 1])
            directories.append(directory)
        contexts = self.page()
        self.words(contexts, [word for devfn in range(128)
                              for word in (directories[devfn % SPACES] | 1, 0, 0, 0)])
        root = self.page()
        self.words(root, [contexts | 1] * 512)
        return root | 1 << 10

    def iova(self):
        iova = self.random.getrandbits(self.width - 1)
        if self.chance(20): # the upper half
            iova |= -1 << (self.width - 1) & 2**64 - 1
        elif self.chance(4):
            iova = self.random.getrandbits(64)
        return 0 if iova in INTERRUPTS else iova & ~7


class Comparison:
    def __init__(self, world, seed):
        self.random = random.Random(seed)
        self.machine = NewerMachine(world, "first", "aw-bits=48,scalable-mode=on,fsts=on")
        self.tool = Tool(world, self.machine)
        self.tables = FirstStage(self.machine.memory, self.random, 1, WIDTH, 0)
        self.answers = Answers()
        self.counts = collections.Counter()
        self.wrong = []

    def end(self):
        self.machine.process.kill()
        self.machine.process.wait()
        self.machine.connection.close()

    def round(self):
        self.machine.enable(self.tables.make())
        self.machine.invalidate()
        self.machine.settle()
        self.machine.save_registers()
        self.answers.add(self.machine.trace.lines())
        for _ in range(ASKED_EACH_ROUND):
            self.ask()

    def ask(self):
        requests = [(f, self.tables.iova(), self.random.choice("rrw")) for f in self.machine.functions]
        ours = self.walk(requests)
        # A write into the tables would change what the next request meets: it becomes a read.
        requests = [(f, iova, "r" if answer[0] == "ok" and TABLES <= int(answer[1], 16) < TARGETS else access)
                    for (f, iova, access), answer in zip(requests, ours)]
        ours = self.walk(requests)
        for function, iova, access in requests:
            self.machine.start_dma(function, iova, 8, access == "w")
        self.machine.finish_dma(self.machine.functions)
        self.answers.forget()
        self.answers.add(self.machine.trace.lines())
        for (function, iova, access), answer in zip(requests, ours):
            theirs = {words_of(a) for a in self.answers.of(function.source, iova)}
            self.compare((source_text(function.source), f"{iova:#x}", access), answer, theirs)
        self.machine.invalidate(contexts=False)

    def walk(self, requests):
        return self.tool.ask("walk", [(source_text(f.source), f"{iova:#x}", access)
                                      for f, iova, access in requests], "none")

    def compare(self, question, ours, theirs):
        self.counts[f"ok {ours[-1]}" if ours[0] == "ok" else " ".join(ours)] += 1
        if theirs == {ours}:
            return
        refused = [int(answer[1]) for answer in theirs if answer[0] == "fault"]
        if ours[0] == "ok" and touches_interrupts(ours) and (refused == [INTERRUPT] or theirs == {("silent",)}):
            self.counts["(its whole page refused there)"] += 1
        elif ours[0] == "fault" and len(refused) == len(theirs) == 1 and (int(ours[1]), refused[0]) in EARLIER:
            self.counts["(refused at an earlier entry there)"] += 1
        else:
            self.wrong.append((question, ours, theirs))


def touches_interrupts(answer):
    address, size = int(answer[1], 16), int(answer[2], 16)
    first = address & ~(size - 1)
    return first < INTERRUPTS.stop and first + size > INTERRUPTS.start


def body(world):
    say(f"seed {world.options.seed} (--seed {world.options.seed} asks the same again)")
    comparison = Comparison(world, world.options.seed)
    try:
        for _ in range(world.options.rounds):
            comparison.round()
            if comparison.wrong:
                raise Failure("\n".join(f"  {' '.join(question)}: ours {ours}, QEMU's {theirs}"
                                        for question, ours, theirs in comparison.wrong[:12]))
    finally:
        comparison.end()
    say("  " + ", ".join(f"{what}: {n}" for what, n in sorted(comparison.counts.items())))
    asked = sum(n for what, n in comparison.counts.items() if what[0] != "(")
    check(asked > 0, f"{asked} answers are QEMU's")
    check(WANTED <= set(comparison.counts), "every kind of answer was among them " +
          " ".join(sorted(WANTED - set(comparison.counts))))


def add_options(parser):
    parser.add_argument("--seed", type=int, default=int(os.environ.get("MIDPLANE_SEED", "1")))
    parser.add_argument("--rounds", type=int, default=12, help="sets of tables")


if __name__ == "__main__":
    main("vtd_first_stage", body, as_root=False, add_options=add_options)
