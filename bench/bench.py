"""make bench: what midplane costs beside what others cost, paired and interleaved in one run.

    bench.py [--rounds N] [--seconds N] [--only rates,latency,scale,idle,disk,blk,guest,mirror,unit,guard,avail]
             [--rings split,packed] [--frames 64,512,1518] [--other BUILD] [--json FILE]

Absolute figures of a shared machine move by a factor of two with its neighbours, so every round
measures all switches one after the other and the ratios are taken within a round, between samples
with the cores at the same distance.  The method and the meaning of each table: docs/bench.md.
"""

import argparse
import contextlib
import glob
import json
import os
import signal
import statistics
import shutil
import subprocess
import sys
import tempfile
import time

import avail
import disk_guest
import disks
import hugepages
import source
from switches import (SOURCE_CPU, SWITCH_CPU, BenchError, Midplane, OpenVswitch, Testpmd, cpu_s,
                      distance, end, start)
from sweeper import Sweeper  # switches.py says where it is

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRAMES = (64, 512, 1518)
TARGETS = {(64, "testpmd"): 1.3, (64, "ovs-dpdk"): 1.8, (1518, "testpmd"): 1.5, (1518, "ovs-dpdk"): 2.0}
CORES = ("near", "far")
FUNCTION_COUNTS = (2, 16, 64, 256)
HUGEPAGES = 1536
IDLE_FUNCTIONS = 64
IDLE_SECONDS = 10
SHORTEST, LONGEST = 64, 1518  # frames, with FCS
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a part or a run of it is left out for, after saying so.
UNMEASURED = (BenchError, OSError, subprocess.CalledProcessError)


def makers(build, ring):
    return {"midplane": lambda: Midplane(build, packed=ring == "packed"), "testpmd": Testpmd,
            "ovs-dpdk": OpenVswitch}


def say_once(error, said=set()):
    """Why something is missing; what is missing in one round is in all."""
    if str(error) not in said:
        print(f"  not measured: {error}", file=sys.stderr, flush=True)
        said.add(str(error))


def measure(make, options, ring, frame, in_flight=source.RING_SIZE):
    """The samples of one run; none when the switch cannot be had, after saying why."""
    try:
        with make() as switch:
            return source.drive(switch, options.build, ring, frame, options.seconds, in_flight)
    except UNMEASURED as error:
        say_once(error)
        return []


def rounds_of(switches, options, ring, frame, in_flight=source.RING_SIZE):
    """{switch: [samples of each round]}; the order turns each round, so nobody is always first."""
    got = {name: [] for name in switches}
    names = list(switches)
    for turn in range(options.rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            got[name].append(measure(switches[name], options, ring, frame, in_flight))
    return got


def middle(runs, key, cores):
    """Median over all samples of all rounds."""
    return source.middle([sample for run in runs for sample in run], key, cores)


def ratios(mine, theirs, cores):
    """Ratio of each round in which both had the cores there."""
    pairs = [(source.middle(a, "rate", cores), source.middle(b, "rate", cores))
             for a, b in zip(mine, theirs)]
    return [a / b for a, b in pairs if a and b]


def show(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def show_ratio(each, target):
    if not each:
        return "-"
    return (f"{statistics.median(each):.2f} ({min(each):.2f}..{max(each):.2f}, {len(each)})" +
            (f", to reach {target}" if target else ""))


def rates_row(got, ring, frame, cores):
    """What one line of the table says; None when midplane was never measured there."""
    row = {"ring": ring, "frame_bytes": frame, "cores": cores, "ratio": {}, "switch": {}}
    for name, runs in got.items():
        rate, own, src = (middle(runs, key, cores) for key in ("rate", "switch_ns", "source_ns"))
        row["switch"][name] = {"rate": rate, "switch_ns": own, "source_ns": src,
                               "source_busy": rate * src / 1e9 if rate and src else None}
    for peer in ("testpmd", "ovs-dpdk"):
        row["ratio"][peer] = ratios(got["midplane"], got[peer], cores)
    return row if row["switch"]["midplane"]["rate"] else None


def print_row(row):
    each = [row["switch"][name] for name in ("midplane", "testpmd", "ovs-dpdk")]
    wish = [TARGETS.get((row["frame_bytes"], peer)) for peer in ("testpmd", "ovs-dpdk")]
    cells = [row["ring"], row["frame_bytes"], row["cores"],
             *(show(s["rate"] and s["rate"] / 1e6) for s in each),
             show_ratio(row["ratio"]["testpmd"], wish[0]),
             show_ratio(row["ratio"]["ovs-dpdk"], wish[1]),
             " / ".join(show(s["switch_ns"], "{:.0f}") for s in each),
             " / ".join(show(s["source_ns"], "{:.0f}") for s in each),
             " / ".join(show(s["source_busy"] and s["source_busy"] * 100, "{:.0f}") for s in each)]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def bench_rates(options):
    print("\nFrames a second from function to function, one core for the switch (medians, Mpps).\n"
          "Ratios: median (lowest..highest, rounds).  The last columns are for midplane / testpmd /"
          " ovs-dpdk.\n")
    print("| ring | frame | cores | midplane | testpmd | ovs-dpdk | to testpmd | to ovs-dpdk "
          "| switch, ns a frame | source, ns a frame | source busy, % |")
    print("|---|---:|---|---:|---:|---:|---|---|---|---|---|")
    out = []
    for ring in options.rings.split(","):
        for frame in map(int, options.frames.split(",")):
            got = rounds_of(makers(options.build, ring), options, ring, frame)
            for cores in CORES:
                row = rates_row(got, ring, frame, cores)
                if row:
                    print_row(row)
                    out.append({**row, "rounds": got})
    return out


def bench_latency(options):
    print("\nOne frame a direction in flight: microseconds from function to function, the source's "
          "turn included\n")
    print("| switch | cores | us |")
    print("|---|---|---:|")
    got = rounds_of(makers(options.build, "split"), options, "split", 64, in_flight=1)
    out = {}
    for name, runs in got.items():
        for cores in CORES:
            rate = middle(runs, "rate", cores)
            if rate:
                out[name, cores] = 2e6 / rate
                print(f"| {name} | {cores} | {show(out[name, cores])} |", flush=True)
    return {" ".join(key): value for key, value in out.items()}


def idle_guests(switch, options, first, last):
    """Connects functions first..last-1 with guests that send nothing and sleep."""
    log = os.path.join(switch.dir, "idle.log")
    process = start([os.path.join(options.build, "bench/idle_guests"),
                     *(os.path.join(switch.dir, f"v{i}") for i in range(first, last))], log)
    deadline = time.monotonic() + 60
    said = ""
    while "connected" not in said:
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            raise BenchError(f"idle guests did not come up:\n{said[-2000:]}")
        time.sleep(0.05)
        with open(log, encoding="utf-8", errors="replace") as text:
            said = text.read()
    return process


def run_scale(options, functions, connect):
    """The samples of one run with the other functions there, connected or not."""
    try:
        with Midplane(options.build, functions) as switch:
            guests = idle_guests(switch, options, 2, functions) if connect and functions > 2 else None
            try:
                return source.drive(switch, options.build, "split", 64, options.seconds)
            finally:
                end(guests)
    except UNMEASURED as error:
        say_once(error)
        return []


def bench_scale(options):
    print("\nCost of more functions: two carry 64-byte frames, the others are there "
          "(Mpps, and ns of the switch a frame)\n")
    print("| functions | cores | others unconnected | others connected, idle "
          "| ns a frame, unconnected | connected |")
    print("|---:|---|---:|---:|---:|---:|")
    got = {(count, connect): [] for count in FUNCTION_COUNTS for connect in (False, True)}
    for _ in range(options.rounds):
        for count, connect in got:
            got[count, connect].append(run_scale(options, count, connect))
    out = []
    for count in FUNCTION_COUNTS:
        for cores in CORES:
            rates = [middle(got[count, connect], "rate", cores) for connect in (False, True)]
            costs = [middle(got[count, connect], "switch_ns", cores) for connect in (False, True)]
            if not any(rates):
                continue
            print(f"| {count} | {cores} | " +
                  " | ".join(show(rate and rate / 1e6) for rate in rates) + " | " +
                  " | ".join(show(cost, "{:.1f}") for cost in costs) + " |", flush=True)
            out.append({"functions": count, "cores": cores, "rates": rates, "switch_ns": costs})
    return out


def bench_idle(options):
    print(f"\nCPU of the daemon with {IDLE_FUNCTIONS} idle functions, over {IDLE_SECONDS} s\n")
    out = {}
    for name, connect in (("unconnected", False), ("connected", True)):
        try:
            with Midplane(options.build, IDLE_FUNCTIONS) as switch:
                guests = idle_guests(switch, options, 0, IDLE_FUNCTIONS) if connect else None
                try:
                    time.sleep(2)
                    before = cpu_s(switch.process.pid)
                    time.sleep(IDLE_SECONDS)
                    used = cpu_s(switch.process.pid) - before
                finally:
                    end(guests)
        except UNMEASURED as error:
            say_once(error)
            continue
        out[name] = used / IDLE_SECONDS * 100
        print(f"  {name}: {out[name]:.2f} % of a core (to reach: under 1 %)", flush=True)
    return out


def bench_unit(options):
    print("\nThe remapping unit: translations, interrupts, maps and unmaps\n", flush=True)
    command = [os.path.join(options.build, "bench", "iommu_bench"), str(2 * options.rounds)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(lines, flush=True)
    return lines.splitlines()


def bench_guard(options):
    print("\nThe guard: cycles of the card and its fronts a frame from function to function, behind the "
          "domains of a remapping\nunit and behind a list of what was granted\n")
    print("| ring | frame | memory of the buffers | with | without | cost, % (quartiles) |")
    print("|---|---:|---|---:|---:|---|")
    command = [os.path.join(options.build, "bench", "guard_bench"), str(400 * options.rounds), "json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    out = {"cycles": [json.loads(line) for line in lines.splitlines()]}
    for row in out["cycles"]:
        print(f"| {row['ring']} | {row['frame_bytes']} | {row['memory']} | {row['with']:.1f} | "
              f"{row['without']:.1f} | {row['cost_percent']:+.2f} ({row['quarter']:+.2f}.."
              f"{row['three_quarters']:+.2f}) |", flush=True)
    if options.other:
        out["other"] = bench_other(options)
    return out


def bench_other(options):
    print(f"\nFrames a second of this daemon and of the one in {options.other} (medians, Mpps); "
          "ratio: median (lowest..highest, rounds)\n")
    print("| ring | frame | cores | this | other | ratio | switch, ns a frame: this / other |")
    print("|---|---:|---|---:|---:|---|---|")
    out = []
    for ring in options.rings.split(","):
        packed = ring == "packed"
        for frame in map(int, options.frames.split(",")):
            got = rounds_of({"this": lambda: Midplane(options.build, packed=packed),
                             "other": lambda: Midplane(options.other, packed=packed)},
                            options, ring, frame)
            for cores in CORES:
                rates, costs = ({name: middle(runs, key, cores) for name, runs in got.items()}
                                for key in ("rate", "switch_ns"))
                if not all(rates.values()):
                    continue
                each = ratios(got["this"], got["other"], cores)
                print(f"| {ring} | {frame} | {cores} | {show(rates['this'] / 1e6)} | "
                      f"{show(rates['other'] / 1e6)} | {show_ratio(each, None)} | "
                      f"{show(costs['this'], '{:.1f}')} / {show(costs['other'], '{:.1f}')} |",
                      flush=True)
                out.append({"ring": ring, "frame_bytes": frame, "cores": cores, "rates": rates,
                            "switch_ns": costs, "ratios": each})
    return out


PARTS = {"rates": bench_rates, "latency": bench_latency, "scale": bench_scale, "idle": bench_idle,
         "disk": disks.bench_disk, "blk": disks.bench_blk, "guest": disk_guest.bench_guest,
         "mirror": disks.bench_mirror, "unit": bench_unit, "guard": bench_guard,
         "avail": avail.bench_avail}
ANYWHERE = {"unit", "guard", "avail"}  # parts that need neither root nor hugepages nor a second core
TWO_CORES = {"disk", "blk", "guest", "mirror"}  # nor do these, but for the core


def at_least(least, kind, most=None):
    """A number of the command line."""
    def number(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not value >= least or (most is not None and value > most):
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"'{text}' is not {what} from {least}" +
                                             ("" if most is None else f" to {most}"))
        return value
    return number


def words(allowed, what):
    """Words of the command line, as one string."""
    def chosen(text):
        wrong = [word for word in text.split(",") if word not in allowed]
        if wrong:
            raise argparse.ArgumentTypeError(f"'{wrong[0]}' is none of the {what}: {', '.join(allowed)}")
        return text
    return chosen


def frame_sizes(text):
    for word in text.split(","):
        at_least(SHORTEST, int, LONGEST)(word)
    return text


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    parser.add_argument("--rounds", type=at_least(1, int), default=5)
    parser.add_argument("--seconds", type=at_least(0.5, float), default=3, help="measured seconds a run")
    parser.add_argument("--only", type=words(PARTS, "parts"), default=",".join(PARTS),
                        help="parts: " + ",".join(PARTS))
    parser.add_argument("--rings", type=words(source.RINGS, "rings"), default=",".join(source.RINGS),
                        help="rings: " + ",".join(source.RINGS))
    parser.add_argument("--frames", type=frame_sizes, default=",".join(map(str, FRAMES)), help="bytes, with FCS")
    parser.add_argument("--other", metavar="BUILD",
                        help="part guard: compare with the daemon of another build, too")
    parser.add_argument("--aralia", help="part avail: directory of the Aralia models",
                        default=os.environ.get("MIDPLANE_ARALIA") or
                        os.path.join(os.path.dirname(SOURCE), "shared/models/aralia"))
    parser.add_argument("--model-seconds", type=at_least(1, int), default=120, help="part avail: time for a model")
    parser.add_argument("--json", help="also write every figure there")
    return parser.parse_args()


def refuse_what_cannot_be(options, with_guests):
    """Says now what would be found after many minutes."""
    parts = set(options.only.split(","))
    if with_guests and os.geteuid() != 0:
        sys.exit("bench: needs root (hugepages), but for --only " + ",".join(sorted(ANYWHERE | TWO_CORES)) +
                 ": use 'make bench', which asks sudo")
    if (with_guests or parts & TWO_CORES) and (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs two cores, but for --only " + ",".join(sorted(ANYWHERE)))
    for build in filter(None, (options.build, options.other)):
        if not os.path.exists(os.path.join(build, "bench/core_distance")):
            sys.exit(f"bench: no {build}/bench/core_distance: run make, or name another build")
    if options.json:
        try:
            with open(options.json, "a", encoding="utf-8"):
                pass
        except OSError as error:
            sys.exit(f"bench: --json {options.json}: {error.strerror}")


@contextlib.contextmanager
def swept(options):
    """A directory for all that is made for a time.  It goes at the end, with the processes that run then, also
    when this program is killed; that is what the sweeper is for, which is given."""
    directory = tempfile.mkdtemp(prefix="mp-bench-")
    sweeper = Sweeper(directory)
    for place in options.build, "/dev/shm":
        sweeper.remove(os.path.join(glob.escape(place), f"mp-disk-{os.getpid()}-*.img"))
    tempfile.tempdir = directory
    try:
        yield sweeper
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        sweeper.close()


def stop_on_signals():
    def stop(number, _frame):
        for other in STOPPING:  # who sends another one does not wait: the sweeper does the rest
            signal.signal(other, lambda number, _frame: os._exit(128 + number))
        print("\nstopped; cleaning up", file=sys.stderr, flush=True)
        sys.exit(128 + number)

    for number in STOPPING:
        signal.signal(number, stop)


def main():
    options = arguments()
    options.build = os.path.abspath(options.build)
    options.other = options.other and os.path.abspath(options.other)
    parts = options.only.split(",")
    with_guests = set(parts) - ANYWHERE - TWO_CORES or options.other
    refuse_what_cannot_be(options, with_guests)
    stop_on_signals()
    results = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
               "rounds": options.rounds, "seconds": options.seconds, "load": os.getloadavg()}
    print(f"{options.rounds} rounds of {options.seconds:g} s; load {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} cores; cores {SOURCE_CPU} and {SWITCH_CPU} are now "
          f"{distance(options.build)[0]:.0f} ns apart (near: below {source.NEAR_NS})")
    with contextlib.ExitStack() as stack:
        sweeper = stack.enter_context(swept(options))
        if with_guests:
            stack.enter_context(hugepages.reserved(HUGEPAGES, sweeper))
        for part in parts:
            try:
                results[part] = PARTS[part](options)
            except UNMEASURED as error:
                print(f"\npart {part} was not measured: {error}", file=sys.stderr, flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
