"""Two user-mode Linux guests share one card: they reach each other and a namespace behind the line."""

from sites import OneLine, mac, site, vhost
from world import Nic, check, facts, main, say

BYTES = 20_000_000


def stream(sender, receiver, address, port):
    receiver.spawn(f"traffic tcp-recv {port}", "stream")
    sender.run(f"traffic tcp-send {address} {port} {BYTES}")
    got = facts(receiver.finish("stream").text)
    check(got["bytes"] == BYTES and got["wrong"] == 0,
          f"a TCP stream arrived complete and unchanged ({got['mbps']:.0f} Mbit/s)")


def body(world):
    net = OneLine(world)
    daemon = world.daemon(site(world, net.lines, [vhost(world, "a", 1), vhost(world, "b", 2)]),
                          namespace=net.chassis)
    a = world.uml("a", Nic(f"{world.dir}/a.sock"))
    b = world.uml("b", Nic(f"{world.dir}/b.sock"))
    for number, guest in enumerate((a, b), 1):
        guest.wait_ready()
        shown = guest.run("cat /sys/class/net/eth0/address").text.strip()
        check(shown == mac(number), f"{guest.name} has the MAC address of the site file")
        guest.address("eth0", f"10.77.0.{number}/24")
    say(f"booted in {a.booted_s:.1f} and {b.booted_s:.1f} s")

    for guest, to in ((a, "10.77.0.2"), (b, "10.77.0.1"), (a, net.far_address), (b, net.far_address)):
        check(guest.lost_pings(to, 10) == 0, f"{guest.name} pings {to} without loss")
    stream(a, b, "10.77.0.2", 5001)
    stream(b, a, "10.77.0.1", 5002)

    far = net.far.spawn(world.traffic(), "tcp-recv", "5003")
    a.run(f"traffic tcp-send {net.far_address} 5003 {BYTES}")
    got = facts(world.output(far))
    check(got["bytes"] == BYTES and got["wrong"] == 0,
          f"a TCP stream left through the line port unchanged ({got['mbps']:.0f} Mbit/s)")
    b.spawn("traffic tcp-recv 5004", "in")
    net.far.run(f"{world.traffic()} tcp-send 10.77.0.2 5004 {BYTES}")
    got = facts(b.finish("in").text)
    check(got["bytes"] == BYTES and got["wrong"] == 0,
          f"a TCP stream came in through the line port unchanged ({got['mbps']:.0f} Mbit/s)")
    check(len(daemon.facts("function", "list")) >= 2, "the tool lists the functions")


main("uml_pair", body)
