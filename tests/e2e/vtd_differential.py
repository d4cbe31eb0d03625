"""Our remapping engine against QEMU's, without a guest: random tables, DMA and interrupts at random.

Devices of a QEMU that runs no guest do DMA and send MSIs through tables that we wrote into its memory; its
trace says what the unit answered. The tool answers the same questions from the same memory. Every answer must
be the same with --quirks qemu72.

    vtd_differential.py [--seed N] [--rounds N | --seconds S] [--case NAME]

Prints the seed; the same seed asks the same questions, --seconds more of them on a faster machine.
"""

import collections
import os
import random
import re
import subprocess
import time

import vtd_machine
import vtd_tables
from vtd_machine import Answers, Machine, source_text
from world import Failure, check, main, need, say

ASKED_EACH_ROUND = 20 # DMAs of each function with one set of tables
CASES = [
    # name, options of the unit, width, mode of the tables
    ("39 bits", "aw-bits=39", 39, vtd_tables.LEGACY),
    ("48 bits", "aw-bits=48", 48, vtd_tables.LEGACY),
    ("48 bits, snooping", "aw-bits=48,snoop-control=on", 48, vtd_tables.LEGACY),
    ("48 bits, no pass-through", "aw-bits=48,pt=off", 48, vtd_tables.LEGACY),
    ("48 bits, device IOTLB", "aw-bits=48,device-iotlb=on", 48, vtd_tables.LEGACY),
    ("39 bits, scalable", "aw-bits=39,x-scalable-mode=on", 39, vtd_tables.SCALABLE),
    ("48 bits, scalable", "aw-bits=48,x-scalable-mode=on", 48, vtd_tables.SCALABLE),
    ("48 bits, scalable unit, legacy tables", "aw-bits=48,x-scalable-mode=on", 48,
     vtd_tables.LEGACY),
]


# Answers that tables at random must have had somewhere, or they were not random enough.
WANTED = {"ok 0x1000", "ok 0x200000", "ok 0x40000000", "silent",
          *(f"fault {reason}" for reason in (2, 3, 4, 5, 6, 11, 12, 14, 88, 135)),
          "interrupt ok", *(f"interrupt blocked {reason}" for reason in (33, 34, 36, 38))}


class Tool:
    """The batch forms of the tool."""

    def __init__(self, world, machine):
        self.program = world.program("src/prog/midplane")
        self.machine = machine

    def ask(self, verb, questions, quirks="qemu72", *more):
        """One answer, a list of words, for each question."""
        options = ["--quirks", quirks] if quirks else []
        done = subprocess.run(
            [self.program, "iommu", verb, "--memory", self.machine.memory_path, "--registers",
             self.machine.registers_path, *options, *more, "--batch"],
            input="".join("\t".join(question) + "\n" for question in questions), text=True,
            capture_output=True, timeout=200)
        if done.returncode or done.stderr:
            raise Failure(f"the tool gave {done.returncode}: {done.stderr}")
        lines = [tuple(line.split("\t")) for line in done.stdout.splitlines()]
        if [line[:3] for line in lines] != [tuple(question) for question in questions]:
            raise Failure("the tool's lines are not those that were asked, in their order")
        return [line[3:] for line in lines]


def words_of(answer):
    """An answer of the trace in the tool's words."""
    return tuple(str(word) if answer[0] == "fault" or not isinstance(word, int) else f"{word:#x}"
                 for word in answer)


class Case:
    def __init__(self, world, random_, name, options, width, mode):
        self.world, self.random, self.name = world, random_, name
        self.machine = Machine(world, re.sub(r"\W+", "-", name), options)
        self.tool = Tool(world, self.machine)
        self.answers = Answers()
        ecap = self.machine.read64(vtd_machine.ECAP)
        self.tables = vtd_tables.Tables(self.machine.memory, random_, mode, width, ecap)
        self.counts = collections.Counter()
        self.departures = 0 # answers that are not the specification's
        self.wrong = []

    def end(self):
        self.machine.process.kill()
        self.machine.process.wait()
        self.machine.connection.close()

    # DMA.

    def new_tables(self):
        self.root = self.tables.make()
        self.machine.enable(self.root)
        self.machine.invalidate()
        self.machine.settle()
        self.machine.save_registers()
        self.answers.add(self.machine.trace.lines())

    def requests(self):
        """One request a function: (function, iova, bytes, access)."""
        made = []
        for function in self.machine.functions:
            iova = self.tables.iova()
            if self.tables.chance(10): # over the end of a page
                iova, count = iova | 0xffc, 8
            else:
                iova, count = iova & ~7, self.random.choice((1, 4, 8))
            made.append((function, iova, count, self.random.choice("rrw")))
        return made

    def pages(self, request):
        """The parts of a request that are translated one by one: (source, iova, access)."""
        function, iova, count, access = request
        parts = {iova >> 12: iova}
        parts.setdefault((iova + count - 1) >> 12, iova + count - 1)
        return [(source_text(function.source), f"{part:#x}", access) for part in parts.values()]

    def harmless(self, request, ours):
        """A write into the tables would change what the next request meets: it becomes a read."""
        function, iova, count, access = request
        leads = any(answer[0] == "ok" and vtd_tables.TABLES <= int(answer[1], 16) < vtd_tables.TARGETS
                    for answer in ours)
        return (function, iova, count, "r") if leads and access == "w" else request

    def dma_once(self):
        requests = self.requests()
        questions = [self.pages(request) for request in requests]
        flat = self.tool.ask("walk", [part for parts in questions for part in parts])
        taken = iter(flat)
        requests = [self.harmless(request, [next(taken) for _ in parts])
                    for request, parts in zip(requests, questions)]
        questions = [part for request in requests for part in self.pages(request)]
        ours = self.tool.ask("walk", questions)
        before = self.tables.used()
        for function, iova, count, access in requests:
            self.machine.start_dma(function, iova, count, access == "w")
        self.machine.finish_dma(self.machine.functions)
        self.answers.forget()
        self.answers.add(self.machine.trace.lines())
        self.compare_dma(questions, ours)
        if self.tables.used() != before:
            raise Failure("a write went into the tables")
        self.machine.invalidate(contexts=False)

    def compare_dma(self, questions, ours):
        sources = {source_text(f.source): f.source for f in self.machine.functions}
        for question, answer in zip(questions, ours):
            theirs = {words_of(a)
                      for a in self.answers.of(sources[question[0]], int(question[1], 16))}
            self.counts[{"ok": f"ok {answer[-1]}"}.get(answer[0], " ".join(answer))] += 1
            if theirs != {answer}:
                self.wrong.append((question, answer, theirs))
        specified = self.tool.ask("walk", questions, "none")
        self.departures += sum(one != other for one, other in zip(specified, ours))

    def dma_round(self):
        self.new_tables()
        for _ in range(ASKED_EACH_ROUND):
            self.dma_once()

    # Interrupts.

    def interrupt_round(self):
        sources = [function.source for function in self.machine.functions]
        size = self.random.choice((0, 3, 7, 7, 7, 9, 15))
        entries = 2 << size
        table = vtd_tables.TABLES_END
        made = [vtd_tables.interrupt_entry(self.random, sources) for _ in range(min(entries, 512))]
        self.tables.words(table, [word for entry in made for word in entry])
        self.machine.enable_interrupts(table | size, self.random.choice((0, vtd_machine.CFI)))
        self.machine.save_registers()
        self.machine.trace.lines()
        sent = []
        for _ in range(4):
            for function in self.machine.functions:
                address, data = vtd_tables.message(self.random, made, function.source)
                self.machine.interrupt(function, address, data)
                sent.append((source_text(function.source), f"{address:#x}", f"{data:#x}"))
        self.machine.settle()
        theirs = vtd_machine.interrupt_answers(self.machine.trace.lines())
        if [(f"{a:#x}", f"{d:#x}") for a, d, _ in theirs] != [(a, d) for _, a, d in sent]:
            raise Failure("the trace does not have the messages that were sent")
        ours = self.tool.ask("remap", sent)
        for question, answer, their in zip(sent, ours, theirs):
            their = words_of(their[2])
            self.counts["interrupt " + ("ok" if answer[0] == "ok" else " ".join(answer))] += 1
            # The trace has no reason of a message that was blocked.
            if answer[:len(their)] != their:
                self.wrong.append((question, answer, their))
        specified = self.tool.ask("remap", sent, "none")
        self.departures += sum(one != other for one, other in zip(specified, ours))


def explain(case):
    lines = [f"{case.name}: {len(case.wrong)} answers differ; root table at {case.root:#x}"]
    for question, ours, theirs in case.wrong[:12]:
        lines.append(f"  {' '.join(question)}: ours {ours}, QEMU's {theirs}")
    return "\n".join(lines)


def run_case(world, row, options, seconds):
    case = Case(world, random.Random(f"{options.seed} {row[0]}"), *row)
    rounds, until = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < until if seconds else rounds < options.rounds:
            case.dma_round()
            case.interrupt_round()
            if case.wrong:
                raise Failure(explain(case))
            rounds += 1
    finally:
        case.end()
    return case


def body(world):
    need("qemu-system-x86_64")
    options = world.options
    say(f"seed {options.seed} (--seed {options.seed} asks the same again)")
    rows = [row for row in CASES if options.case in (None, row[0])]
    counts, departures = collections.Counter(), 0
    for row in rows:
        case = run_case(world, row, options, options.seconds / len(rows))
        say("  " + ", ".join(f"{what}: {n}" for what, n in sorted(case.counts.items())))
        check(not case.wrong, f"{row[0]}: {sum(case.counts.values())} answers are QEMU's, and "
              f"{case.departures} of them not the specification's")
        counts += case.counts
        departures += case.departures
    if not options.case:
        check(WANTED <= set(counts), "every kind of answer was among them " +
              " ".join(sorted(WANTED - set(counts))))
        check(departures > 0, "a tool that follows the specification is told from one that follows QEMU")


def add_options(parser):
    parser.add_argument("--seed", type=int, default=int(os.environ.get("MIDPLANE_SEED", "1")))
    parser.add_argument("--rounds", type=int, default=4, help="sets of tables a case")
    parser.add_argument("--seconds", type=float, default=0, help="instead of a number of rounds")
    parser.add_argument("--case", choices=[row[0] for row in CASES])


if __name__ == "__main__":
    main("vtd_differential", body, as_root=False, add_options=add_options)
