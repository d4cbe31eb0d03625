"""make bench: what midplane costs beside what others cost, paired and interleaved in one run.

    bench.py [--rounds N] [--seconds N] [--only rates,latency,scale,idle] [--json FILE]

Absolute figures of a shared machine move by a factor of two with its neighbours, so every round
measures all switches one after the other and the ratios are taken within a round.  The method and the
meaning of each table: docs/bench.md.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time

import hugepages
import source
from switches import BenchError, Midplane, OpenVswitch, Testpmd, cpu_s, end, start, unpacked

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRAMES = (64, 512, 1518)
TARGETS = {(64, "testpmd"): 1.3, (64, "ovs-dpdk"): 1.8, (1518, "testpmd"): 1.5, (1518, "ovs-dpdk"): 2.0}
FUNCTION_COUNTS = (2, 16, 64, 256)
HUGEPAGES = 1536
PORTS_A_PROCESS = 30 # DPDK has 32 ports a process
IDLE_FUNCTIONS = 64
IDLE_SECONDS = 10


def makers(build):
    return {"midplane": lambda: Midplane(build), "testpmd": Testpmd, "ovs-dpdk": OpenVswitch}


def measure(make, frame, seconds, in_flight=1024):
    """One run; None when the switch cannot be had, after saying why."""
    try:
        with make() as switch:
            return source.drive(switch, frame, seconds, in_flight)
    except BenchError as error:
        print(f"  not measured: {error}", file=sys.stderr)
        return None


def rounds_of(switches, frame, options, in_flight=1024):
    """{switch: [rate of each round]}; the order turns each round, so nobody is always first."""
    got = {name: [] for name in switches}
    names = list(switches)
    for turn in range(options.rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            got[name].append(measure(switches[name], frame, options.seconds, in_flight))
    return got


def median(values):
    kept = [value for value in values if value is not None]
    return statistics.median(kept) if kept else None


def ratios(mine, theirs):
    """Ratio of each round in which both were measured."""
    return [a / b for a, b in zip(mine, theirs) if a and b]


def show(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def bench_rates(options):
    print("\nFrames a second from function to function, one core for the switch (medians, Mpps)\n")
    print("| frame | midplane | testpmd | ovs-dpdk | Gbit/s | to testpmd (lowest..highest) | to ovs-dpdk |")
    print("|---:|---:|---:|---:|---:|---|---|")
    out = []
    for frame in FRAMES:
        got = rounds_of(makers(options.build), frame, options)
        row = {"frame_bytes": frame, "rounds": got, "ratio": {}}
        cells = []
        for peer in ("testpmd", "ovs-dpdk"):
            each = ratios(got["midplane"], got[peer])
            target = TARGETS.get((frame, peer))
            row["ratio"][peer] = {"rounds": each, "median": median(each), "target": target}
            cells.append(f"{median(each):.2f} ({min(each):.2f}..{max(each):.2f})" +
                         (f", to reach {target}" if target else "") if each else "-")
        rates = [median(got[name]) for name in ("midplane", "testpmd", "ovs-dpdk")]
        gbps = rates[0] * frame * 8 / 1e9 if rates[0] else None
        print(f"| {frame} | " + " | ".join(show(r and r / 1e6) for r in rates) +
              f" | {show(gbps, '{:.1f}')} | {cells[0]} | {cells[1]} |", flush=True)
        out.append(row)
    return out


def bench_latency(options):
    print("\nOne frame a direction in flight: microseconds from function to function, the source's "
          "turn included\n")
    print("| switch | us |")
    print("|---|---:|")
    got = rounds_of(makers(options.build), 64, options, in_flight=1)
    out = {}
    for name, rates in got.items():
        middle = median(rates)
        out[name] = 2e6 / middle if middle else None
        print(f"| {name} | {show(out[name])} |", flush=True)
    return out


def idle_frontends(switch, first, last):
    """Connects functions first..last-1 with virtio-user ports that send nothing."""
    processes = []
    for begin in range(first, last, PORTS_A_PROCESS):
        paths = [os.path.join(switch.dir, f"v{i}")
                 for i in range(begin, min(begin + PORTS_A_PROCESS, last))]
        vdevs = [f"--vdev=net_virtio_user{i},path={path},queues=1,queue_size=256"
                 for i, path in enumerate(paths)]
        log = os.path.join(switch.dir, f"idle-{begin}.log")
        script = os.path.join(switch.dir, "idle.cmds")
        with open(script, "w", encoding="ascii") as out:
            out.write("show port summary all\n")
        processes.append(start(
            [unpacked("usr/bin/dpdk-testpmd"), "--lcores", "0@0,1@0", "--no-pci", "--in-memory",
             "--single-file-segments", "--no-telemetry", "-m", "128", *vdevs, "--",
             f"--cmdline-file={script}", "--stats-period=1000", "--total-num-mbufs=9000",
             "--rxd=256", "--txd=256", "--no-flush-rx"], log))
        wait_connected(processes[-1], log, len(paths))
    return processes


def wait_connected(process, log, ports):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with open(log, encoding="utf-8", errors="replace") as text:
            said = text.read()
        if f"Port {ports - 1}:" in said and "Number of available ports" in said:
            return
        time.sleep(0.2)
    raise BenchError(f"idle frontends did not come up:\n{said[-2000:]}")


def run_scale(options, functions):
    """(rate with the others unconnected, rate with the others connected and idle)."""
    rates = []
    for connect in (False, True):
        with Midplane(options.build, functions) as switch:
            frontends = idle_frontends(switch, 2, functions) if connect and functions > 2 else []
            try:
                rates.append(source.drive(switch, 64, options.seconds))
            finally:
                for process in frontends:
                    end(process)
    return rates


def bench_scale(options):
    print("\nCost of more functions: two carry 64-byte frames, the others are there (Mpps)\n")
    print("| functions | others unconnected | others connected, idle | ns a frame more than with 2 |")
    print("|---:|---:|---:|---:|")
    got = {count: [] for count in FUNCTION_COUNTS}
    for _ in range(options.rounds):
        for count in FUNCTION_COUNTS:
            try:
                got[count].append(run_scale(options, count))
            except BenchError as error:
                print(f"  not measured: {error}", file=sys.stderr)
    base = median([rates[1] for rates in got[2]])
    out = []
    for count in FUNCTION_COUNTS:
        alone, idle = (median([rates[i] for rates in got[count]]) for i in (0, 1))
        more = (1e9 / idle - 1e9 / base) if idle and base else None
        print(f"| {count} | {show(alone and alone / 1e6)} | {show(idle and idle / 1e6)} | "
              f"{show(more, '{:.1f}')} |", flush=True)
        out.append({"functions": count, "unconnected": alone, "idle": idle, "more_ns": more})
    return out


def bench_idle(options):
    print(f"\nCPU of the daemon with {IDLE_FUNCTIONS} idle functions, over {IDLE_SECONDS} s\n")
    out = {}
    for name, connect in (("unconnected", False), ("connected", True)):
        try:
            with Midplane(options.build, IDLE_FUNCTIONS) as switch:
                frontends = idle_frontends(switch, 0, IDLE_FUNCTIONS) if connect else []
                try:
                    time.sleep(2)
                    before = cpu_s(switch.process.pid)
                    time.sleep(IDLE_SECONDS)
                    used = cpu_s(switch.process.pid) - before
                finally:
                    for process in frontends:
                        end(process)
        except BenchError as error:
            print(f"  not measured: {error}", file=sys.stderr)
            continue
        out[name] = used / IDLE_SECONDS * 100
        print(f"  {name}: {out[name]:.2f} % of a core (to reach: under 1 %)", flush=True)
    return out


PARTS = {"rates": bench_rates, "latency": bench_latency, "scale": bench_scale, "idle": bench_idle}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="measured seconds a run")
    parser.add_argument("--only", default=",".join(PARTS), help="parts: " + ",".join(PARTS))
    parser.add_argument("--json", help="also write every figure there")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    parts = options.only.split(",")
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2 or not set(parts) <= set(PARTS):
        sys.exit("bench: needs root (hugepages), two cores, and parts among " + ", ".join(PARTS))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
               "rounds": options.rounds, "seconds": options.seconds, "load": os.getloadavg()}
    print(f"{options.rounds} rounds of {options.seconds} s; load {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} cores")
    with hugepages.reserved(HUGEPAGES):
        for part in parts:
            results[part] = PARTS[part](options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
