"""One daemon holds two chassis; a group spread over both survives the loss of a whole one's card."""

import os

from sites import TwoLines, mac, vhost
from world import Nic, check, main


def two_chassis(world, net):
    chassis = [{"name": f"shelf{i}",
                "carriers": [{"name": f"carrier{i}", "cards": [
                    {"name": f"nic{i}", "class": "nic", "vfs": 4, "line": net.lines[i]}]}]}
               for i in range(2)]
    systems = [vhost(world, "a", 1, redundancy="pair")]
    return {"name": f"e2e-{os.getpid()}", "chassis": chassis,
            "hosts": [{"name": "blade", "chassis": "shelf0"}],
            "pools": [{"name": "all", "cards": ["nic0", "nic1"]}],
            "groups": [{"name": "pair", "cards": ["nic0", "nic1"], "mode": "1+1",
                        "spread": "chassis", "revert": True}],
            "systems": systems}


def body(world):
    net = TwoLines(world)
    daemon = world.daemon(two_chassis(world, net), namespace=net.chassis)
    names = [row["name"] for row in daemon.facts("chassis", "list")]
    check(names == ["shelf0", "shelf1"], "the tool lists both chassis")
    guest = world.uml("a", Nic(f"{world.dir}/a.sock", mac=mac(1))).wait_ready()
    guest.address("eth0", "10.77.0.1/24")
    for step in ("nothing", "pull nic0", "insert nic0", "pull nic1"):
        if step != "nothing":
            daemon.tool("card", *step.split())
        check(guest.lost_pings(net.far_address, 5) == 0, f"after {step}: pings without loss")


main("two_chassis", body)
