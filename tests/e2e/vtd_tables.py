"""Random VT-d tables in a mapped memory: mostly right, some wrong in one place.

What is written follows docs/iommu.md's table of formats; what it means is for the judges to say. Table pages
lie in one area of memory and the pages that entries lead to in another, so that a device that writes where it
is led to does not change the tables.
"""

import struct

PAGE = 4096
TABLES = 16 << 20          # tables lie from here ...
TABLES_END = 24 << 20
TARGETS, TARGETS_END = 32 << 20, 64 << 20 # ... and what is mapped lies here or outside of memory
INTERRUPTS = range(0xfee00000, 0xfef00000)
# Neither memory nor a device's registers: from the end of memory to the functions' registers.
NOWHERE, NOWHERE_END = 64 << 20, 0x80000000

LEGACY, SCALABLE = 0, 1


class Tables:
    """One set of tables. Everything is drawn from 'random', so a seed makes the same set again."""

    def __init__(self, memory, random, mode, width, ecap):
        self.memory, self.random, self.mode = memory, random, mode
        self.width = width   # of host addresses, and of what the unit translates
        self.ecap = ecap
        self.next_page = TABLES
        self.levels = width // 9 - 1 # 39 bits: 3 levels, 48: 4

    def page(self):
        page, self.next_page = self.next_page, self.next_page + PAGE
        if page >= TABLES_END:
            raise RuntimeError("no room for more tables")
        return page

    def words(self, page, words):
        self.memory[page:page + 8 * len(words)] = struct.pack(f"<{len(words)}Q", *words)

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def spoiled(self, page):
        """A pointer to a table: right, to nowhere, or to where there cannot be memory."""
        if self.chance(98.5):
            return page
        return self.random.choice([
            self.random.randrange(NOWHERE, NOWHERE_END) & ~0xfff,
            1 << self.random.randrange(self.width, 52) | page, # beyond the host's width: reserved
            1 << self.random.randrange(52, 64) | page,
        ])

    # Page tables.

    def target(self, level):
        """Where a leaf leads to."""
        size = PAGE << 9 * (level - 1)
        where = self.random.random()
        if where < 0.6 and size < TARGETS_END:
            address = self.random.randrange(TARGETS, TARGETS_END)
        elif where < 0.9:
            address = self.random.randrange(1 << 32, 1 << self.width)
        elif where < 0.93:
            address = 0xfee00000 # also as a large page that holds it
        else:
            address = self.random.randrange(NOWHERE, NOWHERE_END)
        address &= ~(size - 1)
        if size > PAGE and self.chance(4): # not aligned to its size
            address |= 1 << self.random.randrange(12, size.bit_length() - 1)
        return address

    def paging_entry(self, level, below):
        """An entry of a second-level table; 'below' are tables of the next level."""
        random = self.random
        if self.chance(6):
            return random.getrandbits(64) & ~3 if self.chance(50) else 0 # not present
        entry = random.choice((1, 2, 3, 3, 3, 3, 3, 3))
        if level == 1 or (level <= 3 and self.chance(35)):
            entry |= self.target(level) | (0x80 if level > 1 or self.chance(10) else 0)
        else:
            entry |= self.spoiled(random.choice(below))
        if self.chance(20): # bits that are ignored: execute, available, accessed and dirty
            entry |= random.getrandbits(64) & (0x0bf0000000000000 | 0x704)
        if self.chance(5):
            entry |= 1 << random.choice((7, 11, 11, 51, 61, 62, 62, 63, random.randrange(3, 64)))
        return entry

    def paging_tables(self):
        """Some tables of each level; level: pages."""
        pages, below = {}, []
        for level in range(1, self.levels + 2): # one level more than is right, to be refused
            pages[level] = [self.page() for _ in range((0, 6, 5, 4, 3, 2, 2)[level])]
            for page in pages[level]:
                self.words(page, [self.paging_entry(level, below) for _ in range(512)])
            below = pages[level]
        self.paging = pages

    def width_and_table(self):
        """AW of an entry, and the table that it leads to."""
        aw = self.levels - 2 if self.chance(88) else self.random.randrange(8)
        level = aw + 2 if aw + 2 in self.paging and self.chance(97) else self.levels
        return aw, self.spoiled(self.random.choice(self.paging[level]))

    # Legacy mode.

    def context_entry(self):
        random = self.random
        if self.chance(4):
            return 0, random.getrandbits(64)
        aw, table = self.width_and_table()
        tt = random.choices((0, 1, 2, 3), (80, 5, 10, 5))[0]
        low = 1 | (self.chance(8) << 1) | tt << 2 | table
        high = aw | random.randrange(16) << 3 | random.getrandbits(16) << 8
        if self.chance(3):
            low |= 1 << random.choice((4, 8, 11, random.randrange(2, 64)))
        if self.chance(3):
            high |= 1 << random.choice((7, 24, 63, random.randrange(64)))
        return low, high

    def context_table(self):
        page = self.page()
        self.words(page, [word for _ in range(256) for word in self.context_entry()])
        return page

    def root_word(self, table):
        word = table | 1 if self.chance(96) else table
        if self.chance(3):
            word |= 1 << self.random.choice((1, 11, self.random.randrange(1, 64)))
        return word

    def root_entry(self, make):
        """Both words of a root entry; half of the faults of all tables would be here if each were as likely."""
        if self.mode == SCALABLE:
            return self.root_word(self.spoiled(make())), self.root_word(self.spoiled(make()))
        return self.root_word(self.spoiled(make())), (1 << self.random.randrange(64)
                                                     if self.chance(2) else 0)

    # Scalable mode.

    def pasid_entry(self):
        random = self.random
        aw, table = self.width_and_table()
        pgtt = random.choices(range(8), (1, 2, 84, 2, 8, 1, 1, 1))[0]
        words = [0] * 8
        words[0] = (0 if self.chance(4) else 1) | self.chance(8) << 1 | aw << 2 | pgtt << 6 | table
        words[1] = random.getrandbits(16) | (random.getrandbits(3) << 23 if self.chance(20) else 0)
        words[2] = random.getrandbits(8) if self.chance(20) else 0
        if self.chance(5):
            words[random.randrange(8)] |= 1 << random.randrange(64)
        return words

    def pasid_directory(self):
        """A directory of 128 entries with few PASID tables behind it."""
        tables = []
        for _ in range(3):
            page = self.page()
            self.words(page, [word for _ in range(64) for word in self.pasid_entry()])
            tables.append(page)
        page = self.page()
        self.words(page, [(0 if self.chance(4) else 1) | self.chance(6) << 1 |
                          (1 << self.random.randrange(2, 12) if self.chance(2) else 0) |
                          self.spoiled(self.random.choice(tables)) for _ in range(512)])
        return page

    def scalable_context_entry(self):
        random = self.random
        low = self.spoiled(random.choice(self.directories))
        low |= (0 if self.chance(4) else 1) | self.chance(8) << 1
        low |= random.getrandbits(3) << 2 if self.chance(20) else 0
        low |= random.randrange(8) << 9
        rid_pasid = random.randrange(64) if self.chance(94) else random.getrandbits(20)
        words = [low, rid_pasid | self.chance(5) << 20, 0, 0]
        if self.chance(4):
            words[random.randrange(4)] |= 1 << random.choice((5, 8, 21, 63, random.randrange(64)))
        return words

    def scalable_context_table(self):
        page = self.page()
        self.words(page, [word for _ in range(128) for word in self.scalable_context_entry()])
        return page

    def make(self):
        """Writes a new set; the value of the root table address register."""
        self.next_page = TABLES
        self.paging_tables()
        if self.mode == SCALABLE:
            self.directories = [self.pasid_directory() for _ in range(2)]
        make = self.scalable_context_table if self.mode == SCALABLE else self.context_table
        root = self.page()
        entries = [(self.random.getrandbits(64) & ~1, self.random.getrandbits(64)) for _ in range(256)]
        for bus in (0, 0, 1, 3):
            entries[bus] = self.root_entry(make)
        if self.chance(30): # else bus 0, where most functions are, is there
            pass
        else:
            entries[0] = tuple(word & ~0xffe | 1 if self.mode == SCALABLE or not index else 0
                               for index, word in enumerate(entries[0]))
        self.words(root, [word for entry in entries for word in entry])
        return root | self.mode << 10

    def iova(self):
        """An address that a function may ask for."""
        while True:
            iova = self.random.getrandbits(self.width)
            if self.chance(4):
                iova = self.random.getrandbits(64)
            elif self.chance(10):
                iova = self.random.getrandbits(32)
            if iova not in INTERRUPTS and iova + PAGE not in INTERRUPTS and iova < 2**64 - PAGE:
                return iova

    def used(self):
        """The area that was written, as bytes."""
        return self.memory[TABLES:self.next_page]


# Interrupt remapping entries.

def interrupt_entry(random, sources):
    """Both words of an entry. The destination is nobody's, so the processor is left alone."""
    if random.random() < 0.1:
        return random.getrandbits(64) & ~1, random.getrandbits(64)
    destination = random.randrange(1, 255)
    low = 1 | random.getrandbits(7) << 1 | random.getrandbits(4) << 8 | random.getrandbits(8) << 16
    low |= destination << 40
    if random.random() < 0.08:
        low |= 1 << 15 # posted
    source = random.choice(sources) if random.random() < 0.85 else random.getrandbits(16)
    if random.random() < 0.15:
        source ^= 1 << random.randrange(3)
    kind = random.choices((0, 1, 2, 3), (2, 12, 4, 1))[0]
    if kind == 2: # a range of buses
        source = random.choice((0, 0, 1, 2, 3, 4)) << 8 | random.choice((0, 1, 2, 3, 255))
    high = source | random.getrandbits(2) << 16 | kind << 18
    if random.random() < 0.05:
        low |= 1 << random.choice((12, 13, 14, 24, 31, 32, 39, 48, 63, random.randrange(2, 64)))
    if random.random() < 0.05:
        high |= 1 << random.randrange(20, 64)
    return low, high


def message(random, entries, source):
    """Address and data of an MSI of 'source'; the data has 16 bits, as MSI has them."""
    data = random.getrandbits(16) if random.random() < 0.2 else random.getrandbits(3)
    if random.random() < 0.1: # compatibility format, to nobody
        return 0xfee00000 | random.randrange(1, 255) << 12 | random.randrange(4) << 2, data
    own = [index for index, (_, high) in enumerate(entries) if (high ^ source) & 0xfff8 == 0]
    handle = random.choice(own) if own and random.random() < 0.6 else \
        random.randrange(len(entries) if random.random() < 0.95 else 1 << 16)
    shv = random.random() < 0.4
    if shv and handle >= data & 0xff and random.random() < 0.5:
        handle -= data & 0xff
    return 0xfee00000 | (handle & 0x7fff) << 5 | 1 << 4 | shv << 3 | handle >> 15 << 2, data
