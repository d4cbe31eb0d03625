"""Memory images with remapping tables, for tests of the tool: written by hand, so that what is expected is known."""

import json
import struct

ROOT, CONTEXTS, TOP, MIDDLE, LOW, INTERRUPTS = 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000
READ, WRITE, LARGE = 1, 2, 1 << 7
# 39 bits in 3 levels, 2 MiB and 1 GiB pages, pass-through, interrupt remapping.
CAP, ECAP = 0x00d2008c22260206, 0xf00f4a
ON = 1 << 31 | 1 << 25 # GSTS: translation and interrupt remapping


class Image:
    """Memory of 64 KiB and registers; by default one function, 00:02.0, in domain 5."""

    def __init__(self, directory, name="image"):
        self.memory = f"{directory}/{name}.raw"
        self.registers = f"{directory}/{name}.json"
        self.bytes = bytearray(64 << 10)
        self.values = {0x08: CAP, 0x10: ECAP, 0x1c: ON, 0x20: ROOT, 0xb8: INTERRUPTS | 3}
        self.words(ROOT, CONTEXTS | 1)
        self.context(0x10, TOP | 1, 5 << 8 | 1)
        self.words(TOP, MIDDLE | READ | WRITE, 0x80000000 | READ | LARGE)
        self.words(MIDDLE, LOW | READ | WRITE, 0x40200000 | READ | WRITE | LARGE)
        for page in range(4): # 0x1000 to 0x4fff lead to 0x9000 to 0xcfff
            self.words(LOW + 8 * (1 + page), 0x9000 + 0x1000 * page | READ | WRITE)
        self.words(LOW + 8 * 7, 0xd000 | READ)
        self.words(LOW + 8 * 8, 0xf000 | WRITE)
        # entry 2: vector 22h to processor 1, from 00:02.0; entry 3 the same for any function
        self.words(INTERRUPTS + 2 * 16, 1 << 40 | 0x22 << 16 | 1, 1 << 18 | 0x10)
        self.words(INTERRUPTS + 3 * 16, 1 << 40 | 0x23 << 16 | 1, 0)

    def words(self, address, *words):
        struct.pack_into(f"<{len(words)}Q", self.bytes, address, *words)

    def context(self, devfn, low, high):
        self.words(CONTEXTS + 16 * devfn, low, high)

    def save(self):
        with open(self.memory, "wb") as out:
            out.write(self.bytes)
        with open(self.registers, "w", encoding="ascii") as out:
            json.dump({f"0x{offset:03x}": f"0x{value:x}" for offset, value in self.values.items()},
                      out)
        return self

    def options(self):
        return ["--memory", self.memory, "--registers", self.registers]

    def core(self, directory):
        """The same memory as an ELF core; options with it."""
        path = f"{directory}/image.core"
        header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
            "<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        half = len(self.bytes) // 2
        headers = b"".join(struct.pack("<IIQQQQQQ", 1, 0, 0x1000 + part * half, 0, part * half, half,
                                       half, 0) for part in (0, 1))
        with open(path, "wb") as out:
            out.write((header + headers).ljust(0x1000, b"\0") + self.bytes)
        return ["--memory", path, "--registers", self.registers]


DEVICES = 0x1000 # AMD: a device table of one page, for 00:00.0 to 00:0f.7
AMD_READ, AMD_WRITE = 1 << 61, 1 << 62


class AmdImage(Image):
    """The same for a unit of AMD's: 00:02.0 in domain 5, with three levels."""

    def __init__(self, directory):
        super().__init__(directory, "amd")
        self.bytes = bytearray(64 << 10)
        self.values = {0x00: DEVICES, 0x18: 1, 0x30: 0}
        self.device(0x10, TOP | 3 << 9 | 3 | AMD_READ | AMD_WRITE, 5,
                    2 << 60 | INTERRUPTS | 4 << 1 | 1)
        both = AMD_READ | AMD_WRITE
        self.words(TOP, MIDDLE | 2 << 9 | both | 1)
        self.words(MIDDLE, LOW | 1 << 9 | both | 1, 0x40200000 | both | 1)
        self.words(LOW + 8, 0x9000 | both | 1, 0xa000 | both | 1, 0xd000 | AMD_READ | 1)
        for page in range(4): # one page of 16 KiB
            self.words(LOW + 8 * (8 + page), 0x10000 | 1 << 12 | 7 << 9 | both | 1)
        # entry 2: vector 22h to processor 1
        struct.pack_into("<I", self.bytes, INTERRUPTS + 8, 0x22 << 16 | 1 << 8 | 1)

    def device(self, source, *words):
        self.words(DEVICES + 32 * source, *words)

    def options(self):
        return [*super().options(), "--format", "amd"]
