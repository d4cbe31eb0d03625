"""Takes away what a program of the tests, the demo or the benchmark leaves, however it ended: killed, or
stopped by a second signal while it was cleaning up.

    sweeper = Sweeper(directory, namespaces="mp-demo-123-")
    ...                  # processes, namespaces, hugepages; taken away in good order
    sweeper.close()      # whatever is left of them

The sweeper is a process in a session of its own, which no signal to the program's group reaches.  It waits
for close(), or for the end of the program.  Then it ends every process that has the mark in its environment
(children inherit it), or is in the group of one that has; removes the network namespaces whose names begin
so, and the directory; and sets the hugepages back, if they were set.
"""

import glob
import os
import select
import shutil
import signal
import subprocess
import sys
import time

MARK = "MIDPLANE_SWEEP"
ENDS = ((signal.SIGTERM, 5), (signal.SIGKILL, 60)) # and seconds of patience with who was asked so to end
HUGEPAGES = "/proc/sys/vm/nr_hugepages"


class Sweeper:
    def __init__(self, directory, namespaces=""):
        """Every process started from here on carries the mark."""
        os.environ[MARK] = directory
        clean = {name: value for name, value in os.environ.items() if name != MARK}
        # Opened here: once the sweeper gets to run, the program may be gone, and its number another's.
        us = os.pidfd_open(os.getpid())
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), directory, namespaces, str(us)],
            stdin=subprocess.PIPE, start_new_session=True, env=clean, text=True, cwd="/", pass_fds=[us])
        os.close(us)

    def hugepages(self, count):
        """What to set them back to when the program does not do it itself; "": it has."""
        self.tell("hugepages", count)

    def remove(self, pattern):
        """Files outside the directory that match, if they are still there."""
        self.tell("remove", pattern)

    def tell(self, word, value):
        self.process.stdin.write(f"{word} {value}\n")
        self.process.stdin.flush()

    def close(self):
        """Returns when all is gone."""
        os.environ.pop(MARK, None)
        self.process.stdin.close()
        self.process.wait()


def marked(directory):
    """{pid: process group} of those that carry the mark, and of their groups' others."""
    wanted, groups = f"{MARK}={directory}".encode(), {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                fields = stat.read().rsplit(b")", 1)[1].split()
            with open(f"/proc/{pid}/environ", "rb") as environ:
                has = wanted in environ.read().split(b"\0")
        except OSError: # it has ended
            continue
        if fields[0] != b"Z":
            groups[int(pid)] = (int(fields[2]), has)
    leaders = {pid for pid, (group, has) in groups.items() if has and group == pid}
    return {pid: group for pid, (group, has) in groups.items() if has or group in leaders}


def end_processes(directory):
    for number, patience_s in ENDS:
        deadline, asked = time.monotonic() + patience_s, set()
        while pids := set(marked(directory)):
            for pid in pids - asked: # those that came meanwhile, too
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            asked |= pids
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return
    print(f"these processes do not end: {sorted(pids)}", file=sys.stderr)


def remove_namespaces(prefix):
    try:
        names = [name for name in os.listdir("/run/netns") if prefix and name.startswith(prefix)]
    except FileNotFoundError:
        return
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False)


def told_until_end(program):
    """What comes down the pipe, a list of pairs, until the pipe or the process of this descriptor ends."""
    said = b""
    while True:
        ready = select.select([0, program], [], [])[0]
        chunk = os.read(0, 4096) if 0 in ready else b""
        said += chunk
        if not chunk: # with both, what it said before it ended comes first
            return [line.split(" ", 1) for line in said.decode().split("\n")[:-1]]


def main():
    directory, namespaces, program = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    told = told_until_end(int(program))
    end_processes(directory)
    remove_namespaces(namespaces)
    shutil.rmtree(directory, ignore_errors=True)
    for pattern in (value for word, value in told if word == "remove"):
        for path in glob.glob(pattern):
            os.remove(path)
    count = dict(told).get("hugepages") # the last that was said
    if count:
        with open(HUGEPAGES, "w", encoding="ascii") as pages:
            pages.write(count)


if __name__ == "__main__":
    main()
