"""Tables written by Linux: our engine gives the answers that QEMU's gave.

A Debian kernel boots behind QEMU's `intel-iommu`. Its drivers map what a disk and a network card need; a
program maps memory of many sizes for the teaching device `edu` through VFIO and has it do DMA there, where it may
and where it may not. Then the machine is stopped, its memory saved (raw, and as an ELF core), and every
translation, page table leaf, fault and interrupt message of QEMU's trace that is still true is asked of the
tool.
"""

import collections
import json
import os
import re
import subprocess
import time

import qmp
from world import Failure, check, facts, guests, image, in_time, main, need, say
from vtd_machine import FAULT, REMAPPED, TRANSLATE, source_text

UNIT = 0xfed90000
REGISTERS = [0x008, 0x00c, 0x010, 0x014, 0x01c, 0x020, 0x024, 0x0b8, 0x0bc]
EDU_SLOTS = range(8, 14) # the first four functions share an address space
DMA_ROUNDS = 40
CASES = [
    # name, options of the unit, arguments of the kernel
    ("39-bit", "aw-bits=39", "intel_iommu=on,sm_off"),
    ("48-bit", "aw-bits=48", "intel_iommu=on,sm_off"),
    ("scalable", "aw-bits=48,x-scalable-mode=on", "intel_iommu=on,sm_on"),
]


class Guest(guests.QemuGuest):
    """A PC behind a remapping unit, with a disk, a network card and edu functions, and a trace."""

    memory_mb = 512

    def __init__(self, world, name, unit, kernel):
        disk = os.path.join(world.dir, name + ".disk")
        with open(disk, "wb") as out:
            out.truncate(16 << 20)
        self.monitor_path = os.path.join(world.dir, name + ".qmp")
        self.trace_path = os.path.join(world.dir, name + ".trace")
        extra = ["-device", f"intel-iommu,intremap=on,{unit}",
                 "-drive", f"file={disk},if=none,id=d0,format=raw,cache=unsafe",
                 "-device", "nvme,drive=d0,serial=1,addr=4",
                 "-netdev", "user,id=u0,restrict=on",
                 "-device", "virtio-net-pci,netdev=u0,addr=5,disable-legacy=on,iommu_platform=on",
                 *qmp.arguments(self.monitor_path), "-D", self.trace_path]
        for slot in EDU_SLOTS:
            extra += ["-device", f"edu,addr={slot:x},dma_mask=0xffffffffffffffff"]
        for event in ("vtd_dmar_*", "vtd_iotlb_page_update", "vtd_ir_remap_msi", "vtd_ir_irte_get",
                      "vtd_inv_desc*", "vtd_reg_dmar_root"):
            extra += ["-trace", event]
        super().__init__(name, world.dir, [],
                         {"vfio_edu": world.program("tests/guests/vfio_edu")},
                         # On a busy machine the translator misses the ticks that Linux waits for to test
                         # its timer, and Linux then panics.
                         kernel_args=f"{kernel} no_timer_check iommu.passthrough=0 iommu.strict=1 "
                                     "vfio_iommu_type1.dma_entry_limit=65535 hugepages=16",
                         modules=image.VFIO_MODULES, extra=extra)

    def command(self):
        return ["q35,kernel-irqchip=split" if word == "q35" else word for word in super().command()]


class MemoryMonitor(qmp.Monitor):
    def word(self, address):
        text = self.do("human-monitor-command", **{"command-line": f"xp /1wx {address:#x}"})
        return int(text.split()[-1], 16)


class Truth:
    """What a trace says that is still true at its end: an invalidation ends what was said before it."""

    LEAF = re.compile(r"vtd_iotlb_page_update IOTLB page update sid 0x(\w+) iova 0x(\w+) slpte 0x(\w+) "
                      r"domain 0x(\w+)")
    ENTRY = re.compile(r"vtd_ir_irte_get index (\d+) low 0x(\w+) high 0x(\w+)")
    PAGES = re.compile(r"vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x(\w+) addr 0x(\w+) mask 0x(\w+)")
    DOMAIN = re.compile(r"vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x(\w+)")
    EVERYTHING = re.compile(r"vtd_inv_desc_iotlb_|vtd_inv_desc_cc_|vtd_reg_dmar_root")

    def __init__(self, path):
        self.pages = {}    # (source, first, last): address
        self.leaves = {}   # (source, first, last): leaf entry
        self.faults = {}   # (source, first, last): (reason, "r" or "w")
        self.messages = {} # (address, data): address and data as remapped, and the entry used
        self.domains = {}  # source: domain
        self.counts = collections.Counter()
        self.entry = None  # (index, lower word, upper word) of the last interrupt entry used
        with open(path, encoding="ascii", errors="replace") as trace:
            for line in trace:
                self.read(line)

    def read(self, line):
        if found := TRANSLATE.match(line):
            bus, slot, function, first, address, mask = (int(word, 16) for word in found.groups())
            self.counts["translations"] += 1
            self.pages[bus << 8 | slot << 3 | function, first, first | mask] = address
        elif found := self.LEAF.match(line):
            source, iova, leaf, domain = (int(word, 16) for word in found.groups())
            self.domains[source] = domain
            self.leaves[source, iova, iova] = leaf
        elif found := FAULT.match(line):
            source, iova = int(found[1], 16), int(found[3], 16)
            # One DMA faults many times in a page.
            self.faults[source, iova & ~0xfff, iova | 0xfff] = \
                int(found[2]), "w" if found[4] == "1" else "r"
        elif found := self.ENTRY.match(line):
            # QEMU says "low" of the entry's upper word.
            self.entry = int(found[1]), int(found[3], 16), int(found[2], 16)
        elif found := REMAPPED.match(line):
            self.counts["messages"] += 1
            self.messages[int(found[1], 16), int(found[2], 16)] = \
                int(found[3], 16), int(found[4], 16), self.entry
        else:
            self.invalidate(line)

    def invalidate(self, line):
        if found := self.PAGES.match(line):
            domain, first, mask = (int(word, 16) for word in found.groups())
            self.end(lambda key: self.domains.get(key[0]) == domain and
                     key[2] >= first and key[1] < first + (4096 << mask))
        elif found := self.DOMAIN.match(line):
            self.end(lambda key: self.domains.get(key[0]) == int(found[1], 16))
        elif self.EVERYTHING.match(line):
            self.end(lambda key: True)

    def end(self, ended):
        for said in (self.pages, self.leaves, self.faults):
            for key in [key for key in said if ended(key)]:
                del said[key]


class Tool:
    def __init__(self, world, memory, registers):
        self.program = world.program("src/prog/midplane")
        self.memory, self.registers = memory, registers

    def run(self, verb, *options, text=None):
        return subprocess.run([self.program, "iommu", verb, "--memory", self.memory, "--registers",
                               self.registers, *options], input=text, text=True,
                              capture_output=True, timeout=200)

    def ask(self, verb, questions, *options):
        done = self.run(verb, "--batch", *options,
                        text="".join("\t".join(question) + "\n" for question in questions))
        if done.returncode or done.stderr:
            raise Failure(f"the tool gave {done.returncode}: {done.stderr}")
        lines = [tuple(line.split("\t")) for line in done.stdout.splitlines()]
        if [line[:3] for line in lines] != questions:
            raise Failure("the tool's lines are not those that were asked, in their order")
        return [line[3:] for line in lines]


def judge(what, questions, expected, answers):
    wrong = [f"{' '.join(question)}: ours {ours}, QEMU's {theirs}"
             for question, theirs, ours in zip(questions, expected, answers) if theirs != ours]
    check(not wrong, f"{len(questions)} {what} are QEMU's" +
          ("" if not wrong else f", but {len(wrong)}: " + "; ".join(wrong[:5])))


def judge_dma(tool, truth):
    questions, expected = [], []
    for (source, first, last), address in sorted(truth.pages.items()):
        questions.append((source_text(source), f"{first:#x}", "-"))
        expected.append(("ok", f"{address:#x}", f"{last - first + 1:#x}"))
    judge("translations", questions, expected, tool.ask("walk", questions, "--quirks", "qemu72"))
    judge("translations by the specification", questions, expected, tool.ask("walk", questions))

    questions, expected = [], []
    for (source, iova, _), leaf in sorted(truth.leaves.items()):
        for bit, access in ((1, "r"), (2, "w")):
            questions.append((source_text(source), f"{iova:#x}", access))
            expected.append("ok" if leaf & bit else "fault")
    answers = [answer[0] for answer in tool.ask("walk", questions)]
    judge("rights of page table leaves", questions, expected, answers)

    questions, expected = [], []
    for (source, iova, _), (reason, access) in sorted(truth.faults.items()):
        questions.append((source_text(source), f"{iova:#x}", access))
        expected.append(("fault", str(reason)))
    judge("faults", questions, expected, tool.ask("walk", questions, "--quirks", "qemu72"))


def judge_interrupts(tool, truth):
    """Messages of the trace whose entry is in memory as it was then."""
    present = {entry["index"]: tuple(int(word, 16) for word in entry["words"])
               for entry in json.loads(tool.run("dump", "-o", "json").stdout)["interrupts"]}
    questions, expected, strangers = [], [], []
    for (address, data), (to, value, entry) in sorted(truth.messages.items()):
        if not address & 1 << 4 or present.get(entry[0]) != entry[1:]:
            continue # compatibility format, from before Linux came up; or the entry is another now
        source = entry[2] & 0xffff
        question = (source_text(source), f"{address:#x}", f"{data:#x}")
        questions.append(question)
        expected.append(("ok", f"{to:#x}", f"{value:#x}", str(entry[0])))
        strangers.append((source_text(source ^ 0x100), *question[1:]))
    check(len(questions) > 3, f"{len(questions)} messages went by entries that are still the same")
    judge("interrupt messages", questions, expected,
          tool.ask("remap", questions, "--quirks", "qemu72"))
    blocked = set(tool.ask("remap", strangers))
    check(blocked == {("blocked", "38")}, "the same messages of a stranger are blocked (reason 38)")


def judge_whole(tool, truth, mapped):
    """The list of all mappings, and the check of the tables."""
    done = tool.run("dump", "-o", "json")
    domains = json.loads(done.stdout)["domains"]
    places = {}
    for domain in domains:
        spans = [(int(m["iova"], 16), int(m["last"], 16), int(m["address"], 16))
                 for m in domain["mappings"]]
        for user in domain["functions"]:
            places[user["function"]] = spans
    lost = [key for key, address in truth.pages.items()
            if not any(first <= key[1] <= last and to + key[1] - first == address
                       for first, last, to in places[source_text(key[0])])]
    check(not lost, f"every translation is in the list of {sum(map(len, places.values()))} mappings")
    pages = sum(m["pages"] for domain in domains for m in domain["mappings"])
    check(pages >= mapped, f"the list has all {mapped} ranges that the program mapped ({pages} pages)")
    sizes = {m["page_size"] for domain in domains for m in domain["mappings"]}
    check({"0x1000", "0x200000"} <= sizes, "there are pages of 4 KiB and 2 MiB among them")
    done = tool.run("check")
    check(done.returncode == 0, f"the tables of Linux have nothing forbidden: {done.stdout.strip()}")


def take_functions(guest):
    """Gives the edu functions to vfio-pci; their PCI addresses."""
    addresses = [f"0000:00:{slot:02x}.0" for slot in EDU_SLOTS]
    guest.run("echo 1234 11e8 >/sys/bus/pci/drivers/vfio-pci/new_id")
    guest.run(f"test -e /sys/bus/pci/drivers/vfio-pci/{addresses[-1]}")
    return addresses


def work(guest):
    """Has the guest's drivers and the program do DMA; how many ranges the program has mapped."""
    addresses = take_functions(guest)
    guest.address("eth0", "10.0.2.15/24")
    guest.run("ping -c 3 -i 0.2 -W 2 10.0.2.2", check=False)
    guest.run("dd if=/dev/zero of=/dev/nvme0n1 bs=64k count=20 conv=fsync 2>/dev/null")
    guest.run("dd if=/dev/nvme0n1 of=/dev/null bs=64k count=20 2>/dev/null")
    shared, alone = ",".join(addresses[:4]), ",".join(addresses[4:])
    guest.spawn(f"vfio_edu 1 {DMA_ROUNDS} {shared} {alone}", "edu")

    def told():
        said = guest.run("cat /tmp/edu.out; cat /tmp/edu.code 2>/dev/null", check=False).text
        if "vfio_edu" in said:
            raise Failure(said)
        return said if "mapped=" in said else ""

    figures = facts(in_time(told))
    time.sleep(0.5) # what the drivers have to do comes to its end
    return int(figures["mapped"])


def save(world, guest, monitor):
    """Stops the machine; files with its memory (raw, ELF core, ELF core by virtual addresses) and registers."""
    raw, core, virtual, registers = (os.path.join(world.dir, guest.name + end)
                                     for end in (".raw", ".core", ".virtual", ".json"))
    monitor.do("stop")
    monitor.do("pmemsave", val=0, size=guest.memory_mb << 20, filename=raw)
    monitor.do("dump-guest-memory", paging=False, protocol="file:" + core)
    monitor.do("dump-guest-memory", paging=True, protocol="file:" + virtual)
    with open(registers, "w", encoding="ascii") as out:
        json.dump({f"0x{offset:03x}": f"0x{monitor.word(UNIT + offset):08x}" for offset in REGISTERS},
                  out)
    return raw, core, virtual, registers


def run_case(world, name, unit, kernel):
    say(f"{name}:")
    guest = Guest(world, name, unit, kernel)
    world.guest(guest).wait_ready(200) # a busy machine
    monitor = MemoryMonitor(guest.monitor_path)
    mapped = work(guest)
    raw, core, virtual, registers = save(world, guest, monitor)
    guest.stop()
    truth = Truth(guest.trace_path)
    say(f"  booted in {guest.booted_s:.1f} s; the trace has {truth.counts['translations']} translations "
        f"and {truth.counts['messages']} messages")
    check(len(truth.pages) > 100 and len(truth.faults) > 10,
          f"{len(truth.pages)} translations and {len(truth.faults)} faults of it are still true")
    for kind, path in (("raw image", raw), ("ELF core", core),
                       ("ELF core by virtual addresses", virtual)):
        say(f"  from the {kind}")
        tool = Tool(world, path, registers)
        judge_dma(tool, truth)
        judge_interrupts(tool, truth)
        judge_whole(tool, truth, mapped)
        os.unlink(path)


def body(world):
    need("qemu-system-x86_64")
    for case in CASES:
        if world.options.case in (None, case[0]):
            run_case(world, *case)


def add_options(parser):
    parser.add_argument("--case", choices=[case[0] for case in CASES])


main("vtd_linux", body, as_root=False, add_options=add_options)
