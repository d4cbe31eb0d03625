"""The switches that bench.py compares, each started for one run and gone after it.

Each gives two vhost-user sockets between which it forwards on one core: midplaned as a learning
switch with rate limits, dpdk-testpmd as a plain wire between two vhost ports, and Open vSwitch's
DPDK datapath with the NORMAL action.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests", "guests"))

import image  # noqa: E402

SWITCH_CPU = 1
SOURCE_CPU = 0
MACS = ("52:54:00:be:00:01", "52:54:00:be:00:02")

# Of each testpmd, as the source and as a switch: a cache of buffers that what lies in the rings never
# overflows.  Beyond it they go through the pool's queue, first in, first out, so that all of the pool
# comes round, and none of it is in a core's cache by then.  512 is DPDK's limit for that cache.
BUFFERS = ("--total-num-mbufs=4096", "--mbcache=512")


class BenchError(Exception):
    """A switch or the traffic source did not do what it was started for."""


def unpacked(path):
    full = os.path.join(image.cache_dir(), "bench", path)
    if not os.path.exists(full):
        raise BenchError(f"no {full}: run packaging/install-deps bench unpack-bench")
    return full


def preferred(autogroup=-19):
    """What stands before the command of a measured process, which leads a session: its autogroup gets
    the CPU before others'.  With autogroups on, a plain nice level has no effect between sessions."""
    return ["sh", "-c", f'echo {autogroup} >/proc/self/autogroup 2>/dev/null; exec "$@"', "sh"]


def start(command, log, stdin=subprocess.DEVNULL, autogroup=-19, **more):
    """Starts a measured process."""
    with open(log, "ab") as out:
        return subprocess.Popen([*preferred(autogroup), *map(str, command)], stdin=stdin, stdout=out,
                                stderr=out, start_new_session=True, **more)


def end(process):
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(paths, process, log, seconds=20):
    deadline = time.monotonic() + seconds
    while not all(os.path.exists(path) for path in paths):
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise BenchError(f"no {paths}:\n{text.read()[-3000:]}")
        time.sleep(0.05)


def distance(build):
    """How far the two cores are from each other now, ns, and the cycles of a nanosecond."""
    program = os.path.join(build, "bench/core_distance")
    said = subprocess.run([program, str(SOURCE_CPU), str(SWITCH_CPU)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return tuple(float(value) for value in re.findall(r"=([\d.]+)", said))


class Console:
    """A dpdk-testpmd with its command line."""

    def __init__(self, arguments, options, log):
        self.log = log
        # A file is written line by line only when asked.
        self.process = start(["stdbuf", "-oL", unpacked("usr/bin/dpdk-testpmd"), *arguments, "--",
                              "-i", "--record-core-cycles", *options], log, stdin=subprocess.PIPE)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()

    def ask(self, command, pattern, seconds=10):
        """Says 'command' and waits for 'pattern' in what comes; the match."""
        before = len(self.said())
        self.process.stdin.write((command + "\n").encode())
        self.process.stdin.flush()
        return self.wait(pattern, before, seconds)

    def wait(self, pattern, since=0, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.said()[since:], re.DOTALL)
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"testpmd does not say {pattern!r}:\n{self.said()[-2500:]}")
            time.sleep(0.005)

    def forget_cycles(self):
        self.ask("clear fwd stats all", "testpmd> ")

    def cycles_a_frame(self):
        """Of all rounds that moved frames since forget_cycles()."""
        found = self.ask("show fwd stats all", r"CPU cycles/packet=([\d.]+)")
        return float(found[1])

    def end(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.write(b"stop\nquit\n")
                self.process.stdin.flush()
                self.process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                pass
        end(self.process)


def cpu_s(pid):
    """CPU seconds of a process so far, all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Switch:
    """A switch that runs for one measurement, in a directory of its own."""

    name = ""

    def __init__(self):
        self.process = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="mp-bench-")
        self.log = os.path.join(self.dir, "log")
        self.sockets = [os.path.join(self.dir, f"v{i}") for i in range(2)]
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.finish()
        shutil.rmtree(self.dir, ignore_errors=True)

    def begin(self):
        raise NotImplementedError

    def finish(self):
        end(self.process)

    def cost_begin(self):
        """From here on counts what the frames cost; cost_ns() says it."""
        raise NotImplementedError

    def cost_ns(self, rate, cycles_per_ns):
        """Time that the switch spent on each frame, of those polls only that found any."""
        raise NotImplementedError


class Testpmd(Switch):
    name = "testpmd"

    def begin(self):
        vdevs = [f"--vdev=net_vhost{i},iface={path}" for i, path in enumerate(self.sockets)]
        self.console = None
        self.console = Console(["--lcores", f"0@{SWITCH_CPU},1@{SWITCH_CPU}", "--no-pci",
                                "--in-memory", "--no-telemetry", *vdevs],
                               ["--auto-start", "--forward-mode=io", *BUFFERS],
                               self.log)
        wait_for(self.sockets, self.console.process, self.log)

    def finish(self):
        if self.console:
            self.console.end()

    def cost_begin(self):
        self.console.forget_cycles()

    def cost_ns(self, rate, cycles_per_ns):
        return self.console.cycles_a_frame() / cycles_per_ns


class OpenVswitch(Switch):
    name = "ovs-dpdk"

    def begin(self):
        self.database = None
        env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir, OVS_LOGDIR=self.dir,
                   OVS_SYSCONFDIR=self.dir)
        self.env = env
        db = os.path.join(self.dir, "db.sock")
        schema = unpacked("usr/share/openvswitch/vswitch.ovsschema")
        subprocess.run([unpacked("usr/bin/ovsdb-tool"), "create", self.dir + "/conf.db", schema],
                       check=True, env=env)
        self.database = start([unpacked("usr/sbin/ovsdb-server"), self.dir + "/conf.db",
                               f"--remote=punix:{db}", "--no-chdir"], self.log, env=env)
        wait_for([db], self.database, self.log)
        mask = hex(1 << SWITCH_CPU)
        self.ask("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                 f"other_config:pmd-cpu-mask={mask}", f"other_config:dpdk-lcore-mask={mask}",
                 'other_config:dpdk-extra="--no-pci --no-telemetry"',
                 "other_config:dpdk-socket-mem=512")
        self.process = start([unpacked("usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"),
                              f"unix:{db}", "--no-chdir", f"--pidfile={self.dir}/pid"],
                             self.log, env=env)
        self.ask("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for i in range(2):
            self.ask("add-port", "br0", f"v{i}", "--", "set", "Interface", f"v{i}",
                     "type=dpdkvhostuser")
        wait_for(self.sockets, self.process, self.log)

    def ask(self, *args):
        done = subprocess.run([unpacked("usr/bin/ovs-vsctl"), f"--db=unix:{self.dir}/db.sock",
                               "--timeout=30", *args], env=self.env)
        if done.returncode:
            raise BenchError(f"ovs-vsctl {args[0]} gave {done.returncode}")

    def pmd(self, command):
        control = glob.glob(self.dir + "/ovs-vswitchd*.ctl")
        done = subprocess.run([unpacked("usr/bin/ovs-appctl"), "-t", control[0],
                               "dpif-netdev/" + command], env=self.env, text=True,
                              stdout=subprocess.PIPE, check=True)
        return done.stdout

    def cost_begin(self):
        self.pmd("pmd-stats-clear")

    def cost_ns(self, rate, cycles_per_ns):
        found = re.search(r"avg processing cycles per packet: ([\d.]+)", self.pmd("pmd-stats-show"))
        return float(found[1]) / cycles_per_ns if found else None

    def finish(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        end(self.process)
        end(self.database)


class Midplane(Switch):
    """midplaned with one card of 'functions' virtual functions; the first two carry the traffic.

    packed   packed rings are offered
    limited  rate limits on, far above what is reached, so that their cost is in the figure
    """

    name = "midplane"

    def __init__(self, build, functions=2, packed=False, limited=True):
        super().__init__()
        self.build = build
        self.functions = functions
        self.packed = packed
        self.limited = limited

    def site(self):
        limits = {"rate": "400Gbit", "pps": "400M"} if self.limited else {}
        systems = []
        for i in range(self.functions):
            io = {"name": "net0", "pool": "pool", "attachment": "vhost-user",
                  "socket": os.path.join(self.dir, f"v{i}"), "packed": self.packed,
                  "mac": MACS[i] if i < 2 else f"52:54:00:bf:{i >> 8:02x}:{i & 255:02x}"}
            systems.append({"name": f"s{i}", "host": "h", "io": [{**io, **limits}]})
        card = {"name": "nic0", "class": "nic", "vfs": self.functions, "line": "net_null0"}
        return {"name": f"bench-{os.getpid()}", "workers": 1,
                "chassis": [{"name": "c", "carriers": [{"name": "k", "cards": [card]}]}],
                "hosts": [{"name": "h", "chassis": "c"}],
                "pools": [{"name": "pool", "cards": ["nic0"]}], "systems": systems}

    def begin(self):
        path = os.path.join(self.dir, "site.yaml")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(self.site(), out, indent=1)
        program = os.path.join(self.build, "src/prog/midplaned")
        if not os.path.exists(program):
            raise BenchError(f"no {program}: run make")
        self.process = start(["taskset", "-c", str(SWITCH_CPU), program, "--socket",
                              os.path.join(self.dir, "tool.sock"), path], self.log)
        wait_for(self.sockets, self.process, self.log)

    def busy_s(self):
        """Seconds in rounds that moved something, and when that was."""
        done = subprocess.run([os.path.join(self.build, "src/prog/midplane"), "--socket",
                               os.path.join(self.dir, "tool.sock"), "-o", "json", "worker", "list"],
                              text=True, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)[0]["busy_ns"] / 1e9, time.monotonic()

    def cost_begin(self):
        self.before = self.busy_s()

    def cost_ns(self, rate, cycles_per_ns):
        busy_s, now_s = self.busy_s()
        return (busy_s - self.before[0]) / (now_s - self.before[1]) / rate * 1e9
