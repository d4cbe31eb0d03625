#!/usr/bin/env python3
"""Fails when a pure library needs anything from outside but memory copies and text.

Usage: check_symbols.py LIBRARY..."""
import subprocess
import sys

PURE = {
    "memcpy", "memmove", "memset", "memcmp", "strlen", "strcmp", "strncmp", "strchr", "strrchr",
    "snprintf", "vsnprintf", "__snprintf_chk", "__vsnprintf_chk", "__memcpy_chk", "__memset_chk",
    "must_fail", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
}
# The availability engine computes with these.
MATH = {"exp", "expm1", "log", "log1p", "log10", "pow", "sqrt", "fabs", "floor", "ceil", "fmod", "fma",
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "lgamma", "tgamma",
        "erf", "erfc", "ldexp", "frexp", "round", "nextafter", "fmin", "fmax", "hypot", "cbrt"}
# base/ is where the last words of must() are spoken, and where the compiler is asked about the processor.
BASE_ONLY = {"fprintf", "__fprintf_chk", "stderr", "abort", "__cpu_model"}

defined, wanted = set(), set()
for library in sys.argv[1:]:
    out = subprocess.run(["nm", "-P", library], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1] not in ("U", "w", "v"):
            defined.add(words[0])
        elif len(words) >= 2 and words[1] == "U":
            wanted.add((library, words[0]))
bad = {(lib, sym) for lib, sym in wanted
       if sym not in defined and sym not in PURE
       and not ("libbase" in lib and sym in BASE_ONLY)
       and not ("libavail" in lib and sym in MATH)}
for library, symbol in sorted(bad):
    print(f"{library}: needs {symbol}")
print(f"{len(sys.argv) - 1} libraries, {len(bad)} foreign symbols")
sys.exit(bool(bad) or not defined)
