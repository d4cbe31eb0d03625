#!/usr/bin/env python3
"""Lets the lspci of pciutils decode what hierarchies dump, and compares with what was meant.

Usage: judge_lspci.py LSPCI_DUMP    77: there is no lspci here (skipped)"""
import re
import shutil
import subprocess
import sys
import tempfile

dump = sys.argv[1]
checks = failures = 0

NO_BITS = r"(?:\w+- )*\w+-"
WINDOW = 1 << 40

COMMON = [
    r"Power Management version 3",
    r"Status: D0 NoSoftRst\+ PME-Enable- DSel=0",
]
FUNCTION = COMMON + [
    r"Vector table: BAR=2 offset=00000000",
    r"PBA: BAR=2 offset=00001000",
    r"Express \(v2\) Endpoint, MSI 00",
    r"DevCap:\tMaxPayload 256 bytes, PhantFunc 0, Latency L0s <64ns, L1 <1us",
    r"ExtTag\+ AttnBtn- AttnInd- PwrInd- RBE\+ FLReset\+",
    r"DevSta:\tCorrErr- NonFatalErr- FatalErr- UnsupReq- AuxPwr- TransPend-",
    r"LnkCap:\tPort #0, Speed 16GT/s, Width x8, ASPM not supported",
    r"DevCap2: Completion Timeout: Range ABCD, TimeoutDis\+",
    r"UESta:\t" + NO_BITS + "\n",
    r"CESta:\t" + NO_BITS + "\n",
    r"ARICap:\tMFVC- ACS-, Next Function: {next}\n",
    r"ACSCap:\tSrcValid- TransBlk- ReqRedir\+ CmpltRedir\+ UpstreamFwd- EgressCtrl- Direct\w+\+",
    r"ATSCap:\tInvalidate Queue Depth: 00\n",
    r"ATSCtl:\tEnable-, Smallest Translation Unit: 00",
]
REDIRECTED = (r"ACSCtl:\tSrcValid- TransBlk- ReqRedir\+ CmpltRedir\+ UpstreamFwd- EgressCtrl- "
              r"DirectTrans-")
NIC = FUNCTION + [r"MSI-X: Enable- Count=18 Masked-"]
NVME = FUNCTION + [r"MSI-X: Enable- Count=64 Masked-"]
PLACED = [
    r"Control: I/O- Mem\+ BusMaster\+",
    r"Latency: 0\n",
    r"Region 2: Memory at {bar2} \(64-bit, prefetchable\)",
    r"RlxdOrd\+ ExtTag- PhantFunc- AuxPwr- NoSnoop\+ FLReset-",
    r"MaxPayload 128 bytes, MaxReadReq 512 bytes",
    r"LnkSta:\tSpeed 16GT/s, Width x8\n",
    r"UESvrt:\tDLP\+ SDES- TLP- FCP\+ CmpltTO- CmpltAbrt- UnxCmplt- RxOF\+ MalfTLP\+ ECRC-",
    REDIRECTED,
]
VIRTIO_BAR = [
    r"Region 4: Memory at {bar4} \(64-bit, prefetchable\)",
    r"VirtIO: CommonCfg\n\s+BAR=4 offset=00000000 size=00000038",
    r"VirtIO: Notify\n\s+BAR=4 offset=00003000 size=00001000 multiplier=00000004",
    r"VirtIO: ISR\n\s+BAR=4 offset=00001000 size=00000004",
    r"VirtIO: DeviceCfg\n\s+BAR=4 offset=00002000 size=00000100",
]
ENDPOINT = NIC + PLACED + VIRTIO_BAR + [
    r"Ethernet controller: Red Hat, Inc\. Virtio 1\.0 network device \(rev 01\)",
]
BLOCK_ENDPOINT = FUNCTION + PLACED + VIRTIO_BAR + [
    r"Mass storage controller: Red Hat, Inc\. Virtio 1\.0 block device \(rev 01\)",
    r"MSI-X: Enable- Count=17 Masked-",
]
NVME_ENDPOINT = NVME + PLACED + [
    r"Non-Volatile memory controller: Red Hat, Inc\. Device 10f2 \(rev 01\) \(prog-if 02 \[NVM Express\]\)",
    r"Region 0: Memory at {bar0} \(64-bit, prefetchable\)",
]
PHYSICAL = [
    r"LnkCap2: Supported Link Speeds: 2\.5-16GT/s",
    r"Device Serial Number {serial}\n",
    r"IOVCap:\tMigration- 10BitTagReq- Interrupt Message Number: 000",
    r"IOVCtl:\tEnable\+ Migration- Interrupt- MSE\+ ARIHierarchy\+",
    r"Initial VFs: {vfs}, Total VFs: {vfs}, Number of VFs: {vfs}, Function Dependency Link: 00",
    r"VF offset: 1, stride: 1, Device ID: {device}\n",
    r"Supported Page Size: 00000553, System Page Size: 00000001",
    r"Region 2: Memory at {vfbar2} \(64-bit, prefetchable\)",
    r"VF Migration: offset: 00000000, BIR: 0",
]
PF = ENDPOINT + PHYSICAL + [r"Region 4: Memory at {vfbar4} \(64-bit, prefetchable\)"]
NVME_PF = NVME_ENDPOINT + PHYSICAL + [r"Region 0: Memory at {vfbar0} \(64-bit, prefetchable\)"]
VIRTUAL = [
    r"Device ffff \(rev 01\)",
    r"Control: I/O- Mem- BusMaster{master} ",
    r"RlxdOrd- ExtTag- PhantFunc- AuxPwr- NoSnoop- FLReset-",
    r"LnkSta:\tSpeed unknown \(downgraded\), Width x0",  # 9.3.5: the link is the PF's to tell
    r"UESvrt:\t" + NO_BITS + "\n",
]
VF = NIC + VIRTUAL
NVME_VF = NVME + VIRTUAL + [r"Non-Volatile memory controller:", r"\(prog-if 02 \[NVM Express\]\)"]
PORT = COMMON + [
    r"PCI bridge: Red Hat, Inc\. Device 10f0 \(rev 01\) \(prog-if 00 \[Normal decode\]\)",
    r"Control: I/O- Mem\+ BusMaster\+",
    r"Bus: primary=00, secondary={secondary}, subordinate={subordinate}, sec-latency=0",
    r"I/O behind bridge: \S+ \[disabled\]",
    r"Memory behind bridge: \S+ \[disabled\]",
    r"MSI: Enable- Count=1/1 Maskable- 64bit\+",
    r"Express \(v2\) Root Port \(Slot\+\), MSI 00",
    r"LnkCap:\tPort #{slot}, Speed 16GT/s, Width x8",
    r"SltCap:\tAttnBtn- PwrCtrl- MRL- AttnInd- PwrInd- HotPlug\+ Surprise\+",
    r"Slot #{slot}, PowerLimit 75W; Interlock- NoCompl\+",
    r"AtomicOpsCap: Routing- 32bit- 64bit- 128bitCAS-",
    r"ARIFwd\+\n[\s\S]*DevCtl2: .*ARIFwd\+\n",
    r"ErrorSrc: ERR_COR: 0000 ERR_FATAL/NONFATAL: 0000",
    r"ACSCap:\tSrcValid\+ TransBlk\+ ReqRedir\+ CmpltRedir\+ UpstreamFwd\+ EgressCtrl- Direct\w+\+",
    r"ACSCtl:\tSrcValid\+ TransBlk- ReqRedir\+ CmpltRedir\+ UpstreamFwd\+ EgressCtrl- Direct\w+-",
]
THERE = [r"PresDet\+ Interlock", r"DLActive\+", r"LnkSta:\tSpeed 16GT/s, Width x8\n",
         r"Prefetchable memory behind bridge: {window} "]
GONE = [r"PresDet- Interlock", r"DLActive-", r"LnkSta:\tSpeed 2\.5GT/s, Width x0",
        r"Prefetchable memory behind bridge: \S+ \[disabled\]"]
BRIDGE = COMMON + [r"Host bridge: Red Hat, Inc\. Device 10f1"]

# Capabilities in the order of their chain.
VIRTIO = ["Vendor Specific Information"] * 5
CAPS = {
    "PF": ["Power Management", "MSI-X", "Express"] + VIRTIO + [
        "Advanced Error Reporting", "Device Serial Number", "Alternative Routing-ID",
        "Access Control Services", "Single Root I/O", "Address Translation"],
    "LENT": ["Power Management", "MSI-X", "Express"] + VIRTIO + [
        "Advanced Error Reporting", "Alternative Routing-ID", "Access Control Services",
        "Address Translation"],
    "PORT": ["Power Management", "MSI:", "Express", "Advanced Error", "Access Control"],
    "BRIDGE": ["Power Management"],
}
CAPS["VF"] = CAPS["BLOCK_LENT"] = CAPS["LENT"]
for role in "PF", "VF", "LENT":
    CAPS["NVME_" + role] = [cap for cap in CAPS[role] if cap not in VIRTIO]

# What a decoder says of what it does not understand; with what it rightly says of a VF's link and
# of the indicators that a slot does not have taken out first.
RIGHT = [r"LnkSta:\tSpeed unknown \(downgraded\), Width x0.*", r"(?:AttnInd|PwrInd) Unknown",
         r"VirtIO: <unknown>",  # the window of virtio 1.2 section 4.1.4.9
         r"Illegal Vendor ID", r"Vendor Specific Information: Len=1[04] <\?>"]
WRONG = r"<chain broken>|<chain looped>|unknown|Unknown|<\?>|<access denied>|invalid|ignored|!!!"


def fail(text):
    global failures
    failures += 1
    print("FAILED:", text)


def expect(where, text, patterns, **values):
    global checks
    for pattern in patterns:
        checks += 1
        for name, value in values.items():
            pattern = pattern.replace("{%s}" % name, re.escape(str(value)))
        if not re.search(pattern, text):
            fail(f"{where}: nothing matches {pattern!r}\n{text}")


def rid_text(rid):
    return "%02x:%02x.%x" % (rid >> 8, rid >> 3 & 31, rid & 7)


def tell(*args):
    return subprocess.run([dump, *args], capture_output=True, text=True, check=True).stdout


def decode(*args):
    said = tell(*args)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(said.split("\n", 1)[1] if args[1] == "disks" else said)
        file.flush()
        done = subprocess.run(["lspci", "-F", file.name, "-vvv"], capture_output=True, text=True)
    if done.returncode:
        fail(f"lspci ends with {done.returncode}: {done.stderr}")
    return {block[:7]: block + "\n" for block in done.stdout.strip().split("\n\n")}


def up(value, multiple):
    return (value + multiple - 1) // multiple * multiple


class Host:
    """The functions that one host should see; each is expected once, and nothing else."""

    def __init__(self, name, *args):
        self.name, self.blocks, self.expected = name, decode(*args), set()
        self.next_window = WINDOW
        self.see("BRIDGE", 0, BRIDGE)

    def see(self, role, rid, patterns, **values):
        global checks
        where = rid_text(rid)
        block = self.blocks.get(where)
        self.expected.add(where)
        if block is None:
            fail(f"{self.name}: no function at {where}")
            return
        where = f"{self.name} {where} {role}"
        expect(where, block, patterns, **values)
        caps = re.findall(r"\n\tCapabilities: \[\w+(?: v\d)?\] (.*)", block)
        checks += 1
        if len(caps) != len(CAPS[role]) or not all(map(str.startswith, caps, CAPS[role])):
            fail(f"{where}: capabilities {caps}, want {CAPS[role]}")
        rest = block
        for pattern in RIGHT:
            rest = re.sub(pattern, "", rest)
        checks += 1
        if re.search(WRONG, rest):
            fail(f"{where}: {re.search('.*(?:' + WRONG + ').*', rest)[0]}")

    def port(self, slot, buses, window_bytes):
        """A root port whose window is of that size; returns where the window begins."""
        base, self.next_window = self.next_window, self.next_window + window_bytes
        self.see("PORT", slot << 3, PORT + (THERE if window_bytes else GONE), slot=slot,
                 secondary="%02x" % buses[0], subordinate="%02x" % buses[-1],
                 window="%016x-%016x" % (base, base + window_bytes - 1))
        return base

    def managed(self, slot, buses, vfs, serial, used):
        """A PF and its VFs: own BARs of 8 and 16 KiB, then the same for each VF."""
        vfbar2 = 32 << 10
        vfbar4 = up(vfbar2 + vfs * (8 << 10), 16 << 10)
        end = vfbar4 + vfs * (16 << 10)
        base = self.port(slot, buses, up(end, 1 << 20))
        self.see("PF", buses[0] << 8, PF, next=0, vfs=vfs, serial=serial, device="1041",
                 bar2="%x" % base, bar4="%x" % (base + (16 << 10)),
                 vfbar2="%016x" % (base + vfbar2), vfbar4="%016x" % (base + vfbar4))
        for vf in range(1, vfs + 1):
            self.see("VF", (buses[0] << 8) + vf, VF + ([REDIRECTED] if vf in used else []),
                     next=0, master="+" if vf in used else "-")

    def lent(self, slot, bus, count):
        base = at = self.port(slot, [bus], 1 << 20)
        for n in range(count):
            self.see("LENT", (bus << 8) + n, ENDPOINT, next=n + 1 if n + 1 < count else 0,
                     bar2="%x" % at, bar4="%x" % (at + (16 << 10)))
            at += 32 << 10
        assert at <= base + (1 << 20)

    def managed_disk(self, slot, bus, vfs, serial, used):
        """An NVMe PF and its VFs: own BARs of 16 and 8 KiB, then the same for each VF."""
        vfbar0 = 32 << 10
        vfbar2 = up(vfbar0 + vfs * (16 << 10), 8 << 10)
        base = self.port(slot, [bus], up(vfbar2 + vfs * (8 << 10), 1 << 20))
        self.see("NVME_PF", bus << 8, NVME_PF, next=0, vfs=vfs, serial=serial, device="10f2",
                 bar0="%x" % base, bar2="%x" % (base + (16 << 10)),
                 vfbar0="%016x" % (base + vfbar0), vfbar2="%016x" % (base + vfbar2))
        for vf in range(1, vfs + 1):
            self.see("NVME_VF", (bus << 8) + vf, NVME_VF + ([REDIRECTED] if vf in used else []),
                     next=0, master="+" if vf in used else "-")

    def lent_disks(self, slot, bus):
        """A virtio-blk and an NVMe function: each is what its guest is given."""
        base = self.port(slot, [bus], 1 << 20)
        self.see("BLOCK_LENT", bus << 8, BLOCK_ENDPOINT, next=1, bar2="%x" % base, bar4="%x" % (base + (16 << 10)))
        base += 32 << 10
        self.see("NVME_LENT", (bus << 8) + 1, NVME_ENDPOINT, next=0, bar0="%x" % base, bar2="%x" % (base + (16 << 10)))

    def nothing_else(self):
        global checks
        checks += 1
        if set(self.blocks) != self.expected:
            fail(f"{self.name}: also sees {sorted(set(self.blocks) - self.expected)}")


def main():
    if not shutil.which("lspci"):
        print("no lspci here")
        return 77
    serials = tell("0", "serial").split()

    h0 = Host("h0", "0", "dump")
    h0.managed(1, [1], 8, serials[0], {1, 2, 3, 4})
    h0.managed(2, [2, 3], 256, serials[1], set())
    h0.lent(3, 4, 1)
    h0.nothing_else()

    h1 = Host("h1", "1", "dump")
    h1.lent(1, 1, 2)
    h1.lent(2, 2, 2)
    h1.nothing_else()

    pulled = Host("h0, nic1 pulled", "0", "dump", "1")
    pulled.managed(1, [1], 8, serials[0], {1, 2, 3, 4})
    pulled.port(2, [2], 0)
    pulled.lent(3, 3, 1)
    pulled.nothing_else()

    d0 = Host("d0", "0", "disks")
    d0.managed_disk(1, 1, 8, tell("0", "disks").split("\n", 1)[0], {1, 2, 4, 5})
    d0.nothing_else()
    d1 = Host("d1", "1", "disks")
    d1.lent_disks(1, 1)
    d1.nothing_else()

    print(f"{checks} decoded values compared, {failures} wrong")
    return failures != 0


sys.exit(main())
