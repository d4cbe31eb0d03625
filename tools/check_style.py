#!/usr/bin/env python3
"""Fails when a file breaks a rule of the house that a machine can see; CONTRIBUTING.md has them.

Usage: check_style.py ROOT"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
COLUMNS, FUNCTION_LINES, FILE_LINES = 120, 80, 600 # aimed at: 100, 12, 400
TEST_LINES = 900 # a test is as long as what it tests has rules
PURE = {"base", "spec", "channel", "pcie", "iommu", "eswitch", "dev", "card", "fabric", "tree"}

# What to write instead stands beside each.  Tests may use what EASY and VOLATILE forbid.
WORDS = [
    (r"\b(?:TODO|FIXME|XXX|HACK)\b", "say it in an issue, or do it"),
    (r"#\s*if 0\b", "delete it; the history remembers"),
    (r"(?<![\w.>-])assert\s*\(", "must(), or _Static_assert"),
    (r"\btypedef\s+(?:struct|enum|union)\b", "the plain struct or enum"),
    (r"__attribute__", "a name in base/compiler.h"),
]
VOLATILE = (r"\bvolatile\b", "stdatomic.h behind a small function")
EASY = (r"\b(?:strcpy|strcat|sprintf|vsprintf|atoi|atol|gets|alloca)\s*\(", "a bounded function")
MALLOC = (r"\b(?:malloc|calloc|realloc|free)\s*\(", "the caller's memory: pure code allocates none")
MAY = {("base/compiler.h", "__attribute__")}
PLACES = r"(?<![\w.])/(?:work|root|home/\w+)/"

findings = []


def find(path, number, text):
    findings.append(f"{path.relative_to(root)}:{number}: {text}")


def is_test(path):
    return path.stem.endswith(("_test", "_fuzz")) or "src" not in path.relative_to(root).parts


def code_of(line):
    """The line without its comments and strings, as far as one line can tell."""
    line = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
    line = re.sub(r"/\*.*?\*/|//.*", "", line)
    return "" if re.match(r"\s*\*(?:\s|/|$)", line) else line.split("/*")[0]


def check_words(path, lines):
    name = "/".join(path.parts[-2:])
    words = list(WORDS)
    if not is_test(path):
        words.append(VOLATILE)
        words += [EASY, MALLOC] if path.parent.name in PURE else [EASY]
    for number, line in enumerate(lines, 1):
        if re.search(WORDS[0][0], line):
            find(path, number, f"{WORDS[0][0]}: {WORDS[0][1]}")
        for pattern, instead in words[1:]:
            if re.search(pattern, code_of(line)) and not any(
                    name == where and re.search(pattern, what) for where, what in MAY):
                find(path, number, f"{re.search(pattern, line)[0]}: rather {instead}")


def check_functions(path, lines):
    """A function begins at a '{' in the first column and ends at the next '}' there."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            if number - start - 1 > FUNCTION_LINES:
                find(path, start, f"a function of {number - start - 1} lines")
            start = None


def check_source(path):
    lines = path.read_text().splitlines()
    check_words(path, lines)
    check_functions(path, lines)
    if len(lines) > (TEST_LINES if is_test(path) else FILE_LINES):
        find(path, 1, f"a file of {len(lines)} lines: look for the second noun in it")
    if path.suffix == ".h" and not re.match(r"/\* [\w/.]+ -- \S", lines[0] if lines else ""):
        find(path, 1, "a header opens with '/* folder/name.h -- what it is'")


def check_text(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if path.suffix not in {".md", ".yaml"} and len(line.expandtabs(8)) > COLUMNS:
            find(path, number, f"{len(line.expandtabs(8))} columns")
        if re.search(PLACES, line):
            find(path, number, "a path of somebody's machine")
        if line != line.rstrip():
            find(path, number, "blanks at the end of the line")


FOLDERS = ["src", "tests", "tools", "fuzz", "bench", "demo", "docs", "man", "examples", "packaging"]
SUFFIXES = {".c", ".h", ".py", ".sh", ".md", ".yaml", ".build", ".txt"}
paths = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*"))
         if path.suffix in SUFFIXES and path.is_file() and "corpus" not in path.parts]
paths += sorted(root.glob("*.md")) + sorted(root.glob("meson*"))
for path in paths:
    if path.resolve() == pathlib.Path(__file__).resolve():
        continue
    check_text(path)
    if path.suffix in {".c", ".h"}:
        check_source(path)
print("\n".join(findings))
print(f"{len(paths)} files, {len(findings)} findings")
sys.exit(bool(findings) or not paths)
