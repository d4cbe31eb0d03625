#!/usr/bin/env python3
"""Fails when two of our libraries define the same name: a linker takes the first and says nothing.  The same
object in two libraries is the same definition.

Usage: check_clashes.py BUILD_DIRECTORY"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1]) / "src"
line_form = re.compile(r"^.*\[(.*)\]: (\S+) [TDRB]( |$)")
owner, clashes = {}, []
libraries = sorted(root.rglob("*.a"))
for library in libraries:
    out = subprocess.run(["nm", "-P", "-A", "--defined-only", library], capture_output=True,
                         text=True, check=True).stdout
    for member, name in {found.group(1, 2) for found in map(line_form.match, out.splitlines())
                         if found}:
        source = re.sub(r"/lib[^/]*\.a\.p/", "/", member)
        at = owner.setdefault(name, (source, library))
        if at[1] != library and at[0] != source:
            clashes.append(f"{name}: {at[1].name} and {library.name}")
print("\n".join(sorted(clashes)))
print(f"{len(libraries)} libraries, {len(owner)} names, {len(clashes)} clashes")
sys.exit(bool(clashes) or not owner)
