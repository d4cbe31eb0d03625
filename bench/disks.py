"""The parts of bench.py about disks: commands of 4 KiB at random places, by one client on one core (bench/disk_load.c).

disk   NVMe over vfio-user, midplaned with a card of memory on the other core
blk    vhost-user-blk: midplaned with a disk card beside qemu-storage-daemon, the same client for both, in turn
mirror what a card and a mirror of two cost a command, and how fast a half is brought up to date (bench/disk_bench.c)
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile

from switches import SOURCE_CPU, SWITCH_CPU, BenchError, distance, end, start, wait_for
import source

MIB = 1 << 20
SIZE = 256 * MIB
CARD_SIZE = SIZE + MIB  # with its table
DEPTHS = (1, 32)
ROWS_SHARE = 3  # tables of many rows take this part of the time for a sample
CORES = ("near", "far")
# What SPDK's target over vfio-user reached on a machine of this kind, and what is to be reached: 1.2 times better.
TO_REACH = {1: ("median_us", 1.37), 32: ("iops", 289200)}


class Disk:
    """A server of one disk on its core, with the socket of it; 'way' is disk_load's word for the socket."""

    name = ""
    way = "vhost"

    def __init__(self, build, medium):
        self.build = build
        self.medium = medium
        # What a file system does in threads of the kernel must get its turn on these cores.
        self.autogroup = 0 if medium == "file" else -19
        self.process = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="mp-disk-")
        self.log = os.path.join(self.dir, "log")
        self.socket = os.path.join(self.dir, "disk.sock")
        name = f"mp-disk-{os.getpid()}-{id(self)}.img"
        self.image = {"file": os.path.join(self.build, name), "tmpfs": "/dev/shm/" + name}.get(self.medium)
        try:
            if self.image:
                with open(self.image, "wb") as file:
                    file.truncate(CARD_SIZE)
            self.process = start(["taskset", "-c", str(SWITCH_CPU), *self.command()], self.log,
                                 autogroup=self.autogroup)
            wait_for([self.socket], self.process, self.log)
            if self.medium != "null":
                self.load("fill")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        end(self.process)
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.image and os.path.exists(self.image):
            os.unlink(self.image)

    def command(self):
        raise NotImplementedError

    def load(self, *what):
        """What disk_load says of it; it runs on the client's core before others."""
        program = os.path.join(self.build, "bench/disk_load")
        log = os.path.join(self.dir, "load")
        client = start(["taskset", "-c", str(SOURCE_CPU), program, self.way, self.socket, *what], log,
                       autogroup=self.autogroup)
        try:
            code = client.wait(120)
        except subprocess.TimeoutExpired:
            code = "no answer"
        finally:
            end(client)
        with open(log, encoding="utf-8", errors="replace") as text:
            said = text.read()
        os.unlink(log)
        if code != 0:
            with open(self.log, encoding="utf-8", errors="replace") as text:
                raise BenchError(f"{self.name}, {self.medium}: {' '.join(map(str, what))} gave {code}: "
                                 f"{said[-500:]}\n{text.read()[-1500:]}")
        return json.loads(said) if said else None

    def sample(self, op, depth, seconds, *more):
        """One measurement, with where the cores were: "near", "far", or None when they moved meanwhile."""
        before = distance(self.build)[0]
        blind = ["blind"] if self.medium == "null" else []
        got = self.load(op, str(depth), str(seconds), *more, *blind)
        after = distance(self.build)[0]
        where = {"near" if ns < source.NEAR_NS else "far" for ns in (before, after)}
        return {**got, "cores": where.pop() if len(where) == 1 else None, "apart_ns": [before, after]}


class Daemon(Disk):
    """midplaned with one disk card and one disk: "nvme" over vfio-user, or "vhost-user-blk"."""

    name = "midplaned"

    def __init__(self, build, medium, attachment="vhost-user-blk"):
        super().__init__(build, medium)
        self.attachment = attachment
        self.way = "nvme" if attachment == "nvme" else "vhost"

    def command(self):
        card = {"name": "disk", "class": "disk", "vfs": 1, "size": f"{CARD_SIZE // MIB}MiB",
                "medium": self.image or "memory"}
        disk = {"name": "disk", "pool": "pool", "attachment": self.attachment,
                "size": f"{SIZE // MIB}MiB", "socket": self.socket}
        if self.attachment == "nvme":
            disk["queues"] = 4
        site = {"name": f"bench-{os.getpid()}", "workers": 1,
                "chassis": [{"name": "c", "carriers": [{"name": "k", "cards": [card]}]}],
                "hosts": [{"name": "h", "chassis": "c"}], "pools": [{"name": "pool", "cards": ["disk"]}],
                "systems": [{"name": "s", "host": "h", "io": [disk]}]}
        path = os.path.join(self.dir, "site.yaml")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(site, out, indent=1)
        return [os.path.join(self.build, "src/prog/midplaned"), "--socket",
                os.path.join(self.dir, "tool.sock"), path]


class StorageDaemon(Disk):
    """qemu-storage-daemon with an I/O thread of its own, polling as long as its default is."""

    name = "qemu-storage-daemon"

    def __init__(self, build, medium, aio="io_uring"):
        super().__init__(build, medium)
        self.aio = aio
        if shutil.which("qemu-storage-daemon") is None:
            raise BenchError("no qemu-storage-daemon: install qemu-system-common")

    def command(self):
        if self.medium == "null":
            node = {"driver": "null-co", "size": CARD_SIZE, "read-zeroes": False}
        else:  # tmpfs has no direct I/O
            node = {"driver": "file", "filename": self.image, "aio": self.aio,
                    "cache": {"direct": self.medium == "file"}}
        return ["qemu-storage-daemon", "--object", "iothread,id=io,poll-max-ns=32768",
                "--blockdev", json.dumps({"node-name": "disk", **node}),
                "--export", "type=vhost-user-blk,id=export,node-name=disk,writable=on,num-queues=1,"
                f"iothread=io,addr.type=unix,addr.path={self.socket}"]


def middle(values):
    return statistics.median(values) if values else None


def show(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def rounds_of(servers, loads, rounds, seconds):
    """{(server, load): [a sample of each round, or None]}, the order turning from round to round."""
    got = {(name, load): [] for name in servers for load in loads}
    names = list(servers)
    for turn in range(rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            for load in loads:
                got[name, load].append(None)
            try:
                with servers[name]() as disk:
                    for load in loads:
                        got[name, load][-1] = disk.sample(load[0], load[1], seconds, *load[2:])
            except BenchError as error:
                print(f"  not measured: {error}", flush=True)
    return got


def of(samples, key):
    return middle([s[key] for s in samples if s])


def bench_disk(options):
    print(f"\nNVMe over vfio-user: 4 KiB random reads of a card of {SIZE // MIB} MiB of memory, midplaned on one "
          "core, the client on\nthe other (medians of the rounds' samples)\n")
    print("| depth | cores | samples | median, us | 99 %, us | commands a second | best | to reach |")
    print("|---:|---|---:|---:|---:|---:|---:|---|")
    loads = [("read", depth) for depth in DEPTHS]
    got = rounds_of({"midplaned": lambda: Daemon(options.build, "memory", "nvme")}, loads, 2 * options.rounds,
                    options.seconds / 2)
    out = []
    for load in loads:
        samples = got["midplaned", load]
        for cores in (*CORES, None):
            mine = [s for s in samples if s and s["cores"] == cores]
            if not mine:
                continue
            key, goal = TO_REACH[load[1]]
            wish = f"{key.replace('_us', ' in us')} {goal:g}"
            row = {key: of(mine, key) for key in ("median_us", "p99_us", "iops")}
            print(f"| {load[1]} | {cores or 'moved'} | {len(mine)} | {row['median_us']:.2f} | {row['p99_us']:.2f} | "
                  f"{row['iops']:,.0f} | {max(s['iops'] for s in mine):,.0f} | {wish} |", flush=True)
            out.append({"depth": load[1], "cores": cores, **row, "samples": mine})
    return out


def figures(samples):
    return (f"{show(of(samples, 'median_us'))} / {show(of(samples, 'p99_us'), '{:.1f}')} us, "
            f"{show(of(samples, 'iops'), '{:,.0f}')}/s")


def times(mine, theirs, key, better):
    """How many times better ours is than the best of theirs: of each round that has both."""
    each = []
    for round_, ours in enumerate(mine):
        others = [samples[round_][key] for samples in theirs if samples[round_]]
        if ours and others:
            each.append(ours[key] / max(others) if better == "more" else min(others) / ours[key])
    return each


def show_times(each):
    return f"{statistics.median(each):.2f} ({min(each):.2f}..{max(each):.2f})" if each else "-"


def blk_table(title, servers, ours, theirs, options):
    """servers: {name: maker}; each of ours is compared with the best of theirs."""
    loads = [(op, depth, *wait) for op in ("read", "write") for depth in DEPTHS for wait in ((), ("sleep",))]
    got = rounds_of(servers, loads, options.rounds, options.seconds / ROWS_SHARE)
    print(f"\n{title}\n")
    print("| what | depth | client | " + " | ".join(servers) + " | " +
          " | ".join(f"{name}: latency, rate" for name in ours) + " |")
    print("|---|---:|---|" + "---|" * (len(servers) + len(ours)))
    out = []
    for load in loads:
        cells = [figures(got[name, load]) for name in servers]
        row = {}
        for name in ours:
            peers = [got[peer, load] for peer in theirs]
            row[name] = {"latency": times(got[name, load], peers, "median_us", "less"),
                         "rate": times(got[name, load], peers, "iops", "more")}
            cells.append(f"{show_times(row[name]['latency'])}, {show_times(row[name]['rate'])}")
        cells = [load[0], str(load[1]), "sleeps" if load[2:] else "polls", *cells]
        print("| " + " | ".join(cells) + " |", flush=True)
        out.append({"load": load, "times": row, "samples": {name: got[name, load] for name in servers}})
    return out


def bench_blk(options):
    print(f"\nvhost-user-blk: 4 KiB at random places of {SIZE // MIB} MiB, one queue, server and client on a core "
          "each: median / 99 % of the\nlatency, commands a second.  Last: how many times better than the better "
          "qemu-storage-daemon of the round (median,\nlowest..highest).")
    build = options.build
    out = {"memory": blk_table("In memory", {
        "midplaned, memory": lambda: Daemon(build, "memory"),
        "midplaned, tmpfs": lambda: Daemon(build, "tmpfs"),
        "qemu-storage-daemon, tmpfs": lambda: StorageDaemon(build, "tmpfs"),
        "the same, threads": lambda: StorageDaemon(build, "tmpfs", "threads"),
        "the same, null": lambda: StorageDaemon(build, "null"),
    }, ("midplaned, memory", "midplaned, tmpfs"), ("qemu-storage-daemon, tmpfs", "the same, threads"), options)}
    out["file"] = blk_table("In a file, direct I/O", {
        "midplaned": lambda: Daemon(build, "file"),
        "qemu-storage-daemon": lambda: StorageDaemon(build, "file"),
    }, ("midplaned",), ("qemu-storage-daemon",), options)
    return out


def bench_mirror(options):
    print("\nA disk card and a mirror of two, in memory, without fronts: ns of a command of 4 KiB at random places, "
          "and the return of a\nhalf after a write to each region (medians; lowest..highest)\n")
    print("| what | figure |")
    print("|---|---|")
    got = {}
    for _ in range(options.rounds):
        said = subprocess.run(["taskset", "-c", str(SWITCH_CPU), os.path.join(options.build, "bench/disk_bench"),
                               str(options.seconds / 8)], check=True, capture_output=True, text=True).stdout
        for name, ns in re.findall(r"^(\w+ +\w+ +depth +\d+): .* (\d+) ns each$", said, re.MULTILINE):
            got.setdefault(" ".join(name.split()) + ", ns", []).append(float(ns))
        speed = re.search(r"brought up to date: .* (\d+) MiB a second", said)
        got.setdefault("brought up to date, MiB a second", []).append(float(speed[1]))
    for name, values in got.items():
        print(f"| {name} | {statistics.median(values):.0f} ({min(values):.0f}..{max(values):.0f}) |", flush=True)
    return got
