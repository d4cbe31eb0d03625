"""The traffic source of bench.py: dpdk-testpmd with virtio-user ports, on a core of its own.

The method is that of DPDK's own test suite ("vhost/virtio-user loopback"): the first bursts go in
at both ports and circulate, each arrival at one port going out at the other, so the source never
touches a payload and what both ports receive is what the switch delivered.

What is measured is a row of short samples.  With each come the time that source and switch spent
on a frame, and how far the two cores were from each other before and after (bench/core_distance.c):
a virtual machine's cores move under it.
"""

import statistics
import time

from switches import BUFFERS, MACS, SOURCE_CPU, BenchError, Console, distance

# The virtio-user driver's quickest way with each kind of ring, so that it is the limit as late as
# can be: in order (all three switches keep it), and rings whose buffers stay in its cache.
RINGS = {"split": "mrg_rxbuf=1,in_order=1", "packed": "packed_vq=1,mrg_rxbuf=0,in_order=1"}
RING_SIZE = 256
BURST = 32
SAMPLE_S = 0.5
NEAR_NS = 100 # two cores under one level-3 cache are at about 50 ns, others beyond 200


class Source:
    def __init__(self, switch, build, ring, frame_bytes, in_flight):
        vdevs = [f"--vdev=net_virtio_user{i},path={path},mac={mac},queues=1,"
                 f"queue_size={RING_SIZE},{RINGS[ring]}"
                 for i, (path, mac) in enumerate(zip(switch.sockets, MACS))]
        burst = BURST if in_flight >= BURST else 1
        self.switch = switch
        self.build = build
        self.console = Console(
            ["--lcores", f"0@{SOURCE_CPU},1@{SOURCE_CPU}", "--no-pci", "--in-memory",
             "--single-file-segments", "--no-telemetry", *vdevs],
            [f"--burst={burst}", f"--txd={RING_SIZE}", f"--rxd={RING_SIZE}",
             *BUFFERS, f"--eth-peer=0,{MACS[1]}", f"--eth-peer=1,{MACS[0]}"],
            switch.dir + "/source.log")
        try:
            self.console.wait("testpmd> ")
            self.console.ask("set fwd io", "testpmd> ")
            self.console.ask(f"set txpkts {frame_bytes - 4}", "testpmd> ")
            self.console.ask(f"start tx_first {in_flight // burst}", "testpmd> ")
            self.wait_for_traffic()
        except BaseException:
            self.end()
            raise

    def end(self):
        self.console.end()

    def received(self):
        """Frames that both ports have received so far, and when."""
        found = self.console.ask("show port stats all", r"port 0 .*?RX-packets: (\d+).*?"
                                 r"port 1 .*?RX-packets: (\d+).*?Tx-pps")
        return int(found[1]) + int(found[2]), time.monotonic()

    def wait_for_traffic(self):
        deadline = time.monotonic() + 20
        before = 0
        while time.monotonic() < deadline:
            now = self.received()[0]
            if now > before > 0:
                time.sleep(0.8)
                return
            before = now
            time.sleep(0.1)
        with open(self.switch.log, encoding="utf-8", errors="replace") as text:
            raise BenchError(f"{self.switch.name}: no traffic:\n{self.console.said()[-2000:]}\n"
                             f"switch: {text.read()[-2000:]}")

    def sample(self):
        near_ns, cycles_per_ns = distance(self.build)
        self.switch.cost_begin()
        self.console.forget_cycles()
        before = self.received()
        time.sleep(SAMPLE_S)
        after = self.received()
        rate = (after[0] - before[0]) / (after[1] - before[1])
        if not rate:
            raise BenchError(f"{self.switch.name}: the traffic stopped")
        got = {"rate": rate, "source_ns": self.console.cycles_a_frame() / cycles_per_ns,
               "switch_ns": self.switch.cost_ns(rate, cycles_per_ns),
               "distance_ns": (near_ns, distance(self.build)[0])}
        near = [ns < NEAR_NS for ns in got["distance_ns"]]
        got["cores"] = "near" if all(near) else "moved" if any(near) else "far"
        return got


def drive(switch, build, ring, frame_bytes, seconds, in_flight=RING_SIZE):
    """Samples of 'seconds' with the cores near each other, or of twice that if they are not.

    frame_bytes  with FCS, as the names of the classic sizes have it
    in_flight    frames a direction: the ring's size, or 1 for latency
    """
    source = Source(switch, build, ring, frame_bytes, in_flight)
    wanted = round(seconds / SAMPLE_S)
    samples = []
    try:
        while (sum(s["cores"] == "near" for s in samples) < wanted and len(samples) < 2 * wanted):
            samples.append(source.sample())
    finally:
        source.end()
    return samples


def middle(samples, key, cores):
    """Median over the samples with the cores there; None when there is none."""
    kept = [s[key] for s in samples or () if s["cores"] == cores and s[key] is not None]
    return statistics.median(kept) if kept else None
