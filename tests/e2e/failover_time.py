"""How long traffic is away on a pull, a link loss and a silent death: medians, measured at the far end.

A vhost-user frontend sends a frame every 50 us; a packet socket behind both line ports notes, with
the kernel's time stamps, the last frame that came over the failed line and the first over the other.
A link is lost by cutting a cable; what it takes when a veth's far end is taken down instead, an
orderly way to stop reception first and tell later, is measured too, and only shown.
"""

import statistics
import time

from sites import TwoCables, TwoLines, mac, site, vhost
from world import Failure, check, facts, main, say

REPETITIONS = 11
INTERVAL_US = 50
LISTEN_SECONDS = 120.0 # at most
FAIL_AFTER = 0.1
TARGET_MS = {"pull": 1.0, "link loss": 1.0, "silent death": 50.0}
# A machine is quiet when the stream has no other gap longer than this, in the median.  One that is
# not stops everything for longer than what is to be measured, and is given that much.
QUIET_MS = 0.5
# What a machine does to one row of repetitions says little, not even that it was quiet for the stream: it gets as many.
# It only ever adds to the time:
# where none of these rows was undisturbed, the quickest repetition of all is what traffic was away by itself.
ATTEMPTS = 3


def wait_for_line(net, wanted):
    """Waits until the stream comes in over far0 or far1."""
    for _ in range(2000):
        before = counters(net)
        time.sleep(0.05)
        after = counters(net)
        if after[wanted] - before[wanted] > 100:
            return
    raise Failure(f"the stream does not come over line{wanted}")


def counters(net):
    return [net.far.link(f"far{i}")["stats64"]["rx"]["packets"] for i in range(2)]


def deaths(daemon):
    return [event["object"] for event in daemon.facts("event", "list") if event["kind"] == "dead"]


def repetition(world, net, daemon, name, act):
    """One failure; (milliseconds away, frames lost, longest silence at any other moment).  None where the machine let a
    worker hang as well, so that the line changed more often."""
    before = len(deaths(daemon)) + (name == "silent death")
    receiver = net.far.spawn(world.program("tests/e2e/away"), "recv", "far0", "far1",
                             str(LISTEN_SECONDS), preferred=True)
    world.wait_for_output(receiver, "receiving")
    time.sleep(FAIL_AFTER)
    act()
    said = world.output(receiver)
    changes = [facts(line) for line in said.splitlines() if line.startswith("away_us")]
    if len(changes) != 1 and len(deaths(daemon)) > before:
        say(f"  {name}: once more, a worker got no CPU: {deaths(daemon)[-1]} was dead")
        return None
    if len(changes) != 1:
        raise Failure(f"{len(changes)} changes of the line instead of one:\n{said}")
    return changes[0]["away_us"] / 1000, changes[0]["lost"], facts(said)["other_gap_us"] / 1000


def own_part_us(daemon):
    """What the daemon says of its last move: from the news to the first frame that may go."""
    moves = [event for event in daemon.facts("event", "list") if event["kind"] == "moved"]
    return moves[-1]["away_us"]


def measure(world, net, daemon, name, act, undo):
    away, lost, noise, own = [], [], [], []
    for _ in range(ATTEMPTS * REPETITIONS):
        wait_for_line(net, 0)
        got = repetition(world, net, daemon, name, act)
        if not got:
            undo()
            continue
        away.append(got[0])
        lost.append(got[1])
        noise.append(got[2])
        own.append(own_part_us(daemon))
        undo()
        if len(away) == REPETITIONS:
            break
    check(len(away) == REPETITIONS, f"{name}: {len(away)} times nothing else failed")
    middle = statistics.median(away)
    silence = statistics.median(noise)
    say(f"  {name}: away {middle:.2f} ms (median of {REPETITIONS}; {min(away):.2f} to "
        f"{max(away):.2f}), frames lost {statistics.median(lost):.0f} (at most {max(lost):.0f}); "
        f"from the news to the move {statistics.median(own):.0f} us; "
        f"the machine itself is silent for {silence:.2f} ms")
    return middle, silence, min(away)


def allowed_ms(name, silence):
    return TARGET_MS[name] + (silence if silence > QUIET_MS else 0)


def judge(world, net, daemon, name, act, undo):
    """Measures, again where it took too long, and holds the best row against its target."""
    rows = []
    for _ in range(ATTEMPTS):
        rows.append(measure(world, net, daemon, name, act, undo))
        middle, silence, _ = rows[-1]
        if middle <= allowed_ms(name, silence):
            break
    middle, silence, _ = min(rows, key=lambda row: row[0] - allowed_ms(name, row[1]))
    if middle > allowed_ms(name, silence) and silence > QUIET_MS:
        best = min(row[2] for row in rows)
        check(best <= TARGET_MS[name], f"{name}: on a busy machine the quickest of {len(rows) * REPETITIONS} is "
              f"at most {TARGET_MS[name]:.0f} ms ({best:.2f} ms)")
        return
    quiet = "" if silence <= QUIET_MS else " and the silence of a machine that is not quiet"
    check(middle <= allowed_ms(name, silence),
          f"{name}: the median is at most {TARGET_MS[name]:.0f} ms{quiet} ({middle:.2f} ms)")


def start(world, net, name):
    """A daemon between the two lines of 'net', and the guest that sends."""
    daemon = world.daemon(site(world, net.lines, [vhost(world, name + "-guest", 1)], redundant=True),
                          namespace=net.chassis, name=name, preferred=True)
    world.process(world.program("tests/e2e/away"), "send", f"{world.dir}/{name}-guest.sock", mac(1),
                  net.far.link("switch")["address"], str(INTERVAL_US), preferred=True)
    return daemon


def body(world):
    wires, cables = TwoLines(world), TwoCables(world, "2")
    daemon = start(world, wires, "wires")
    judge(world, wires, daemon, "pull", lambda: daemon.tool("card", "pull", "nic0"),
          lambda: daemon.tool("card", "insert", "nic0"))
    judge(world, wires, daemon, "silent death", lambda: daemon.tool("card", "hang", "nic0"),
          lambda: daemon.tool("card", "hang", "nic0", "--off"))
    measure(world, wires, daemon, "a veth's far end taken down", lambda: wires.link(0, "down"),
            lambda: wires.link(0, "up"))
    daemon.end()
    judge(world, cables, start(world, cables, "cables"), "link loss", lambda: cables.cut(0),
          lambda: cables.mend(0))


main("failover_time", body)
