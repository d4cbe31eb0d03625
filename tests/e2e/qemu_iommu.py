"""A PC behind a virtual IOMMU with a device IOTLB (ATS): every buffer is translated, nothing is lost.

Linux maps and unmaps each buffer (iommu.strict=1), so the function's translation cache misses all
the time; a frame that misses has to wait for its translation rather than be dropped.
"""

from sites import OneLine, mac, site, vhost
from world import Nic, check, facts, main, ping_loss, say

BYTES = 2_000_000


def body(world):
    net = OneLine(world)
    world.daemon(site(world, net.lines, [vhost(world, "a", 1)]), namespace=net.chassis)
    guest = world.qemu("a", Nic(f"{world.dir}/a.sock", mac=mac(1), ats=True)).wait_ready()
    groups = guest.run("ls /sys/kernel/iommu_groups | wc -l").text.strip()
    check(int(groups) > 0, "the guest's devices are in IOMMU groups")
    guest.address("eth0", "10.77.0.1/24")
    loss = ping_loss(guest.run(f"ping -c 20 -i 0.1 -W 2 {net.far_address}", check=False).text)
    check(loss == 0, "ping through IOTLB misses loses nothing")
    far = net.far.spawn(world.traffic(), "tcp-recv", "5001")
    guest.run(f"traffic tcp-send {net.far_address} 5001 {BYTES}")
    got = facts(world.output(far))
    check(got["bytes"] == BYTES and got["wrong"] == 0, "a TCP stream out arrives unchanged")
    say(f"  out {got['mbps']:.1f} Mbit/s")
    guest.spawn("traffic tcp-recv 5002", "in")
    net.far.run(f"{world.traffic()} tcp-send 10.77.0.1 5002 {BYTES}")
    got = facts(guest.finish("in").text)
    check(got["bytes"] == BYTES and got["wrong"] == 0, "a TCP stream in arrives unchanged")
    say(f"  in {got['mbps']:.1f} Mbit/s")


main("qemu_iommu", body)
