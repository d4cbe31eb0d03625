#!/usr/bin/env python3
"""Fails when two of our libraries define the same name: a linker takes the first and says nothing.

Usage: check_clashes.py BUILD_DIRECTORY"""
import pathlib
import subprocess
import sys

root = pathlib.Path(sys.argv[1]) / "src"
owner, clashes = {}, []
libraries = sorted(root.rglob("*.a"))
for library in libraries:
    out = subprocess.run(["nm", "-P", "--defined-only", library], capture_output=True, text=True,
                         check=True).stdout
    names = {words[0] for words in map(str.split, out.splitlines())
             if len(words) >= 2 and words[1] in "TDRB"}
    for name in sorted(names):
        if name in owner:
            clashes.append(f"{name}: {owner[name].name} and {library.name}")
        owner.setdefault(name, library)
print("\n".join(clashes))
print(f"{len(libraries)} libraries, {len(owner)} names, {len(clashes)} clashes")
sys.exit(bool(clashes) or not owner)
