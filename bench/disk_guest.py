"""The part "guest" of bench.py: a stock Linux guest in QEMU's translator has a disk of midplaned and two of
qemu-storage-daemon by vhost-user-blk at once, and fio runs on each of them in turn."""

import contextlib
import json
import shutil

import disks
from switches import SOURCE_CPU, BenchError, preferred

import guests  # switches.py says where they are
import image

LOADS = [(op, depth) for op in ("randread", "randwrite") for depth in disks.DEPTHS]


class DiskGuest(guests.QemuGuest):
    """One queue a disk; /dev/vda is that of the first socket."""

    memory_mb = 512  # fio comes with its libraries
    program = [*preferred(), "taskset", "-c", str(SOURCE_CPU), "qemu-system-x86_64"]

    def __init__(self, workdir, sockets):
        super().__init__("guest", workdir, [], {"fio": shutil.which("fio")})
        self.sockets = sockets

    def devices(self):
        out = []
        for index, path in enumerate(self.sockets):
            out += ["-chardev", f"socket,id=c{index},path={path}",
                    "-device", f"pcie-root-port,id=rp{index},chassis={index + 1},slot={index + 1}",
                    "-device", f"vhost-user-blk-pci,bus=rp{index},chardev=c{index},num-queues=1,disable-legacy=on"]
        return out

    def fio(self, disk, op, depth, seconds):
        """What fio says of /dev/vdX: latency and rate."""
        said = self.run(f"fio --name=load --filename=/dev/vd{'abc'[disk]} --rw={op} --bs=4k --iodepth={depth} "
                        f"--ioengine=libaio --direct=1 --thread --time_based --runtime={seconds * 1000:.0f}ms "
                        "--ramp_time=200ms --norandommap --output-format=json", 60).text
        side = json.loads(said[said.index("{"):])["jobs"][0]["read" if op == "randread" else "write"]
        times = side["clat_ns"]["percentile"]
        return {"median_us": times["50.000000"] / 1e3, "p99_us": times["99.000000"] / 1e3, "iops": side["iops"]}


def measure(servers, options):
    """{(server, load): a sample of each round}; all are there at once, and in turn the first."""
    got = {(name, load): [] for name in servers for load in LOADS}
    with contextlib.ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(server)
        guest = DiskGuest(next(iter(servers.values())).dir, [server.socket for server in servers.values()])
        stack.callback(guest.stop)
        guest.start().wait_ready()
        for turn in range(options.rounds):
            for load in LOADS:
                for place in range(len(servers)):
                    disk = (turn + place) % len(servers)
                    got[list(servers)[disk], load].append(guest.fio(disk, *load, options.seconds / disks.ROWS_SHARE))
    return got


def bench_guest(options):
    build = options.build
    servers = {"midplaned, memory": disks.Daemon(build, "memory"),
               "qemu-storage-daemon, tmpfs": disks.StorageDaemon(build, "tmpfs"),
               "the same, threads": disks.StorageDaemon(build, "tmpfs", "threads")}
    mine, *theirs = servers
    try:
        if not shutil.which("fio") or not shutil.which("qemu-system-x86_64"):
            raise BenchError("no fio or no qemu-system-x86_64: run packaging/install-deps bench")
        got = measure(servers, options)
    except (guests.GuestError, image.Missing) as error:
        raise BenchError(str(error)) from None
    print("\nA guest's vhost-user-blk: fio in a stock kernel in QEMU's translator, on one core, 4 KiB at random "
          "places, libaio, direct:\nmedian / 99 % of the latency, commands a second.  Last: how many times better than "
          "the better qemu-storage-daemon of\nthe round (median, lowest..highest).\n")
    print("| what | depth | " + " | ".join(servers) + " | latency, rate |")
    print("|---|---:|" + "---|" * (len(servers) + 1))
    for load in LOADS:
        cells = [disks.figures(got[name, load]) for name in servers]
        peers = [got[name, load] for name in theirs]
        cells.append(", ".join(disks.show_times(disks.times(got[mine, load], peers, *what))
                               for what in (("median_us", "less"), ("iops", "more"))))
        print("| " + " | ".join([load[0], str(load[1]), *cells]) + " |", flush=True)
    return [{"load": load, "samples": {name: got[name, load] for name in servers}} for load in LOADS]
