#!/usr/bin/env python3
"""Fails when the generated part of a page differs from what its program prints; --write renews it.

Usage: reference_test.py PROGRAM PAGE [--write]"""
import pathlib
import subprocess
import sys

BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"

program, page = sys.argv[1], pathlib.Path(sys.argv[2])
wanted = subprocess.run([program], capture_output=True, text=True, check=True).stdout
text = page.read_text()
before, rest = text.split(BEGIN)
found, after = rest.split(END)
if "--write" in sys.argv:
    page.write_text(before + BEGIN + wanted + END + after)
elif found != wanted:
    print(f"{page} is not current: run {sys.argv[0]} {program} {page} --write")
    sys.exit(1)
