#!/usr/bin/env python3
"""Fails when a file includes a folder that its own folder may not; see layers.txt.

Usage: check_layers.py ROOT"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
allowed = {}
for line in (root / "tools/layers.txt").read_text().splitlines():
    if line.strip() and not line.startswith("#"):
        folder, uses = line.split(":")
        allowed[folder.strip()] = {folder.strip(), *uses.split()}

# A test may use what its folder's users may hand it: fakes from sim/ and the test library.
TEST_EXTRA = {"tests", "sim", "channel"}
bad = seen = 0
for path in sorted((root / "src").rglob("*.[ch]")):
    folder = path.relative_to(root / "src").parts[0]
    extra = TEST_EXTRA if path.stem.endswith(("_test", "_fuzz")) else set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'#include "([^/"]+)/([^"]+)"', line)
        if not found:
            continue
        seen += 1
        if (found[1] not in allowed[folder] | extra
                or (found[2] == "internal.h" and found[1] != folder)):
            print(f"{path}:{number}: {folder}/ may not include {found[1]}/{found[2]}")
            bad += 1
print(f"{seen} includes, {bad} against the layers")
sys.exit(bad != 0 or seen == 0)
