"""Hugepages for the time of a measurement: Open vSwitch and the source need them, midplane does not."""

import contextlib

PATH = "/proc/sys/vm/nr_hugepages"


@contextlib.contextmanager
def reserved(count, sweeper):
    """Reserves at least 'count' pages of 2 MiB and gives back what was there before; the sweeper does if this
    program cannot."""
    with open(PATH, encoding="ascii") as now:
        before = int(now.read())
    sweeper.hugepages(before)
    if before < count:
        with open(PATH, "w", encoding="ascii") as want:
            want.write(str(count))
    try:
        with open(PATH, encoding="ascii") as now:
            got = int(now.read())
        if got < count:
            raise SystemExit(f"only {got} of {count} hugepages to be had: free some memory")
        yield
    finally:
        with open(PATH, "w", encoding="ascii") as want:
            want.write(str(before))
        sweeper.hugepages("")
