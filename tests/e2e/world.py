"""A world for one end-to-end test: namespaces, wires, a daemon, guests; gone afterwards in any case.

    def body(world):
        far = world.namespace("far")
        ...

    world.main("what_is_tested", body)

Exit codes are meson's: 0 passed, 1 failed, 77 skipped (with the reason printed).
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "guests"))

import guests  # noqa: E402
from guests import Nic  # noqa: E402,F401 -- tests take it from here
import image  # noqa: E402
from sweeper import Sweeper  # noqa: E402

SKIPPED = 77
STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PATIENCE_S = 200 # with what never comes; how soon something comes is the machine's
SOURCE = os.path.dirname(os.path.dirname(HERE))


class Skip(Exception):
    """The test cannot run here; says why."""


class Failure(Exception):
    """What the test claims is not true."""


def check(condition, text):
    """Fails the test unless 'condition'; 'text' says what should have been."""
    if not condition:
        raise Failure(text)
    print(f"  ok: {text}", flush=True)


def say(text):
    print(text, flush=True)


def in_time(question, seconds=PATIENCE_S):
    """Asks until the answer is yes, or until it will not be: the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def newer_qemu():
    """The command of a QEMU from a newer suite, run by that suite's own loader and libraries."""
    made = subprocess.run([os.path.join(HERE, "newer_qemu")], stdout=subprocess.PIPE, text=True)
    if made.returncode:
        raise Failure("no newer QEMU, see above")
    root = made.stdout.strip()
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    return [os.path.join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path",
            f"{libraries}:{libraries}/pulseaudio", os.path.join(root, "usr/bin/qemu-system-x86_64"),
            "-L", os.path.join(root, "usr/share/qemu"), "-L", os.path.join(root, "usr/share/seabios")]


def sh(*args, check_code=True, timeout=PATIENCE_S, **more):
    """Runs a host program; its output."""
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, text=True, errors="replace", **more)
    if check_code and done.returncode:
        raise Failure(f"{' '.join(map(str, args))} gave {done.returncode}:\n{done.stdout}")
    return done.stdout


def facts(text):
    """{"lost": 3.0, ...} of the last line of key=value pairs in 'text'."""
    lines = [line for line in text.splitlines() if "=" in line]
    if not lines:
        raise Failure(f"no figures in: {text!r}")
    return {key: float(value) for key, value in re.findall(r"(\w+)=([-\d.]+)", lines[-1])}


def ping_loss(text):
    """Percent of pings that were not answered."""
    found = re.search(r"(\d+)% packet loss", text)
    if not found:
        raise Failure(f"not a ping: {text!r}")
    return int(found[1])


# With autogroups on (the kernel's default), sessions share the CPU as equals whatever runs in them
# and a nice level has no effect between them; this asks for what a data plane is given.
PREFERRED = ["sh", "-c", 'echo -19 >/proc/self/autogroup 2>/dev/null; exec "$@"', "sh"]


class Namespace:
    """A network namespace of the test: another machine on the network."""

    def __init__(self, world, name):
        self.world = world
        self.wires = 0
        self.name = world.namespaces + name
        sh("ip", "netns", "add", self.name)
        world.undo(lambda: subprocess.run(["ip", "netns", "del", self.name], check=False,
                                          stderr=subprocess.DEVNULL))
        self.run("ip link set lo up")
        self.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")

    def enter(self, *args):
        # Not "ip netns exec": it remounts, which a plain chroot does not let it do.
        return ["nsenter", f"--net=/run/netns/{self.name}", *args]

    def run(self, command, check_code=True, timeout=PATIENCE_S):
        return sh(*self.enter("sh", "-c", command), check_code=check_code, timeout=timeout)

    def lost_pings(self, to, count, interval_ms=50):
        """How many of so many pings nobody answers, however late."""
        said = self.run(f"{self.world.traffic()} ping {to} {count} {interval_ms * 1000}", check_code=False)
        return facts(said)["lost"]

    def spawn(self, *args, preferred=False):
        """A process in this namespace that ends with the test."""
        return self.world.process(*self.enter(*args), preferred=preferred)

    def address(self, interface, address):
        self.run(f"ip addr add {address} dev {interface}; ip link set {interface} up")

    def link(self, interface):
        """What iproute2 knows of an interface, as a dictionary; /sys shows those of another
        namespace."""
        return json.loads(self.run(f"ip -j -s link show dev {interface}"))[0]

    def wire(self, interface, other, other_interface):
        """A veth pair to another namespace, both ends up, without checksum offload.

        The ends get indices that differ: where they are equal by chance, Linux takes the interface
        for one without a lower one and reports a second loss of its link within a second late.
        """
        self.wires += 1
        self.run(f"ip link add {interface} index {100 + self.wires} type veth peer "
                 f"name {other_interface} index {200 + self.wires} netns {other.name}")
        self.run(f"ip link set {interface} up")
        other.run(f"ip link set {other_interface} up")
        # A packet socket would see unfinished checksums.
        self.run(f"ethtool -K {interface} tx off tso off gso off gro off >/dev/null")
        other.run(f"ethtool -K {other_interface} tx off tso off gso off gro off >/dev/null")

    def bridge(self, name, interfaces):
        self.run(f"ip link add {name} type bridge forward_delay 0 && ip link set {name} up")
        for interface in interfaces:
            self.run(f"ip link set {interface} master {name}")


class Daemon:
    """midplaned running a site, and the tool that talks to it."""

    def __init__(self, world, site, namespace=None, wait=True, name="site", arguments=(), user=None,
                 preferred=False):
        self.world = world
        self.site_path = os.path.join(world.dir, name + ".yaml")
        self.socket = os.path.join(world.dir, name + ".sock")
        self.log_path = os.path.join(world.dir, name + ".log")
        self.namespace = namespace
        self.arguments = list(arguments)
        self.user = user
        self.preferred = preferred
        if isinstance(site, dict):
            with open(self.site_path, "w", encoding="utf-8") as out:
                json.dump(site, out, indent=1) # JSON is YAML
        else:
            self.site_path = site
        self.process = None
        world.undo(self.end)
        self.start(wait)

    def start(self, wait=True):
        began = time.monotonic()
        self.process = self.spawn()
        if wait:
            self.wait_ready()
            self.started_s = time.monotonic() - began

    def spawn(self, *more):
        """A process of the site; with "--take-over", a second one."""
        command = [self.world.program("src/prog/midplaned"), "--socket", self.socket,
                   *self.arguments, *more, self.site_path]
        if self.user:
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}",
                       "--clear-groups", *command]
        if self.namespace:
            command = self.namespace.enter(*command)
        if self.preferred:
            command = [*PREFERRED, *command]
        with open(self.log_path, "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)

    def hand_over(self, seconds=PATIENCE_S):
        """Another process takes the site over from this one, which ends; the pause in ms, as the log has it."""
        before, self.process = self.process, self.spawn("--take-over")
        try:
            code = before.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process = before
            raise Failure(f"the site was not handed over in {seconds} s:\n{self.log()}") from None
        if code != 0:
            raise Failure(f"the daemon that handed over ended with {code}:\n{self.log()}")
        self.wait_ready()
        return int(re.findall(r"pause_ms=(\d+)", self.log())[-1])

    def wait_ready(self, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"midplaned ended with {self.process.returncode}:\n{self.log()}")
            if os.path.exists(self.socket) and self.tool("system", "list", check_code=False)[0] == 0:
                return
            time.sleep(0.02)
        raise Failure(f"midplaned does not answer:\n{self.log()}")

    def tool(self, *args, check_code=True, timeout=PATIENCE_S):
        """Runs the tool; exit code and output."""
        command = [self.world.program("src/prog/midplane"), "--socket", self.socket, *args]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=timeout)
        if check_code and done.returncode:
            raise Failure(f"midplane {' '.join(args)} gave {done.returncode}:\n{done.stdout}"
                          f"\nthe daemon says:\n{self.log()}")
        return done.returncode, done.stdout

    def facts(self, *args):
        return json.loads(self.tool("-o", "json", *args)[1])

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-6000:]

    def cpu_s(self):
        """CPU seconds used so far, all threads."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waited_s(self):
        """Seconds for which the control thread has wanted a CPU and others had it."""
        try:
            with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as stat:
                return int(stat.read().split()[1]) / 1e9
        except FileNotFoundError: # a kernel that does not say
            return 0

    def stop(self, seconds=PATIENCE_S):
        """SIGTERM; seconds that it took."""
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"midplaned did not stop in {seconds} s:\n{self.log()}") from None
        return time.monotonic() - began

    def end(self):
        """At the end of a test: SIGTERM, so that it cleans up after itself; killed if it does not."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except Failure as failure:
                say(f"  {failure}")
                self.kill()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class World:
    def __init__(self, name, build):
        self.name = name
        self.build = os.path.abspath(build)
        self.undos = []
        self.dir = tempfile.mkdtemp(prefix="mp-")
        self.namespaces = f"mp-{name[:12]}-{os.getpid()}-"
        self.sweeper = Sweeper(self.dir, self.namespaces) # for when end() is not reached, or not to its end
        self.undo(lambda: shutil.rmtree(self.dir, ignore_errors=True))

    def undo(self, action):
        """Registers what takes something away again; last in, first out."""
        self.undos.append(action)

    def end(self):
        """Takes everything away."""
        leave_the_rest_on_signals()
        while self.undos:
            try:
                self.undos.pop()()
            except Exception: # one that fails must not keep the others from running
                traceback.print_exc()
        self.sweeper.close()

    def program(self, path):
        full = os.path.join(self.build, path)
        if not os.path.exists(full):
            raise Skip(f"{path} is not built")
        return full

    def traffic(self):
        return self.program("tests/guests/traffic")

    def namespace(self, name):
        return Namespace(self, name)

    def process(self, *args, preferred=False, **more):
        log = open(os.path.join(self.dir, os.path.basename(args[0]) + f"-{len(self.undos)}.log"), "w+b")
        command = [*(PREFERRED if preferred else []), *map(str, args)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True, **more)
        process.log = log

        def end():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            log.close()

        self.undo(end)
        return process

    def wait_for_output(self, process, text, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while text.encode() not in open(process.log.name, "rb").read():
            if time.monotonic() > deadline or process.poll() is not None:
                raise Failure(f"{process.args} does not say '{text}'")
            time.sleep(0.01)

    def output(self, process, seconds=PATIENCE_S):
        """Waits for a process and returns what it printed."""
        process.wait(seconds)
        process.log.seek(0)
        return process.log.read().decode(errors="replace")

    def uml(self, name, *nics):
        why = guests.uml_works()
        if why:
            raise Skip(why)
        return self.guest(guests.UmlGuest(name, self.dir, list(nics), self.guest_programs()))

    def qemu(self, name, *nics, **more):
        if shutil.which("qemu-system-x86_64") is None:
            raise Skip("qemu-system-x86_64 is not installed")
        return self.guest(guests.QemuGuest(name, self.dir, list(nics), self.guest_programs(), **more))

    def guest_programs(self):
        return {"traffic": self.traffic()}

    def guest(self, guest):
        """Starts booting; call wait_ready() on it."""
        self.undo(guest.stop)
        return guest.start()

    def daemon(self, site, **more):
        return Daemon(self, site, **more)


def leave_the_rest_on_signals():
    """From here on who sends a signal does not wait until all is taken away; the sweeper goes on with that."""
    for number in STOPPING:
        signal.signal(number, lambda number, _frame: os._exit(128 + number))


def stop_on_signals():
    def stop(number, _frame):
        leave_the_rest_on_signals()
        raise SystemExit(128 + number)

    for number in STOPPING:
        signal.signal(number, stop)


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")


def keep_logs(world):
    """What the processes of a failed test said."""
    for entry in sorted(os.listdir(world.dir)):
        if entry.endswith((".log", ".console", ".stderr")):
            with open(os.path.join(world.dir, entry), "rb") as log:
                tail = re.sub(r"setup_one_line.*\n", "", log.read().decode(errors="replace"))
            tail = tail[-3000:].strip()
            if tail:
                say(f"---- {entry}\n{tail}")


def main(name, body, as_root=True, add_options=None):
    """add_options  gets the parser of the command line; what was given is in world.options"""
    parser = argparse.ArgumentParser(description=f"end-to-end test {name}")
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    if add_options:
        add_options(parser)
    options = parser.parse_args()
    if as_root and os.geteuid() != 0:
        say("skipped: needs root for network namespaces")
        sys.exit(SKIPPED)
    stop_on_signals()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    world = World(name, options.build)
    world.options = options
    code = 1
    try:
        if as_root:
            need("ip", "nsenter", "ethtool", "sysctl")
        body(world)
        say(f"passed: {name}")
        code = 0
    except (Skip, image.Missing) as why:
        say(f"skipped: {why}")
        code = SKIPPED
    except Exception:
        traceback.print_exc(file=sys.stdout)
        keep_logs(world)
    finally:
        world.end()
    sys.exit(code)
