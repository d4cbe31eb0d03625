#!/usr/bin/env python3
"""Fails when a page names a function, a file or a page that does not exist.

Looked at, in all Markdown files: `name()`, `folder/file.c` and `.h` and `.py` in backticks; with
--links also links to pages.

Usage: check_docs.py ROOT [--links]"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
FOLDERS = ["src", "tests", "tools", "fuzz", "bench", "demo"]
sources = [path for folder in FOLDERS for path in (root / folder).rglob("*")
           if path.suffix in {".c", ".h", ".py"}]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
words = set()
for path in sources:
    words |= set(re.findall(r"\b\w+(?=\()", path.read_text(errors="replace")))
files = {str(path.relative_to(root)) for path in sources}
files |= {name.removeprefix("src/") for name in files}
pages = sorted(root.glob("*.md")) + sorted((root / "docs").glob("*.md"))
named = bad = 0


def check(page, number, good, what):
    global named, bad
    named += 1
    if not good:
        bad += 1
        print(f"{page.relative_to(root)}:{number}: there is no {what}")


for page in pages:
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for name in re.findall(r"`(\w+)\(\)`", line):
            check(page, number, name in words, f"function {name}()")
        for name in re.findall(r"`([a-z_]+/[\w/]+\.(?:c|h|py))`", line):
            check(page, number, name in files, f"file {name}")
        for target in LINK.findall(line) if "--links" in sys.argv else []:
            check(page, number, (page.parent / target).exists(), f"page {target}")
print(f"{len(pages)} pages, {named} names, {bad} wrong")
sys.exit(bad != 0 or not pages)
