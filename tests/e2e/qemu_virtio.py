"""Two PCs (QEMU without KVM, Debian's own kernel) on one card: ping and TCP over virtio-pci."""

import os

import qmp
from sites import OneLine, mac, site, vhost
from world import Nic, check, facts, main

BYTES = 10_000_000


def body(world):
    net = OneLine(world)
    world.daemon(site(world, net.lines, [vhost(world, "a", 1), vhost(world, "b", 2)]),
                 namespace=net.chassis)
    monitor = os.path.join(world.dir, "a.qmp")
    guests = [world.qemu(name, Nic(f"{world.dir}/{name}.sock", mac=mac(i)),
                         extra=qmp.arguments(monitor) if name == "a" else ())
              for i, name in enumerate(("a", "b"), 1)]
    for i, guest in enumerate(guests, 1):
        guest.wait_ready()
        guest.address("eth0", f"10.77.0.{i}/24")
    a, b = guests
    for to in ("10.77.0.2", net.far_address):
        check(a.lost_pings(to, 10) == 0, f"ping to {to} without loss")
    b.spawn("traffic tcp-recv 5001", "stream")
    a.run(f"traffic tcp-send 10.77.0.2 5001 {BYTES}")
    got = facts(b.finish("stream").text)
    check(got["bytes"] == BYTES and got["wrong"] == 0,
          f"a TCP stream arrived complete and unchanged ({got['mbps']:.0f} Mbit/s)")
    control = qmp.Monitor(monitor)
    for command in ("stop", "cont"):
        control.do(command)
    check(a.lost_pings("10.77.0.2", 5, 200) == 0, "stopped and continued by QEMU, ping goes on")
    a.run("ip link set eth0 mtu 1400 && ip link set eth0 mtu 1500")
    a.run("rmmod virtio_net && insmod /modules/virtio_net.ko && sleep 1")
    a.address("eth0", "10.77.0.1/24")
    check(a.lost_pings("10.77.0.2", 5, 200) == 0, "after the driver was unloaded and loaded again, ping goes on")


main("qemu_virtio", body)
