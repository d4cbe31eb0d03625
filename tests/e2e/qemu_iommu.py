"""A PC behind a virtual IOMMU with a device IOTLB (ATS): every buffer is translated, nothing is lost.

Linux maps and unmaps each buffer (iommu.strict=1), so the function's translation cache misses all
the time; a frame that misses has to wait for its translation rather than be dropped.
"""

from sites import OneLine, mac, site, vhost
from world import Nic, check, facts, in_time, main, say

BYTES = 2_000_000
PINGS = 50
ATTEMPTS = 3  # a daemon that is not let run for long enough finds its line's ring overrun
SETTLE_S = 30


def function(daemon):
    return daemon.facts("function", "show", "nic0/vf1")


def ping(daemon, guest, to):
    before = function(daemon)["iotlb_misses"]
    lost = guest.lost_pings(to, PINGS, 50)
    asked = function(daemon)["iotlb_misses"] - before
    check(asked >= PINGS, f"{asked} translations are asked for during {PINGS} pings")
    check(lost == 0, "ping through IOTLB misses loses nothing")


class Frames:
    """Every frame is counted where it was sent and where it came in."""

    def __init__(self, net, daemon, guest):
        self.net, self.daemon, self.guest = net, daemon, guest
        self.lost = (0, 0, 0) # so far

    def guest_counts(self, word):
        return int(self.guest.run(f"cat /sys/class/net/eth0/statistics/{word}_packets").text)

    def missing(self):
        """How many were sent and have not come in: from the far end to the guest, from the guest into its function,
        and from the line port to the far end.  Those that found no buffer of the guest's are no loss of ours."""
        far, row = self.net.far.link("far0")["stats64"], function(self.daemon)
        return (far["tx"]["packets"] - self.guest_counts("rx") - row["rx_no_room"],
                self.guest_counts("tx") - row["tx_frames"],
                self.daemon.facts("card", "show", "nic0")["tx_frames"] - far["rx"]["packets"])

    def arrive(self):
        """Whether all come in; the guest counts what it sent when it comes to that."""
        return in_time(lambda: self.missing() == self.lost, SETTLE_S)


def stream(daemon, frames, name, send, receive):
    """A TCP stream: send(port) is the sender's shell with its command, receive(port) starts the receiver and gives what
    waits for it.  TCP hides what is lost, and sends again what is only late: the frames are counted."""
    for attempt in range(ATTEMPTS):
        finish = receive(5001 + attempt)
        run, command = send(5001 + attempt)
        misses = function(daemon)["iotlb_misses"]
        run(command)
        got = facts(finish())
        check(got["bytes"] == BYTES and got["wrong"] == 0, f"a TCP stream {name} arrives unchanged")
        say(f"  {name} {got['mbps']:.1f} Mbit/s, {function(daemon)['iotlb_misses'] - misses} translations")
        if frames.arrive():
            say(f"  ok: {name} no frame of it is lost")
            return
        before, frames.lost = frames.lost, frames.missing()
        say(f"  missing until now {before}, then {frames.lost}")
    check(False, f"{name} no frame of a stream is lost")


def body(world):
    net = OneLine(world)
    daemon = world.daemon(site(world, net.lines, [vhost(world, "a", 1)]), namespace=net.chassis)
    guest = world.qemu("a", Nic(f"{world.dir}/a.sock", mac=mac(1), ats=True)).wait_ready()
    groups = guest.run("ls /sys/kernel/iommu_groups | wc -l").text.strip()
    check(int(groups) > 0, "the guest's devices are in IOMMU groups")
    guest.address("eth0", "10.77.0.1/24")
    ping(daemon, guest, net.far_address)
    frames = Frames(net, daemon, guest)
    check(frames.arrive(), "and every frame is counted twice")

    def in_guest(command):
        return guest.run(command).text

    def at_far_end(port):
        far = net.far.spawn(world.traffic(), "tcp-recv", str(port))
        return lambda: world.output(far)

    def at_guest(port):
        guest.spawn(f"traffic tcp-recv {port}", "in")
        return lambda: guest.finish("in").text

    stream(daemon, frames, "out", lambda port: (in_guest, f"traffic tcp-send {net.far_address} {port} {BYTES}"),
           at_far_end)
    stream(daemon, frames, "in", lambda port: (net.far.run, f"{world.traffic()} tcp-send 10.77.0.1 {port} {BYTES}"),
           at_guest)
    row = function(daemon)
    check(row["dropped"] == row["rx_no_room"], f"no frame was dropped but for want of a buffer ({row['rx_no_room']})")
    check(row["dma_blocked"] == 0, "no access was blocked")


main("qemu_iommu", body)
