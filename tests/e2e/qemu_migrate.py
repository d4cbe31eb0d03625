"""A running guest moves from one QEMU to another, and from the function of one daemon to that of another.

Two daemons with a card each are two chassis; behind their line ports a switch joins them.  While the guest's memory is
copied, streams run both ways and a ping as well.  What came for a process that does not read lies in pages that
the source's front alone has written, after QEMU had copied all memory once: that it arrives shows that the
dirty log has these pages.

    source guest                    namespace "chassis-a"        namespace "far"
         |     vhost-user           +----------------------+     +--------------------------+
         +--------------------------| midplaned  --- line0 ======== fara --+                |
    destination                     +----------------------+     |         +-- 10.77.0.100  |
         |     vhost-user           | midplaned  --- line0 ======== farb --+                |
         +--------------------------+----------------------+     +--------------------------+
"""

import os
import re

import qmp
from sites import mac, packet_port, site
from world import Nic, check, facts, guests, in_time, main, need, ping_loss, say

FAR, GUEST = "10.77.0.100", "10.77.0.1"
HELD_PORT, LIVE_PORT = 5001, 5002
HELD_BYTES = 16 << 20      # more than a socket takes that nobody reads
UNREAD_BYTES = 2 << 20     # so much lies unread when the guest moves, at least
PAGES_MIB = 64             # are written all the time, so that copying does not come to its end by itself
COPY_BPS = 32 << 20        # bytes a second: these pages alone take two seconds each time


class Chassis:
    """A daemon whose only card's line port leads to the switch; its interfaces have the guest's addresses."""

    def __init__(self, world, far, name):
        self.name, self.port = name, "far" + name
        namespace = world.namespace("chassis-" + name)
        far.wire(self.port, namespace, "line0")
        self.sockets = [os.path.join(world.dir, f"{name}{i}.sock") for i in range(2)]
        ios = [{"name": f"net{i}", "pool": "all", "attachment": "vhost-user", "socket": path, "mac": mac(i + 1)}
               for i, path in enumerate(self.sockets)]
        self.daemon = world.daemon(site(world, [packet_port(0, "line0")],
                                        [{"name": "vm", "host": "blade", "io": ios}], name=f"e2e-{name}-{os.getpid()}"),
                                   namespace=namespace, name="site-" + name)

    def told(self, kind):
        """Interface and text of each event of this kind."""
        return [(event["object"].split("/")[-1], event["text"]) for event in self.daemon.facts("event", "list")
                if event["kind"] == kind]

    def states(self):
        return [row["state"] for row in self.daemon.facts("system", "show", "vm")["ios"]]


class Guest(guests.QemuGuest):
    """Announces the addresses of its first interface itself, when it has moved; QEMU asks for the second's (RARP)."""

    def __init__(self, world, chassis, incoming=None):
        self.monitor_path = os.path.join(world.dir, chassis.name + ".qmp")
        extra = qmp.arguments(self.monitor_path)
        if incoming:
            extra += ["-incoming", "unix:" + incoming]
        super().__init__("vm-" + chassis.name, world.dir,
                         [Nic(chassis.sockets[0], mac=mac(1)),
                          Nic(chassis.sockets[1], mac=mac(2), options="guest_announce=off")],
                         world.guest_programs(), extra=extra)

    def monitor(self):
        return qmp.Monitor(self.monitor_path)


def known_at(far, port, address):
    """Whether the switch takes a station to be behind this port."""
    return address in far.run(f"bridge fdb show brport {port} dynamic")


def figure(guest, command):
    text = guest.run(command, check=False).text.split()
    return int(text[0]) if text else 0


def unread(guest):
    """Bytes that the guest's kernel has and no process has read."""
    return figure(guest, f"netstat -tn | awk '$4 ~ /:{HELD_PORT}$/ {{ print $2 }}'")


def pings(guest):
    return figure(guest, "grep -c ' bytes from ' /tmp/ping.out")


def silent_sent(guest):
    return figure(guest, "cat /sys/class/net/eth1/statistics/tx_packets")


def arrived(far):
    """Bytes of the live stream that the far end has."""
    found = re.search(r"bytes_received:(\d+)", far.run(f"ss -tinH state established sport = :{LIVE_PORT}"))
    return int(found[1]) if found else 0


def goes_on(question, what):
    """Waits until a figure has grown twice: the first may be what was under way."""
    def grows():
        before = question()
        return in_time(lambda: question() > before)
    check(grows() and grows(), what)


def set_up(guest, far):
    """Addresses, and the switch knows where both are."""
    guest.run("sysctl -qw net.core.rmem_max=4194304 net.ipv4.conf.all.arp_ignore=1")
    guest.address("eth0", GUEST + "/24")
    guest.address("eth1", "10.78.0.1/24")
    guest.run("arping -q -U -c 1 -I eth1 10.78.0.1", check=False) # nobody answers
    check(ping_loss(guest.run(f"ping -c 3 -i 0.2 -W 20 {FAR}", check=False).text) == 0, "the guest reaches the far end")
    check(in_time(lambda: known_at(far, "fara", mac(1)) and known_at(far, "fara", mac(2))),
          "the switch knows both its addresses where the source is")


def begin(world, guest, far):
    """Starts all that is to run on: a process that does not read, a stream, a ping, and memory being written."""
    guest.spawn(f"traffic tcp-recv {HELD_PORT} & echo $! >/tmp/held.pid; wait $!", "held")
    check(in_time(lambda: guest.run(f"netstat -tln | grep -q :{HELD_PORT}", check=False).code == 0), "it listens")
    guest.run("kill -STOP $(cat /tmp/held.pid)")
    live = far.spawn(world.traffic(), "tcp-recv", LIVE_PORT)
    guest.spawn(f"traffic tcp-flow {FAR} {LIVE_PORT} /tmp/enough", "live")
    guest.spawn(f"exec ping -i 0.2 {FAR}", "ping")
    guest.spawn(f"traffic pages {PAGES_MIB} /tmp/enough", "pages")
    goes_on(lambda: arrived(far), "a stream runs to the far end")
    goes_on(lambda: pings(guest), "and a ping")
    return live


def migrate(world, chassis, source, destination, far, path):
    """Pre-copy, with traffic for which it has to come back to pages; the stream that nobody reads, from the far end."""
    control = source.monitor()
    state = lambda: control.do("query-migrate") # noqa: E731
    control.do("migrate-set-parameters", **{"max-bandwidth": COPY_BPS, "downtime-limit": 1})
    control.do("migrate", uri="unix:" + path)
    check(in_time(lambda: {io for io, text in chassis.told("dirty log") if text.startswith("on")} == {"net0", "net1"}),
          "the source's fronts keep a dirty log")
    check(in_time(lambda: state().get("ram", {}).get("dirty-sync-count", 0) >= 2), "all memory has been copied once")
    held = far.spawn(world.traffic(), "tcp-send", GUEST, HELD_PORT, HELD_BYTES)
    check(in_time(lambda: unread(source) >= UNREAD_BYTES), f"{UNREAD_BYTES >> 20} MiB lie unread in the guest")
    goes_on(lambda: arrived(far), "the other stream runs meanwhile")
    check(state()["status"] == "active" and control.do("query-status")["running"], "and memory is still being copied")
    control.do("migrate-set-parameters", **{"max-bandwidth": 1 << 40, "downtime-limit": 100_000})
    check(in_time(lambda: state()["status"] not in ("active", "device")), "the copying ends")
    last = state()
    check(last["status"] == "completed", f"the migration is completed ({last.get('error-desc', last['status'])})")
    arriving = destination.monitor()
    check(in_time(lambda: arriving.do("query-status")["running"]), "the destination runs")
    say(f"  {last['total-time'] / 1000:.1f} s, {last['ram']['dirty-sync-count']} passes, "
        f"{last['ram']['transferred'] >> 20} MiB, stopped for {last['downtime']} ms")
    control.do("quit")
    source.process.wait(60)
    check(in_time(lambda: chassis.states() == ["waiting"] * 2), "the source has ended, and its functions are free")
    return held


def finish(world, guest, far, live, held):
    """All that ran runs on, and has lost nothing."""
    goes_on(lambda: arrived(far), "the stream goes on from the destination")
    goes_on(lambda: pings(guest), "so does the ping")
    guest.run("kill -CONT $(cat /tmp/held.pid)")
    got = facts(guest.finish("held").text)
    check(got["bytes"] == HELD_BYTES and got["wrong"] == 0,
          f"what lay unread, and all behind it, is as it was sent ({got['wrong']:.0f} wrong)")
    check(facts(world.output(held))["sent"] == HELD_BYTES, "its sender knows")
    guest.run("touch /tmp/enough")
    sent, got = facts(guest.finish("live").text), facts(world.output(live))
    check(got["bytes"] == sent["sent"] and got["wrong"] == 0,
          f"the other stream arrived complete and unchanged ({got['bytes'] / 1e6:.0f} MB)")
    check(facts(guest.finish("pages").text)["wrong"] == 0, "memory that the guest wrote is as it was written")
    guest.run("killall -INT ping")
    say("  " + guest.finish("ping").text.splitlines()[-2])


def body(world):
    need("qemu-system-x86_64", "bridge", "ss")
    far = world.namespace("far")
    a, b = Chassis(world, far, "a"), Chassis(world, far, "b")
    far.bridge("switch", [a.port, b.port])
    far.address("switch", FAR + "/24")
    path = os.path.join(world.dir, "migration.sock")
    source = world.guest(Guest(world, a))
    destination = world.guest(Guest(world, b, incoming=path))
    source.wait_ready()
    set_up(source, far)
    live = begin(world, source, far)
    silent = silent_sent(source)
    held = migrate(world, a, source, destination, far, path)
    check(in_time(lambda: known_at(far, b.port, mac(1)) and known_at(far, b.port, mac(2))),
          "the switch knows both addresses where the destination is")
    finish(world, destination, far, live, held)
    check(silent_sent(destination) == silent, "the second interface has sent nothing: its address was announced for it")
    check({io for io, _ in b.told("announce")} == {"net1"}, "as QEMU had asked")
    loss = ping_loss(destination.run(f"ping -c 10 -i 0.1 -W 20 {FAR}", check=False).text)
    check(loss == 0, "ping from the destination loses nothing")
    for chassis in (a, b):
        check(not chassis.told("stopped") and not chassis.told("refused"),
              f"daemon {chassis.name} refused and stopped nothing")


main("qemu_migrate", body)
