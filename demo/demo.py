"""make demo: three Linux guests share one NIC card, and the card is pulled under their traffic.

About a minute.  Everything it makes (namespaces, guests, the daemon) is gone at its end, also
after Ctrl-C.
"""

import argparse
import os
import subprocess
import sys
import textwrap
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(SOURCE, "tests", "e2e"), os.path.join(SOURCE, "tests", "guests")]

import guests  # noqa: E402
import image  # noqa: E402
import sites  # noqa: E402
import world as worlds  # noqa: E402

GUESTS = ("web", "db", "cache")
STREAM_SECONDS = 9.0
PULL_AT = 3.0
INSERT_AT = 6.0
RATE = 500
TCP_BYTES = 40_000_000
MOVES_SECONDS = 30 # until a machine that is late has moved all back
# Of a stream, what a busy machine with three QEMU guests may lose; without a fail-over it would be a third.
LOST_MOST = 0.2


def title(number, text):
    print(f"\n\033[1m{number}. {text}\033[0m" if sys.stdout.isatty() else f"\n{number}. {text}")


def tell(text):
    print(textwrap.indent(textwrap.fill(" ".join(text.split()), 92), "   "), flush=True)


def show(text):
    print(textwrap.indent(text.rstrip(), "     | "), flush=True)


PICTURE = """
  web (Linux)      db (Linux)      cache (Linux)         each with one virtual function,
      |                |                |                plugged in with vhost-user
  +---+----------------+----------------+------------------- midplaned -+
  |  VF1              VF2              VF3               the fronts     |
  |    \\________________|________________/                              |
  |             embedded switch                                         |
  |      NIC card nic0             NIC card nic1         1+1: nic1      |
  |      on carrier0               on carrier1           stands by      |
  +-----------|--------------------------|------------------------------+
            line0                      line1
              +--------- switch ---------+
                           |
                  network 10.77.0.100
"""


def boot(world):
    """Boots the guests: user-mode Linux where it works, QEMU otherwise."""
    why = guests.uml_works()
    if why is None:
        booted = []
        try:
            for name in GUESTS:
                booted.append(world.uml(name, guests.Nic(f"{world.dir}/{name}.sock")))
            for guest in booted:
                guest.wait_ready(40)
            return "user-mode Linux", booted
        except (guests.GuestError, OSError) as error:
            why = str(error).split("\n", maxsplit=1)[0]
            for guest in booted:
                guest.stop()
    tell(f"User-mode Linux does not run here ({why}); taking QEMU instead, which is slower.")
    booted = [world.qemu(name, guests.Nic(f"{world.dir}/{name}.sock", mac=sites.mac(i)))
              for i, name in enumerate(GUESTS, 1)]
    for guest in booted:
        guest.wait_ready(120)
    return "QEMU (TCG)", booted


class Stream:
    """Numbered datagrams from a guest to another and back; counts what returns."""

    def __init__(self, name, guest, to_name, to_address, port):
        self.name, self.guest = name, guest
        self.to_name, self.to_address, self.port = to_name, to_address, port

    def start(self):
        self.guest.spawn(f"traffic udp-round {self.to_address} {self.port} {RATE} {STREAM_SECONDS}",
                         f"stream{self.port}")

    def finish(self):
        self.got = worlds.facts(self.guest.finish(f"stream{self.port}").text)


def echo_in(guest, port):
    guest.run(f"(traffic udp-echo {port} {STREAM_SECONDS + 6} >/dev/null 2>&1) &")


def moves(daemon):
    return [event for event in daemon.facts("event", "list") if event.get("away_us") is not None]


def away_text(event):
    return f"{event['away_us']:.0f} us"


def run_streams(daemon, streams):
    """Lets the streams run while nic0 is pulled and inserted again; CPU seconds of the daemon."""
    cpu, began = daemon.cpu_s(), time.monotonic()
    for stream in streams:
        stream.start()
    time.sleep(max(0, began + PULL_AT - time.monotonic()))
    tell("... midplane card pull nic0")
    daemon.tool("card", "pull", "nic0")
    time.sleep(max(0, began + INSERT_AT - time.monotonic()))
    tell("... midplane card insert nic0")
    daemon.tool("card", "insert", "nic0")
    for stream in streams:
        stream.finish()
    return (daemon.cpu_s() - cpu) / (time.monotonic() - began)


def print_table(streams, tcp, cpu, moves):
    rows = [("who", "with whom", "frames sent", "lost", "longest silence")]
    for stream in streams:
        got = stream.got
        rows.append((stream.name, stream.to_name, f"{2 * got['sent']:.0f}", f"{got['lost']:.0f}",
                     f"{got['gap_max_us'] / 1000:.1f} ms"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        show("  ".join(cell.ljust(width) for cell, width in zip(row, widths)))
    print()
    show(f"TCP web to db while both cards were well: {tcp['bytes'] / 1e6:.0f} MB, "
         f"{tcp['wrong']:.0f} bytes wrong, {tcp['mbps']:.0f} Mbit/s")
    if moves:
        show("time away as the daemon saw it: " + ", ".join(moves))
    show(f"CPU of midplaned while the streams ran: {cpu * 100:.1f} % of a core")


def shortfalls(streams, tcp, moved, changes, now):
    """What did not come true of what the demo is to show, as sentences."""
    for stream in streams:
        got = stream.got
        if got["lost"] > LOST_MOST * got["sent"]:
            yield (f"{stream.name} to {stream.to_name} lost {got['lost']:.0f} of {got['sent']:.0f} "
                   "datagrams: more than a card that is pulled may cost")
    if tcp["bytes"] != TCP_BYTES or tcp["wrong"]:
        yield f"of {TCP_BYTES} bytes by TCP {tcp['bytes']:.0f} arrived, {tcp['wrong']:.0f} of them wrong"
    if len(moved) < 2 * len(GUESTS):
        yield f"{len(moved)} interfaces moved, and not {len(GUESTS)} away from nic0 and back"
    if now != changes:
        yield f"guests saw link changes: {changes} before, {now} after"


def demo(world):
    """Whether all came true."""
    title(1, "The site")
    show(PICTURE.strip("\n"))
    tell("Two NIC cards on two carriers form a redundancy group.  Their line ports lead to one "
         "switch, as they would in a rack.  The network behind it is a namespace of this machine.")
    net = sites.TwoLines(world)
    systems = [sites.vhost(world, name, i) for i, name in enumerate(GUESTS, 1)]
    daemon = world.daemon(sites.site(world, net.lines, systems, redundant=True),
                          namespace=net.chassis)
    tell(f"midplaned is up after {daemon.started_s * 1000:.0f} ms.  'midplane card list' says:")
    show(daemon.tool("card", "list")[1])

    title(2, "The guests")
    tell("Three Linux guests boot.  Each finds a virtio network interface: a virtual function of "
         "nic0 with the address that the site file gives it.")
    kind, booted = boot(world)
    web, db, cache = booted
    for i, guest in enumerate(booted, 1):
        guest.address("eth0", f"10.77.0.{i}/24")
    tell(f"{kind}, booted in {max(guest.booted_s for guest in booted):.1f} s:")
    show(daemon.tool("system", "list")[1])

    title(3, "Guest to guest, and out through the line port")
    for guest, to, name in ((web, "10.77.0.2", "db"), (cache, net.far_address, "the network")):
        text = guest.run(f"ping -c 5 -i 0.2 {to}", check=False).text
        loss = worlds.ping_loss(text)
        show(f"{guest.name} pings {name}: {loss} % lost, {text.strip().splitlines()[-1]}")
    db.spawn("traffic tcp-recv 5001", "tcp")
    web.run(f"traffic tcp-send 10.77.0.2 5001 {TCP_BYTES}")
    tcp = worlds.facts(db.finish("tcp").text)
    show(f"TCP web to db: {tcp['mbps']:.0f} Mbit/s; the embedded switch copies each frame once")

    title(4, "Pull the card")
    tell(f"Streams of {RATE} numbered datagrams a second run from guest to guest and to the network and "
         f"back.  After {PULL_AT:.0f} s nic0 is pulled, after {INSERT_AT:.0f} s it is inserted again.")
    changes = [int(guest.run("cat /sys/class/net/eth0/carrier_changes").text) for guest in booted]
    echo_in(db, 6001)
    net.far.spawn(world.traffic(), "udp-echo", "6002", str(STREAM_SECONDS + 6))
    net.far.spawn(world.traffic(), "udp-echo", "6003", str(STREAM_SECONDS + 6))
    time.sleep(0.3)
    streams = [Stream("web", web, "db", "10.77.0.2", 6001),
               Stream("cache", cache, "network", net.far_address, 6002),
               Stream("db", db, "network", net.far_address, 6003)]
    cpu = run_streams(daemon, streams)

    title(5, "What happened")
    worlds.in_time(lambda: len(moves(daemon)) >= 2 * len(GUESTS), MOVES_SECONDS)
    moved = moves(daemon)
    show(daemon.tool("event", "list")[1])
    print()
    print_table(streams, tcp, cpu, [f"{event.get('object', '?')} {away_text(event)}" for event in moved])
    now = [int(guest.run("cat /sys/class/net/eth0/carrier_changes").text) for guest in booted]
    if now == changes:
        tell("The guests saw no link change.")
    tell("A guest's scheduling is in 'longest silence'; 'make test' measures the time away "
         "with a packet socket (failover_time).")
    wrong = list(shortfalls(streams, tcp, moved, changes, now))
    for sentence in wrong:
        tell("NOT as it should be: " + sentence)
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("demo: needs root for network namespaces: use 'make demo', which asks sudo")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    worlds.stop_on_signals()
    world = worlds.World("demo", options.build)
    code = 1
    try:
        code = 0 if demo(world) else 1
    except SystemExit as stop:
        print("\nstopped; cleaning up", flush=True)
        code = stop.code
    except (worlds.Failure, worlds.Skip, guests.GuestError, image.Missing,
            subprocess.TimeoutExpired) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        worlds.keep_logs(world)
    finally:
        world.end()
    print("\nNamespaces, guests and the daemon are gone again.")
    sys.exit(code)


if __name__ == "__main__":
    main()
