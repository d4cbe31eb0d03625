#!/usr/bin/env python3
"""Fails when a header does not compile alone: strict C17 in the pure folders, gnu17 at the edges,
with every compiler that is there.  Each is included twice, so a missing guard shows.

Usage: check_headers.py ROOT PURE-FOLDER..."""
import pathlib
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
pure = set(sys.argv[2:])
PACKAGES = ["libdpdk", "libuv", "jansson", "libcyaml", "yaml-0.1", "libmicrohttpd", "libcurl",
            "cmocka", "libxml-2.0"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
            "-Wundef", "-Werror", "-Wno-unused-function", "-Wno-unused-variable"]

flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True,
                       check=True).stdout.split()
third_party = ["-isystem" + flag[2:] if flag.startswith("-I") else flag for flag in flags]
compilers = [compiler for compiler in ("gcc", "clang") if shutil.which(compiler)]
headers = sorted((root / "src").rglob("*.h")) + [root / "tests/check.h"]
bad = 0
for header in headers:
    name = header.relative_to(root / "src" if root / "src" in header.parents else root)
    if name.parts[0] in pure:
        standard = ["-std=c17"]
    else:
        standard = ["-std=gnu17", "-D_GNU_SOURCE", *third_party]
    for compiler in compilers:
        done = subprocess.run([compiler, *standard, *WARNINGS, f"-I{root}/src", f"-I{root}",
                               "-fsyntax-only", "-x", "c", "-"], capture_output=True, text=True,
                              input=f'#include "{name}"\n#include "{name}"\nextern int only;\n')
        if done.returncode:
            print(f"{name}: {compiler}: {done.stderr.splitlines()[0]}")
            bad += 1
print(f"{len(headers)} headers, {len(compilers)} compilers, {bad} failures")
sys.exit(bad != 0 or not compilers)
