"""A PC without a guest whose devices and remapping unit a script drives, and the answers of its trace.

QEMU runs with its translator and a processor that halts at the reset vector; everything happens over its
"qtest" socket: registers are written, and functions of the teaching device `edu` do DMA and send MSIs at any
address. The machine's memory is a file that the script maps, so tables are written in place and the very same
file is the image that our tool reads.
"""

import collections
import json
import mmap
import os
import re
import socket
import subprocess

MEMORY_BYTES = 64 << 20
UNIT = 0xfed90000          # the unit's registers
VER, CAP, ECAP, GCMD, GSTS, RTADDR, CCMD, FSTS = 0x00, 0x08, 0x10, 0x18, 0x1c, 0x20, 0x28, 0x34
IRTA, IOTLB, FRCD = 0xb8, 0xf8, 0x220
SRTP, TE, SIRTP, IRE, CFI = 1 << 30, 1 << 31, 1 << 24, 1 << 25, 1 << 23

BAR_BASE, BAR_SIZE = 0x80000000, 0x100000 # one a function
EDU_INTERRUPT, EDU_SOURCE, EDU_TARGET, EDU_COUNT, EDU_COMMAND = 0x60, 0x80, 0x88, 0x90, 0x98
EDU_BUFFER = 0x40000       # the device's own memory, 4 KiB
EDU_RUN, EDU_TO_MEMORY = 1, 2
MSI_CONTROL, MSI_ADDRESS, MSI_ADDRESS_HIGH, MSI_DATA = 0x42, 0x44, 0x48, 0x4c

HALT = b"\xfa\xf4\xeb\xfd" # cli; hlt; jmp to the hlt


def source_text(source):
    return f"{source >> 8:02x}:{source >> 3 & 31:02x}.{source & 7}"


Function = collections.namedtuple("Function", "path source bar")
"""path: where its configuration space is (bus << 8 | devfn); source: whom the unit sees; bar: its registers."""


class Trace:
    """What the unit said, since the last look."""

    def __init__(self, path):
        self.file = open(path, encoding="ascii", errors="replace")
        self.rest = ""

    def lines(self):
        text = self.rest + self.file.read()
        *lines, self.rest = text.split("\n")
        return lines


class Machine:
    def __init__(self, world, name, unit_options):
        self.dir = os.path.join(world.dir, name)
        os.mkdir(self.dir)
        self.memory_path = os.path.join(self.dir, "memory")
        self.registers_path = os.path.join(self.dir, "registers.json")
        with open(self.memory_path, "w+b") as memory:
            memory.truncate(MEMORY_BYTES)
            self.memory = mmap.mmap(memory.fileno(), MEMORY_BYTES)
        with open(os.path.join(self.dir, "halt.bin"), "wb") as bios:
            bios.write(b"\0" * 0xfff0 + HALT.ljust(0x10, b"\0"))
        self.functions = []
        self.pending = 0
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(self.dir, "qtest"))
        listener.listen()
        listener.settimeout(200)
        trace = os.path.join(self.dir, "trace.log")
        open(trace, "w", encoding="ascii").close()
        self.process = world.process(*self.command(unit_options, trace), cwd=self.dir)
        self.connection = listener.accept()[0]
        listener.close()
        self.connection.settimeout(200)
        self.stream = self.connection.makefile("rb")
        self.trace = Trace(trace)
        self.set_up()

    # The topology: functions on bus 0 on both sides of device-function 128, on bus 1 behind a root port,
    # and on bus 3 behind a bridge from PCI Express to PCI, whose requests all carry 03:00.0.
    SLOTS = [1, 2, 16, 24]
    UNIT_DEVICE = "intel-iommu,intremap=on"
    EVENTS = ["vtd_dmar_*", "vtd_iotlb_page_*", "vtd_fault_*", "vtd_ir_*", "vtd_switch_*"]

    def command(self, unit_options, trace):
        args = ["qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off",
                "-M", "q35,kernel-irqchip=split,memory-backend=ram", "-m", f"{MEMORY_BYTES >> 20}M",
                "-object", f"memory-backend-file,id=ram,size={MEMORY_BYTES >> 20}M,share=on,"
                           f"mem-path={self.memory_path}",
                "-nodefaults", "-no-user-config", "-display", "none", "-bios", "halt.bin",
                "-qtest", "unix:qtest", "-qtest-log", "/dev/null", "-D", trace,
                "-device", f"{self.UNIT_DEVICE},{unit_options}".rstrip(",")]
        for event in self.EVENTS:
            args += ["-trace", event]
        for slot in self.SLOTS:
            for function in range(8):
                args += self.edu("pcie.0", slot, function)
        args += ["-device", "pcie-root-port,id=port1,bus=pcie.0,addr=3.0,chassis=1,slot=1",
                 "-device", "pcie-root-port,id=port2,bus=pcie.0,addr=4.0,chassis=2,slot=2",
                 "-device", "pcie-pci-bridge,id=bridge,bus=port2,addr=0.0"]
        for function in range(4):
            args += self.edu("port1", 0, function)
        return [*args, *self.edu("bridge", 1, 0)]

    def edu(self, bus, slot, function):
        path = {"pcie.0": 0, "port1": 1, "bridge": 3}[bus] << 8 | slot << 3 | function
        source = 0x300 if bus == "bridge" else path
        self.functions.append(Function(path, source, BAR_BASE + len(self.functions) * BAR_SIZE))
        return ["-device", f"edu,bus={bus},addr={slot:x}.{function},multifunction=on,"
                           f"dma_mask=0xffffffffffffffff"]

    def send(self, *commands):
        """Sends commands without waiting for their answers; settle() does."""
        self.connection.sendall("".join(command + "\n" for command in commands).encode())
        self.pending += len(commands)
        if self.pending > 400:
            self.settle()

    def settle(self):
        """Waits for the answers of all commands; the last one's value."""
        answer = b""
        while self.pending:
            answer = self.stream.readline()
            if not answer.startswith(b"OK"):
                raise RuntimeError(f"QEMU says {answer!r}")
            self.pending -= 1
        words = answer.split()
        return int(words[1], 16) if len(words) > 1 else None

    def ask(self, command):
        self.send(command)
        return self.settle()

    def read32(self, offset):
        return self.ask(f"readl {UNIT + offset:#x}") & 0xffffffff

    def read64(self, offset):
        return self.ask(f"readq {UNIT + offset:#x}")

    def write32(self, offset, value):
        self.send(f"writel {UNIT + offset:#x} {value:#x}")

    def write64(self, offset, value):
        self.send(f"writeq {UNIT + offset:#x} {value:#x}")

    def config_write(self, path, offset, value, size=4):
        port, letter = 0xcfc + offset % 4, {1: "b", 2: "w", 4: "l"}[size]
        self.send(f"outl 0xcf8 {1 << 31 | path << 8 | offset & ~3:#x}",
                  f"out{letter} {port:#x} {value:#x}")

    def set_up(self):
        for path, buses in ((3 << 3, 0x00010100), (4 << 3, 0x00030200), (2 << 8, 0x00030302)):
            members = [f for f in self.functions if buses >> 8 & 0xff <= f.path >> 8 <= buses >> 16]
            self.config_write(path, 0x18, buses)
            first, last = members[0].bar, members[-1].bar + BAR_SIZE - 1
            self.config_write(path, 0x20, first >> 16 & 0xfff0 | last & 0xfff00000)
            self.config_write(path, 0x04, 6)
        for function in self.functions:
            self.config_write(function.path, 0x10, function.bar)
            self.config_write(function.path, 0x04, 6)
            if self.ask(f"readl {function.bar:#x}") & 0xff != 0xed:
                raise RuntimeError(f"no edu at {function.bar:#x}")

    # The unit.

    def enable(self, root):
        """Translation on, with the root table and its mode."""
        self.write64(RTADDR, root)
        self.write32(GCMD, SRTP)
        self.write32(GCMD, TE)
        self.settle()

    def enable_interrupts(self, table, compatibility=0):
        status = self.read32(GSTS) & TE
        self.write64(IRTA, table)
        self.write32(GCMD, status | SIRTP)
        self.write32(GCMD, status | IRE)
        self.write32(GCMD, status | IRE | compatibility)
        self.settle()

    def invalidate(self, contexts=True):
        if contexts:
            self.write64(CCMD, 1 << 63 | 1 << 61)
        self.write64(IOTLB, 1 << 63 | 1 << 60)
        self.write32(FSTS, 0xff)
        self.write32(FRCD + 12, 1 << 31)

    def save_registers(self):
        """The unit's registers in the form that the tool reads."""
        registers = {f"0x{offset:03x}": f"0x{self.read64(offset):016x}"
                     for offset in (CAP, ECAP, RTADDR, IRTA)}
        registers[f"0x{GSTS:03x}"] = f"0x{self.read32(GSTS):08x}"
        with open(self.registers_path, "w", encoding="ascii") as out:
            json.dump(registers, out)
        return registers

    # The functions.

    def start_dma(self, function, iova, count, to_memory):
        bar = function.bar
        source, target = (EDU_BUFFER, iova) if to_memory else (iova, EDU_BUFFER)
        self.send(f"writeq {bar + EDU_SOURCE:#x} {source:#x}",
                  f"writeq {bar + EDU_TARGET:#x} {target:#x}",
                  f"writeq {bar + EDU_COUNT:#x} {count}",
                  f"writeq {bar + EDU_COMMAND:#x} {EDU_RUN | (EDU_TO_MEMORY if to_memory else 0)}")

    def finish_dma(self, functions):
        """Waits until none of the functions is at work; the clock runs as fast as it can."""
        for function in functions:
            while self.ask(f"readq {function.bar + EDU_COMMAND:#x}") & EDU_RUN:
                pass

    def interrupt(self, function, address, data):
        """Makes a function send an MSI; done when its answer is in the trace."""
        self.config_write(function.path, MSI_ADDRESS, address & 0xffffffff)
        self.config_write(function.path, MSI_ADDRESS_HIGH, address >> 32)
        self.config_write(function.path, MSI_DATA, data)
        self.config_write(function.path, MSI_CONTROL, 1, 2)
        self.send(f"writel {function.bar + EDU_INTERRUPT:#x} 1")


TRANSLATE = re.compile(r"vtd_dmar_translate dev (\w\w):(\w\w)\.(\w\w) iova 0x(\w+) -> gpa 0x(\w+) mask 0x(\w+)")
FAULT = re.compile(r"vtd_dmar_fault sid 0x(\w+) fault (\d+) addr 0x(\w+) write (\d)")
SWITCH = re.compile(r"vtd_switch_address_space Device (\w\w):(\w\w)\.(\w) switching address space "
                    r"\(iommu enabled=(\d)\)")
REQUEST = re.compile(r"vtd_ir_remap_msi_req addr 0x(\w+) data 0x(\w+)")
REMAPPED = re.compile(r"vtd_ir_remap_msi \(addr 0x(\w+), data 0x(\w+)\) -> \(addr 0x(\w+), data 0x(\w+)\)")


class Answers:
    """What a trace says of DMA: translations and faults of each source, and who is not translated at all."""

    def __init__(self):
        self.pages = collections.defaultdict(set)  # source: {(first iova, address, mask)}
        self.faults = collections.defaultdict(set) # source, number of the page: {reason}
        self.translated = {}                       # source: whether its DMA passes the unit

    def add(self, lines):
        for line in lines:
            if found := TRANSLATE.match(line):
                bus, slot, function, *page = (int(word, 16) for word in found.groups())
                self.pages[bus << 8 | slot << 3 | function].add(tuple(page))
            elif found := FAULT.match(line):
                self.faults[int(found[1], 16), int(found[3], 16) >> 12].add(int(found[2]))
            elif found := SWITCH.match(line):
                source = int(found[1], 16) << 8 | int(found[2], 16) << 3 | int(found[3])
                self.translated[source] = found[4] == "1"

    def forget(self):
        """Before the next requests; who is translated stays."""
        self.pages.clear()
        self.faults.clear()

    def of(self, source, iova):
        """All answers to a request: ("ok", address, page size), ("fault", reason); ("silent",) when the trace
        has none."""
        if not self.translated.get(source, False):
            return {("ok", iova, 0x1000)}
        found = {("ok", address + (iova & mask), mask + 1)
                 for first, address, mask in self.pages[source] if iova & ~mask == first}
        found |= {("fault", reason) for reason in self.faults[source, iova >> 12]}
        return found or {("silent",)}


def interrupt_answers(lines):
    """[(address, data, answer)] in the order of the trace; ("ok", address, data) or ("blocked",)."""
    answers = []
    for line in lines:
        if found := REQUEST.match(line):
            answers.append((int(found[1], 16), int(found[2], 16), ("blocked",)))
        elif found := REMAPPED.match(line):
            answers[-1] = (*answers[-1][:2], ("ok", int(found[3], 16), int(found[4], 16)))
    return answers
