"""A PC behind a virtual IOMMU with a device IOTLB (ATS): every buffer is translated, nothing is lost.

Linux maps and unmaps each buffer (iommu.strict=1), so the function's translation cache misses all
the time; a frame that misses has to wait for its translation rather than be dropped.
"""

from sites import OneLine, mac, site, vhost
from world import Nic, check, facts, main, say

BYTES = 2_000_000
PINGS = 50
ATTEMPTS = 3  # a guest that is not let run for long enough sends again what was not lost


def sent_again(run):
    """Segments that TCP has sent again there so far: it hides what is lost."""
    rows = [line.split() for line in run("grep ^Tcp: /proc/net/snmp").splitlines()]
    return int(dict(zip(*rows))["RetransSegs"])


def function(daemon):
    return daemon.facts("function", "show", "nic0/vf1")


def ping(daemon, guest, to):
    before = function(daemon)["iotlb_misses"]
    lost = guest.lost_pings(to, PINGS, 50)
    asked = function(daemon)["iotlb_misses"] - before
    check(asked >= PINGS, f"{asked} translations are asked for during {PINGS} pings")
    check(lost == 0, "ping through IOTLB misses loses nothing")


def stream(daemon, name, send, receive):
    """A TCP stream: send(port) is the sender's shell with its command, receive(port) starts the receiver and gives what
    waits for it.  Sends again only where something was lost, or the machine was late."""
    for attempt in range(ATTEMPTS):
        finish = receive(5001 + attempt)
        run, command = send(5001 + attempt)
        before, misses = sent_again(run), function(daemon)["iotlb_misses"]
        run(command)
        again = sent_again(run) - before
        got = facts(finish())
        check(got["bytes"] == BYTES and got["wrong"] == 0, f"a TCP stream {name} arrives unchanged")
        say(f"  {name} {got['mbps']:.1f} Mbit/s, {function(daemon)['iotlb_misses'] - misses} translations, {again} "
            "segments sent again")
        if not again:
            break
    check(again == 0, f"{name} nothing of it had to be sent again")


def body(world):
    net = OneLine(world)
    daemon = world.daemon(site(world, net.lines, [vhost(world, "a", 1)]), namespace=net.chassis)
    guest = world.qemu("a", Nic(f"{world.dir}/a.sock", mac=mac(1), ats=True)).wait_ready()
    groups = guest.run("ls /sys/kernel/iommu_groups | wc -l").text.strip()
    check(int(groups) > 0, "the guest's devices are in IOMMU groups")
    guest.address("eth0", "10.77.0.1/24")
    ping(daemon, guest, net.far_address)

    def in_guest(command):
        return guest.run(command).text

    def at_far_end(port):
        far = net.far.spawn(world.traffic(), "tcp-recv", str(port))
        return lambda: world.output(far)

    def at_guest(port):
        guest.spawn(f"traffic tcp-recv {port}", "in")
        return lambda: guest.finish("in").text

    stream(daemon, "out", lambda port: (in_guest, f"traffic tcp-send {net.far_address} {port} {BYTES}"), at_far_end)
    stream(daemon, "in", lambda port: (net.far.run, f"{world.traffic()} tcp-send 10.77.0.1 {port} {BYTES}"), at_guest)
    row = function(daemon)
    check(row["dropped"] == row["rx_no_room"], f"no frame was dropped but for want of a buffer ({row['rx_no_room']})")
    check(row["dma_blocked"] == 0, "no access was blocked")


main("qemu_iommu", body)
