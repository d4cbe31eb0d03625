"""A guest keeps its traffic when its card is pulled, loses its line, or dies silently, and sees nothing.

A stream of numbered datagrams runs from the guest to the far end and back through all of it.
"""

import time

from sites import TwoLines, site, vhost
from world import Nic, check, facts, in_time, main, say

RATE = 500       # datagrams a second and direction
SECONDS = 2.5
ATTEMPTS = 5     # what a busy machine loses in one stream says little
BEFORE = 1.0     # seconds into the stream at which the card fails
# What a busy two-core machine with user-mode Linux on it may add; the precise figures are
# measured by failover_time.
LOST_MOST = {"pull": 25, "line loss": 25, "silent death": 50}


def carrier_changes(guest):
    return int(guest.run("cat /sys/class/net/eth0/carrier_changes").text)


def stream_through(world, net, guest, act):
    """Runs the stream, fails the card in the middle; what the guest counted, and what act() gave."""
    echo = net.far.spawn(world.traffic(), "udp-echo", "6000", str(SECONDS + 3))
    time.sleep(0.2)
    guest.spawn(f"traffic udp-round {net.far_address} 6000 {RATE} {SECONDS}", "round")
    time.sleep(BEFORE)
    took = act()
    got = facts(guest.finish("round").text)
    world.output(echo)
    return got, took


def card(daemon):
    """The one that the guest's interface is on."""
    return daemon.facts("system", "show", "a")["ios"][0]["card"]


def drill(world, net, daemon, guest, name, act, undo):
    """One failure.  Where more is lost than it may cost, it is made again: a machine that does not let guest, daemon or
    far end run for a while loses datagrams as well, and does so now and then, not each time."""
    changes = carrier_changes(guest)
    for _ in range(ATTEMPTS):
        check(in_time(lambda: card(daemon) == "nic0"), f"{name}: the interface is on the card that is to fail")
        got, took = stream_through(world, net, guest, act)
        say(f"  {name}: sent {got['sent']:.0f}, lost {got['lost']:.0f}, longest silence "
            f"{got['gap_max_us'] / 1000:.1f} ms")
        check(in_time(lambda: card(daemon) == "nic1"), f"{name}: it has moved to the other")
        check(guest.lost_pings(net.far_address, 5) == 0, f"{name}: pings go on without loss afterwards")
        undo()
        time.sleep(1)
        if got["lost"] <= LOST_MOST[name]:
            break
        say("  once more" + (f": the kernel took {took * 1000:.0f} ms to take the link down" if took else ""))
    check(got["lost"] <= LOST_MOST[name],
          f"{name}: at most {LOST_MOST[name]} of {got['sent']:.0f} round trips are lost")
    check(carrier_changes(guest) == changes, f"{name}: the guest saw no link change")


def pull(daemon):
    daemon.tool("card", "pull", "nic0")


def hang(daemon):
    daemon.tool("card", "hang", "nic0")


def body(world):
    net = TwoLines(world)
    daemon = world.daemon(site(world, net.lines, [vhost(world, "a", 1)], redundant=True),
                          namespace=net.chassis)
    guest = world.uml("a", Nic(f"{world.dir}/a.sock")).wait_ready()
    guest.address("eth0", "10.77.0.1/24")
    check(in_time(lambda: guest.lost_pings(net.far_address, 1) == 0), "the guest reaches the far end")

    drill(world, net, daemon, guest, "pull", lambda: pull(daemon),
          lambda: daemon.tool("card", "insert", "nic0"))
    drill(world, net, daemon, guest, "line loss", lambda: net.link(0, "down"), lambda: net.link(0, "up"))
    drill(world, net, daemon, guest, "silent death", lambda: hang(daemon),
          lambda: daemon.tool("card", "hang", "nic0", "--off"))
    moves = [event for event in daemon.facts("event", "list") if event["kind"] == "moved"]
    ways = [(event["from"], event["to"]) for event in moves]
    say(f"  moves: {ways}")
    check(len(ways) >= 6 and ways[::2] == len(ways[::2]) * [("nic0/vf1", "nic1/vf1")] and
          ways[1::2] == len(ways[1::2]) * [("nic1/vf1", "nic0/vf1")],
          "the events tell of each move, away from the card and back")
    check(all(event["away_us"] > 0 for event in moves), "and how long traffic was away")


main("uml_failover", body)
