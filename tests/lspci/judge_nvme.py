#!/usr/bin/env python3
"""Lets the lspci of pciutils decode NVMe functions, and compares with what was meant.

Usage: judge_nvme.py NVME_DUMP    77: there is no lspci here (skipped)"""
import re
import shutil
import subprocess
import sys
import tempfile

EVERY = [
    r"Non-Volatile memory controller.*\(rev 01\) \(prog-if 02 \[NVM Express\]\)",
    r"Power Management version 3",
    r"MSI-X: Enable- Count=64 Masked-",
    r"Vector table: BAR=2 offset=00000000",
    r"PBA: BAR=2 offset=00001000",
    r"Express \(v2\) Endpoint, MSI 00",
    r"FLReset\+",
    r"Advanced Error Reporting",
    r"Alternative Routing-ID Interpretation",
    r"ATSCap:",
]
PLACED = [
    r"Region 0: Memory at {base0} \(64-bit, prefetchable\)",
    r"Region 2: Memory at {base2} \(64-bit, prefetchable\)",
    r"Control: I/O- Mem\+ BusMaster\+",
    r"Width x8",
]
PF = [
    r"Device Serial Number 00-00-00-00-11-22-33-44",
    r"Single Root I/O Virtualization",
    r"Initial VFs: 2, Total VFs: 2, Number of VFs: 1",
    r"IOVCtl:\tEnable\+",
    r"VF offset: \d+, stride: 1, Device ID: 10f2",
]
failures = checks = 0


def check(text, patterns, where, **bases):
    global failures, checks
    for pattern in patterns:
        for name, value in bases.items():
            pattern = pattern.replace("{" + name + "}", value)
        checks += 1
        if not re.search(pattern, text):
            failures += 1
            print(f"{where}: lspci does not say {pattern!r}")


if not shutil.which("lspci"):
    sys.exit(77)
with tempfile.NamedTemporaryFile("w") as file:
    file.write(subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout)
    file.flush()
    said = subprocess.run(["lspci", "-F", file.name, "-vvv"], capture_output=True, text=True, check=True)
functions = dict(re.findall(r"^(\S+) (.*?)(?=^\S|\Z)", said.stdout, re.M | re.S))
complaints = [line for line in said.stderr.splitlines() if "libkmod" not in line]
if set(functions) != {"01:00.0", "01:00.1", "02:00.0"} or complaints:
    sys.exit(f"lspci sees {sorted(functions)} and complains: {complaints}")
for where, text in functions.items():
    check(text, EVERY, where)
    if re.search(r"<access denied>|Unknown|!!!|\?\?", text):
        failures += 1
        print(f"{where}: lspci is at a loss:\n{text}")
check(functions["01:00.0"], PLACED + PF, "01:00.0", base0="e0000000", base2="e0010000")
check(functions["02:00.0"], PLACED, "02:00.0", base0="e1000000", base2="e1010000")
print(f"{checks} checks, {failures} failures")
sys.exit(bool(failures))
