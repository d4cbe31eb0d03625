#!/usr/bin/env python3
"""Fails when a man page is malformed, or leaves out a command of the tool or a key of the site file.

Usage: man_test.py MAN_DIRECTORY MIDPLANE SITE_FILE_PAGE"""
import pathlib
import re
import shutil
import subprocess
import sys

man, tool, site_file = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
pages = ["midplane.1", "midplaned.8", "midplane-site.5"]
bad = []


def plain(page):
    """The text of a page without macros and quoting: words, options, placeholders."""
    text = re.sub(r"^\.(It|Ic|Xr|Ql|Va|Cm) ?", "", (man / page).read_text(), flags=re.M)
    text = re.sub(r"\b(Ic|Ar|Op|Oo|Oc|Cm|Pq) ?", "", text).replace("Fl -", "--")
    return re.sub(r"\s+", " ", text)


# Every command and each of its options is there.
commands = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
text = plain("midplane.1")
for line in commands.split("\nOptions")[0].splitlines():
    if not line.startswith("  ") or line[2] == " ":
        continue
    words = re.sub(r"[\[\]]", "", re.split(r"  +", line.strip())[0])
    if words not in text:
        bad.append(f"midplane.1 has no '{words}'")

# Every key is there, under its section.
section, keys = None, 0
for line in site_file.read_text().splitlines():
    if line.startswith("## "):
        section = line[3:]
    key = re.match(r"\| `(\w+)` \|", line)
    if not key:
        continue
    keys += 1
    part = (man / "midplane-site.5").read_text().split(f"\n.Ss {section}\n")
    if len(part) != 2 or f"\n.It Cm {key[1]}\n" not in part[1].split("\n.Ss ")[0]:
        bad.append(f"midplane-site.5 has no key '{key[1]}' in '{section}'")
if not keys:
    bad.append(f"no keys found in {site_file}")

if shutil.which("mandoc"):
    for page in pages:
        lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", man / page], capture_output=True,
                              text=True)
        bad += lint.stdout.splitlines()
print("\n".join(bad) or f"{len(pages)} pages, {keys} keys")
sys.exit(bool(bad))
