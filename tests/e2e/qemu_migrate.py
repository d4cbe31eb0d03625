"""A running guest moves from one QEMU to another, and from the function of one daemon to that of another.

Two daemons with a card each are two chassis; behind their line ports a switch joins them.  While the guest's memory is
copied, streams run both ways and a ping as well.  What came for a process that does not read lies in pages that
the source's front alone has written, after QEMU had copied all memory once: that it arrives shows that the
dirty log has these pages.  The guest has an interface with split rings, one with two pairs of packed rings, and one on
which it sends nothing.

    source guest                    namespace "chassis-a"        namespace "far"
         |     vhost-user           +----------------------+     +--------------------------+
         +--------------------------| midplaned  --- line0 ======== fara --+                |
    destination                     +----------------------+     |         +-- 10.77.0.100  |
         |     vhost-user           | midplaned  --- line0 ======== farb --+                |
         +--------------------------+----------------------+     +--------------------------+
"""

import mmap
import os
import re

import qmp
from sites import mac, packet_port, site
from world import Failure, Nic, check, facts, guests, in_time, main, need, newer_qemu, say

FAR, GUEST = ("10.77.0.100", "10.78.0.100"), ("10.77.0.1", "10.78.0.1")
SILENT = "eth2"
HELD_PORTS, LIVE_PORT = (5001, 5002), 5003
HELD_BYTES = 24 << 20      # more than a socket takes that nobody reads
UNREAD_BYTES = 8 << 20     # lie unread when the guest moves, at least: more than pages that were in use just before
PAGES_MIB = 64             # are written all the time, so that copying does not come to its end by itself
# QEMU 7.2's translator forgets now and then that a page was written (0 to 8 a run were seen), and guests
# died of that: such pages are put right.  Without our log of received frames it is thousands.
LATE_PAGES = 1000
COPY_BPS = 32 << 20        # bytes a second: these pages alone take two seconds each time


class Chassis:
    """A daemon whose only card's line port leads to the switch; its interfaces have the guest's addresses."""

    def __init__(self, world, far, name):
        self.name, self.port = name, "far" + name
        namespace = world.namespace("chassis-" + name)
        far.wire(self.port, namespace, "line0")
        self.sockets = [os.path.join(world.dir, f"{name}{i}.sock") for i in range(3)]
        ios = [{"name": f"net{i}", "pool": "all", "attachment": "vhost-user", "socket": path, "mac": mac(i)}
               for i, path in enumerate(self.sockets)]
        ios[1].update(packed=True, queues=2)
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
    """Announces its addresses itself when it has moved, but for the silent interface's: QEMU asks for that (RARP).
    The destination waits to be let go."""

    def __init__(self, world, chassis, incoming=None):
        self.monitor_path = os.path.join(world.dir, chassis.name + ".qmp")
        extra = ["-smp", "2", *qmp.arguments(self.monitor_path)]
        if incoming:
            extra += ["-S", "-incoming", "unix:" + incoming]
        if world.options.newer:
            self.program = newer_qemu()
        super().__init__("vm-" + chassis.name, world.dir,
                         [Nic(chassis.sockets[0], mac=mac(0)),
                          Nic(chassis.sockets[1], mac=mac(1), queues=2, options="packed=on"),
                          Nic(chassis.sockets[2], mac=mac(2), options="guest_announce=off")],
                         world.guest_programs(), vectors=None if world.options.newer else 0, extra=extra,
                         kernel_args="init_on_alloc=0") # pages for frames: the guest itself writes nothing there

    def monitor(self):
        return qmp.Monitor(self.monitor_path)

    def memory(self):
        """All of the guest's memory, shared with QEMU."""
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            path = f"/proc/{self.process.pid}/fd/{fd}"
            if os.path.lexists(path) and "memory-backend" in os.readlink(path):
                with open(path, "r+b") as file:
                    return mmap.mmap(file.fileno(), self.memory_mb << 20)
        raise Failure(f"{self.name} has no memory file")


def known_at(far, port):
    """Whether the switch takes all of the guest's addresses to be behind this port."""
    known = far.run(f"bridge fdb show brport {port} dynamic")
    return all(mac(i) in known for i in range(3))


def figure(guest, command):
    text = guest.run(command, check=False).text.split()
    return int(text[0]) if text else 0


def unread(guest, port):
    """Bytes that the guest's kernel has and no process has read."""
    return figure(guest, f"netstat -tn | awk '$4 ~ /:{port}$/ {{ print $2 }}'")


def pings(guest):
    return figure(guest, "grep -c ' bytes from ' /tmp/ping.out")


def silent_sent(guest):
    return figure(guest, f"cat /sys/class/net/{SILENT}/statistics/tx_packets")


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
    """Addresses, and the switch knows where they are."""
    guest.run("sysctl -qw net.core.rmem_max=16777216 net.ipv4.conf.all.arp_ignore=1 "
              "net.ipv4.tcp_mem='50000 60000 70000'")
    for i, address in enumerate(GUEST):
        guest.address(f"eth{i}", address + "/24")
        check(guest.lost_pings(FAR[i], 3) == 0, f"the guest reaches the far end by eth{i}")
    guest.address(SILENT, "10.79.0.1/24")
    guest.run(f"arping -q -U -c 1 -I {SILENT} 10.79.0.1", check=False) # nobody answers
    check(in_time(lambda: known_at(far, "fara")), "the switch knows its addresses where the source is")


def begin(world, guest, far):
    """Starts all that is to run on: processes that do not read, a stream, a ping, and memory being written."""
    for port in HELD_PORTS:
        guest.spawn(f"traffic tcp-recv {port} & echo $! >/tmp/held{port}.pid; wait $!", f"held{port}")
        check(in_time(lambda: guest.run(f"netstat -tln | grep -q :{port}", check=False).code == 0), f"{port} listens")
        guest.run(f"kill -STOP $(cat /tmp/held{port}.pid)")
    live = far.spawn(world.traffic(), "tcp-recv", LIVE_PORT)
    guest.spawn(f"traffic tcp-flow {FAR[0]} {LIVE_PORT} /tmp/enough", "live")
    guest.spawn(f"exec ping -i 0.2 {FAR[1]}", "ping")
    guest.spawn(f"traffic pages {PAGES_MIB} /tmp/enough", "pages")
    goes_on(lambda: arrived(far), "a stream runs to the far end")
    goes_on(lambda: pings(guest), "and a ping")
    return live


def logged(chassis, begins):
    """The interfaces whose fronts have told this of their dirty log, each as often as it did."""
    return sorted(io for io, text in chassis.told("dirty log") if text.startswith(begins))


def begin_to_copy(chassis, source, destination, path, times):
    """Pre-copy that does not come to its end by itself; the source's control channel and the destination's."""
    arriving, control = destination.monitor(), source.monitor() # who answers there, listens at 'path' already
    control.do("migrate-set-parameters", **{"max-bandwidth": COPY_BPS, "downtime-limit": 1})
    control.do("migrate", uri="unix:" + path)
    check(in_time(lambda: logged(chassis, "on") == sorted(["net0", "net1", "net2"] * times)),
          "the source's fronts keep a dirty log")
    return control, arriving


def change_the_mind(chassis, source, destination, far, path):
    """A migration that is cancelled: the source goes on and keeps no log, and the destination ends."""
    control, _ = begin_to_copy(chassis, source, destination, path, times=1)
    control.do("migrate_cancel")
    check(in_time(lambda: control.do("query-migrate")["status"] == "cancelled"), "a migration is cancelled")
    check(in_time(lambda: logged(chassis, "off") == ["net0", "net1", "net2"]), "no log is kept any more")
    goes_on(lambda: arrived(far), "the stream goes on")
    control.close()
    destination.process.wait(200)
    destination.stop()
    destination.start()


def put_right(source, destination):
    """Copies pages that the migration has left behind; neither runs.  How many they were."""
    page, late = 4096, 0
    with source.memory() as ours, destination.memory() as theirs:
        for at in range(0, len(ours), page):
            if ours[at:at + page] != theirs[at:at + page]:
                theirs[at:at + page] = ours[at:at + page]
                late += 1
    return late


def migrate(world, chassis, source, destination, far, path):
    """Pre-copy, with traffic for which it has to come back to pages; the stream that nobody reads, from the far end."""
    control, arriving = begin_to_copy(chassis, source, destination, path, times=2)
    state = lambda: control.do("query-migrate") # noqa: E731
    check(in_time(lambda: state().get("ram", {}).get("dirty-sync-count", 0) >= 2), "all memory has been copied once")
    held = [far.spawn(world.traffic(), "tcp-send", address, port, HELD_BYTES)
            for address, port in zip(GUEST, HELD_PORTS)]
    for i, port in enumerate(HELD_PORTS):
        check(in_time(lambda: unread(source, port) >= UNREAD_BYTES),
              f"{UNREAD_BYTES >> 20} MiB lie unread in the guest, from eth{i}")
    goes_on(lambda: arrived(far), "the other stream runs meanwhile")
    check(state()["status"] == "active" and control.do("query-status")["running"], "and memory is still being copied")
    control.do("migrate-set-parameters", **{"max-bandwidth": 1 << 40, "downtime-limit": 100_000})
    check(in_time(lambda: state()["status"] not in ("active", "device")), "the copying ends")
    last = state()
    check(last["status"] == "completed", f"the migration is completed ({last.get('error-desc', last['status'])})")
    check(in_time(lambda: arriving.do("query-status")["status"] == "paused"), "the destination could run")
    late, most = put_right(source, destination), 0 if world.options.newer else LATE_PAGES
    check(late <= most, f"its memory is the source's ({late} pages were not, {most} may be)")
    arriving.do("cont")
    say(f"  {last['total-time'] / 1000:.1f} s, {last['ram']['dirty-sync-count']} passes, "
        f"{last['ram']['transferred'] >> 20} MiB, stopped for {last['downtime']} ms")
    control.do("quit")
    source.process.wait(60)
    check(in_time(lambda: chassis.states() == ["waiting"] * 3), "the source has ended, and its functions are free")
    return held


def finish(world, guest, far, live, held):
    """All that ran runs on, and has lost nothing."""
    goes_on(lambda: arrived(far), "the stream goes on from the destination")
    goes_on(lambda: pings(guest), "so does the ping")
    for i, (port, sender) in enumerate(zip(HELD_PORTS, held)):
        guest.run(f"kill -CONT $(cat /tmp/held{port}.pid)")
        got = facts(guest.finish(f"held{port}").text)
        check(got["bytes"] == HELD_BYTES and got["wrong"] == 0,
              f"what lay unread from eth{i}, and all behind it, is as it was sent ({got['wrong']:.0f} wrong)")
        check(facts(world.output(sender))["sent"] == HELD_BYTES, "its sender knows")
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
    for address in FAR:
        far.address("switch", address + "/24")
    path = os.path.join(world.dir, "migration.sock")
    source = world.guest(Guest(world, a))
    destination = world.guest(Guest(world, b, incoming=path))
    source.wait_ready()
    set_up(source, far)
    live = begin(world, source, far)
    silent = silent_sent(source)
    change_the_mind(a, source, destination, far, path)
    held = migrate(world, a, source, destination, far, path)
    check(in_time(lambda: known_at(far, b.port)), "the switch knows all addresses where the destination is")
    finish(world, destination, far, live, held)
    check(silent_sent(destination) == silent, f"{SILENT} has sent nothing: its address was announced for it")
    check({io for io, _ in b.told("announce")} == {"net2"}, "as QEMU had asked")
    for address in FAR:
        check(destination.lost_pings(address, 10) == 0, f"ping from the destination to {address} loses nothing")
    for chassis in (a, b):
        check(not chassis.told("stopped") and not chassis.told("refused"),
              f"daemon {chassis.name} refused and stopped nothing")


main("qemu_migrate", body, add_options=lambda parser: parser.add_argument("--newer", action="store_true"))
