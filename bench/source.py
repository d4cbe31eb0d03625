"""The traffic source of bench.py: dpdk-testpmd with virtio-user ports, on a core of its own.

The method is that of DPDK's own test suite ("vhost/virtio-user loopback"): the first bursts go in
at both ports and circulate, each arrival at one port going out at the other, so the source never
touches a payload and what both ports receive is what the switch delivered.
"""

import re
import statistics
import time

from switches import MACS, SOURCE_CPU, BenchError, end, start, unpacked


def command(sockets, lcores, prefix, ports_macs, ring):
    vdevs = [f"--vdev=net_virtio_user{i},path={path},mac={mac},queues=1,queue_size=1024{ring}"
             for i, (path, mac) in enumerate(zip(sockets, ports_macs))]
    return [unpacked("usr/bin/dpdk-testpmd"), "--lcores", lcores, "--no-pci", "--in-memory",
            "--single-file-segments", "--no-telemetry", *vdevs]


def rates(text):
    """Frames a second received, summed over the ports, a value a second."""
    samples, now = [], {}
    for port, rate in re.findall(
            r"NIC statistics for port (\d+).*?Rx-pps:\s+(\d+)", text, re.DOTALL):
        now[port] = int(rate)
        if len(now) == 2:
            samples.append(sum(now.values()))
            now = {}
    return samples


def drive(switch, frame_bytes, seconds, in_flight=1024, packed=False):
    """Median frames a second over 'seconds', after two of warming up.

    frame_bytes  with FCS, as the names of the classic sizes have it
    in_flight    frames a direction: 1024, or 1 for latency
    """
    log = switch.dir + "/source.log"
    script = switch.dir + "/source.cmds"
    burst = 32 if in_flight >= 32 else 1
    with open(script, "w", encoding="ascii") as out:
        out.write(f"set fwd io\nset txpkts {frame_bytes - 4}\n"
                  f"start tx_first {in_flight // burst}\n")
    ring = ",packed_vq=1" if packed else ",mrg_rxbuf=1,in_order=0"
    process = start(
        [*command(switch.sockets, f"0@{SOURCE_CPU},1@{SOURCE_CPU}", "source", MACS, ring),
         "--", f"--cmdline-file={script}", "--stats-period=1", f"--burst={burst}",
         "--txd=1024", "--rxd=1024", "--total-num-mbufs=32768",
         f"--eth-peer=0,{MACS[1]}", f"--eth-peer=1,{MACS[0]}"], log)
    try:
        deadline = time.monotonic() + 25 + seconds
        while True:
            time.sleep(0.2)
            with open(log, encoding="utf-8", errors="replace") as text:
                said = text.read()
            samples = [rate for rate in rates(said) if rate > 0][2:]
            if len(samples) >= seconds:
                return statistics.median(samples)
            if process.poll() is not None or time.monotonic() > deadline:
                with open(switch.log, encoding="utf-8", errors="replace") as text:
                    raise BenchError(f"{switch.name}: no traffic:\n{said[-2500:]}\n"
                                     f"switch: {text.read()[-2500:]}")
    finally:
        end(process)
