"""Containers: two namespaces on TAP functions reach each other and a namespace behind the line."""

from sites import OneLine, mac, site
from world import check, facts, main

BYTES = 50_000_000


def tap(space, number):
    return {"name": f"box{number}", "host": "blade",
            "io": [{"pool": "all", "attachment": "tap", "interface": "net0", "netns": space.name,
                    "mac": mac(number)}]}


def body(world):
    net = OneLine(world)
    boxes = [world.namespace(f"box{i}") for i in (1, 2)]
    daemon = world.daemon(site(world, net.lines, [tap(box, i) for i, box in enumerate(boxes, 1)]),
                          namespace=net.chassis)
    for i, box in enumerate(boxes, 1):
        shown = box.link("net0")["address"]
        check(shown == mac(i), f"box{i} has an interface with the MAC address of the site file")
        box.address("net0", f"10.77.0.{i}/24")
    for to in ("10.77.0.2", net.far_address):
        check(boxes[0].lost_pings(to, 10) == 0, f"box1 pings {to} without loss")
    receiver = boxes[1].spawn(world.traffic(), "tcp-recv", "5001")
    boxes[0].run(f"{world.traffic()} tcp-send 10.77.0.2 5001 {BYTES}")
    got = facts(world.output(receiver))
    check(got["bytes"] == BYTES and got["wrong"] == 0,
          f"a TCP stream arrived complete and unchanged ({got['mbps']:.0f} Mbit/s)")
    daemon.stop()
    check("net0" not in boxes[0].run("ip -o link"), "the interfaces are gone with the daemon")


main("tap", body)
