"""The switches that bench.py compares, each started for one run and gone after it.

Each gives two vhost-user sockets between which it forwards on one core: midplaned as a learning
switch with rate limits, dpdk-testpmd as a plain wire between two vhost ports, and Open vSwitch's
DPDK datapath with the NORMAL action.
"""

import json
import os
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


class BenchError(Exception):
    """A switch or the traffic source did not do what it was started for."""


def unpacked(path):
    full = os.path.join(image.cache_dir(), "bench", path)
    if not os.path.exists(full):
        raise BenchError(f"no {full}: run packaging/install-deps bench unpack-bench")
    return full


def start(command, log, **more):
    """Starts a measured process.  Its session's autogroup gets the CPU before others': with
    autogroups on, a plain nice level has no effect between sessions."""
    prefer = ["sh", "-c", 'echo -19 >/proc/self/autogroup 2>/dev/null; exec "$@"', "sh"]
    with open(log, "ab") as out:
        return subprocess.Popen([*prefer, *map(str, command)], stdin=subprocess.DEVNULL, stdout=out,
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


class Testpmd(Switch):
    name = "testpmd"

    def begin(self):
        vdevs = [f"--vdev=net_vhost{i},iface={path}" for i, path in enumerate(self.sockets)]
        self.process = start(
            [unpacked("usr/bin/dpdk-testpmd"), "--lcores", f"0@{SWITCH_CPU},1@{SWITCH_CPU}",
             "--no-pci", "--in-memory", "--no-telemetry", *vdevs, "--", "--auto-start",
             "--forward-mode=io", "--stats-period=1000", "--total-num-mbufs=32768"], self.log)
        wait_for(self.sockets, self.process, self.log)


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

    limited  rate limits on, far above what is reached, so that their cost is in the figure
    """

    name = "midplane"

    def __init__(self, build, functions=2, limited=True):
        super().__init__()
        self.build = build
        self.functions = functions
        self.limited = limited

    def site(self):
        limits = {"rate": "400Gbit", "pps": "400M"} if self.limited else {}
        systems = []
        for i in range(self.functions):
            io = {"name": "net0", "pool": "pool", "attachment": "vhost-user",
                  "socket": os.path.join(self.dir, f"v{i}"),
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
