"""Stops one thread of a process wherever it is, as a host does that gives it no CPU for a while."""

import contextlib
import ctypes
import os

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
ANY_THREAD = 0x40000000 # __WALL

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def trace(request, thread):
    if libc.ptrace(request, thread, None, None) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace of thread {thread}: {os.strerror(error)}")


def named(pid, name):
    """The thread of that name."""
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as comm:
            if comm.read().strip() == name:
                return thread
    raise ValueError(f"process {pid} has no thread {name}")


@contextlib.contextmanager
def stopped(thread):
    """It stands still within.  For one thread of the test only: the kernel wants to hear the same one."""
    trace(SEIZE, thread)
    try:
        trace(INTERRUPT, thread)
        os.waitpid(thread, ANY_THREAD)
        yield
    finally:
        trace(DETACH, thread)
