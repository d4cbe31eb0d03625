"""NICs of the daemon under our own virtio-net driver, over vfio-user: frames between two functions of a card compared
at queue depths 1 to 128; with drivers that notify, and with drivers that never do."""

import os
import subprocess

from sites import mac, site, vfio
from world import PATIENCE_S, check, main


def run(world, daemon, mode, seed):
    before = sum(kicks(daemon))
    sockets = [os.path.join(world.dir, name + ".sock") for name in ("a", "b")]
    done = subprocess.run([world.program("tests/e2e/net_client"), sockets[0], mac(1), sockets[1], mac(2), mode,
                           str(seed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
    check(done.returncode == 0, f"{mode}: all frames arrive in order, as they were sent ({done.stdout.strip()})")
    rung = sum(kicks(daemon)) - before
    said = int(done.stdout.split("notified=")[1])
    check(rung == said, f"{mode}: the daemon heard each notification ({rung})")
    return rung


def function_of(daemon, system):
    return next(f["name"] for f in daemon.facts("function", "list") if f["system"] == system)


def kicks(daemon):
    return [daemon.facts("function", "show", function_of(daemon, name))["kicks"] for name in ("a", "b")]


def body(world):
    daemon = world.daemon(site(world, ["net_null0"], [vfio(world, "a", 1), vfio(world, "b", 2)]))
    check(run(world, daemon, "notify", 1) > 0, "the drivers notified it")
    check(run(world, daemon, "silent", 2) == 0, "the silent ones did not, once")
    check(run(world, daemon, "notify", 3) > 0, "one that notifies comes after a silent one")
    took = daemon.stop()
    check(daemon.process.returncode == 0, f"SIGTERM stops it cleanly ({took * 1000:.0f} ms)")


main("vfio_net", body)
