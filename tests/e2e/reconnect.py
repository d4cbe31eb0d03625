"""The daemon is killed and started again; guests resume without a restart of theirs.

QEMU reconnects its socket by itself when it is the client; when it listens, our client mode does.
"""

import time

from sites import OneLine, mac, site, vhost
from world import Nic, check, main, ping_loss


def pings(guest, to, seconds=120):
    """Seconds until pings are answered again; None when they are not."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if ping_loss(guest.run(f"ping -c 1 -W 1 {to}", check=False).text) == 0:
            return time.monotonic() - began
    return None


def body(world):
    net = OneLine(world)
    daemon = world.daemon(
        site(world, net.lines, [vhost(world, "a", 1), vhost(world, "b", 2, socket_mode="client")]),
        namespace=net.chassis)
    a = world.qemu("a", Nic(f"{world.dir}/a.sock", mac=mac(1), reconnect=1))
    b = world.qemu("b", Nic(f"{world.dir}/b.sock", mac=mac(2), listen=True))
    for i, guest in enumerate((a, b), 1):
        guest.wait_ready()
        guest.address("eth0", f"10.77.0.{i}/24")
        check(pings(guest, net.far_address) is not None, f"{guest.name} pings the far end")
    daemon.kill()
    time.sleep(0.5)
    daemon.start()
    for guest, mode in ((a, "as client"), (b, "as server")):
        took = pings(guest, net.far_address)
        check(took is not None, f"the guest whose VMM connects {mode} resumes")
        print(f"  after {took:.1f} s")
    check(a.lost_pings("10.77.0.2", 10) == 0, "the guests reach each other again without loss")


main("reconnect", body)
