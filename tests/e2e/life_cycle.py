"""The daemon starts fast, says who holds a site, needs no root where its lines need none, and leaves nothing."""

import os
import re
import shutil
import subprocess
import time

from sites import site, vfio, vhost
from world import SOURCE, check, main, say

NOBODY = 65534
STARTS = 10


def sockets(world):
    return [name for name in os.listdir(world.dir) if name.endswith(".sock")]


def plain_site(world):
    return site(world, ["net_null0", "net_null1"], [vhost(world, "a", 1), vhost(world, "b", 2), vfio(world, "c", 3)],
                redundant=True)


def free_functions(world, daemon):
    """Those that nobody has, of a card that is there and of one that is not."""
    def rows():
        return {row["name"]: (row["role"], row["state"]) for row in daemon.facts("function", "list")
                if row["name"].startswith("nic1/")}

    def left():
        return daemon.facts("pool", "list")[0]["free"]

    check(rows()["nic1/vf8"] == ("free", "free") and left() == 10, f"functions are free: {left()} in the pool")
    daemon.tool("card", "pull", "nic1")
    decoded(world, daemon, 1)
    check(rows()["nic1/vf8"] == ("none", "pulled") and rows()["nic1/vf1"] == ("standby", "pulled") and left() == 5,
          f"those of a pulled card are not: {left()} in the pool")
    daemon.tool("card", "insert", "nic1")
    check(rows()["nic1/vf8"] == ("free", "free") and left() == 10, "until it is back")


def decoded(world, daemon, cards):
    """What the daemon dumps of a host is what lspci finds there: cards and functions, with all their capabilities."""
    every = ["Power Management version 3", "MSI-X: Enable", "Express (v2) Endpoint", "Advanced Error Reporting",
             "Alternative Routing-ID", "Access Control Services", "Address Translation Service"]
    dump = os.path.join(world.dir, "host.lspci")
    with open(dump, "w", encoding="ascii") as file:
        file.write(daemon.tool("host", "lspci", "blade", "--dump")[1])
    text = subprocess.run(["lspci", "-F", dump, "-vvv"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=True).stdout
    functions = [block for block in text.strip().split("\n\n") if "Ethernet controller" in block.split("\n")[0]]
    physical = [block for block in functions if "Number of VFs: 8," in block and "Device Serial Number" in block]
    missing = [(block[:7], name) for block in functions for name in every if name not in block]
    check(len(physical) == cards and len(functions) == 9 * cards and not missing and "<chain" not in text,
          f"lspci finds {len(physical)} cards and {len(functions)} functions {missing or ''}")


def start_s(daemon):
    """What the last start took, as the daemon has it, without what it waited for a CPU until now."""
    return int(re.findall(r"start_ms=(\d+)", daemon.log())[-1]) / 1000 - daemon.waited_s()


def first_example_as_nobody(world):
    os.chmod(world.dir, 0o755)
    home = os.path.join(world.dir, "home")
    os.mkdir(home)
    os.chown(home, NOBODY, NOBODY)
    # The repository may lie where nobody may not look.
    program, example = (shutil.copy(path, home) for path in (
        world.program("src/prog/midplaned"), os.path.join(SOURCE, "examples/01-two-cards.yaml")))
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env",
               f"HOME={home}", f"XDG_RUNTIME_DIR={home}",
               program, "--socket", os.path.join(home, "tool.sock"),
               example]
    process = world.process(*command)
    tool = world.program("src/prog/midplane")
    for _ in range(4000):
        asked = subprocess.run([tool, "--socket", os.path.join(home, "tool.sock"), "card", "list"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if asked.returncode == 0 or process.poll() is not None:
            break
        time.sleep(0.05)
    check(asked.returncode == 0, "examples/01-two-cards.yaml runs without root and without preparation")
    process.terminate()
    process.wait(60)
    left = [os.path.join(path, name) for path, _, names in os.walk(home) for name in names
            if os.path.join(path, name) not in (program, example)]
    check(not left, f"it leaves nothing in its run directory {left}")


def body(world):
    space = world.namespace("chassis")
    interfaces = space.run("ip -o link")
    daemon = world.daemon(plain_site(world), namespace=space)
    say(f"  started in {daemon.started_s * 1000:.0f} ms, the tool's first answer included")
    took = [start_s(daemon)]
    while took[-1] >= 1 and len(took) < STARTS: # a machine that is busy is late now and then
        daemon.stop()
        daemon.start()
        took.append(start_s(daemon))
    check(took[-1] < 1, f"it starts in less than a second, without what it waited for a CPU ({took[-1]:.2f} s)")
    check({"a.sock", "b.sock", "c.sock", "site.sock"} <= set(sockets(world)), "its sockets are there")

    for target in ("nic0", "nic0/vf1", os.path.join(world.dir, "c.sock")):
        report = daemon.facts("conform", target, "--destructive")
        check(report["failed"] == 0 and report["passed"] > 50,
              f"{target} keeps the PCI Express standard ({report['passed']} assertions)")

    decoded(world, daemon, 2)
    free_functions(world, daemon)
    second = subprocess.run([world.program("src/prog/midplaned"), "--socket",
                             os.path.join(world.dir, "second.sock"), daemon.site_path],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    check(second.returncode not in (0, -6, -11), "a second start of the same site is refused")
    check(str(daemon.process.pid) in second.stdout,
          f"it says who holds the site: {second.stdout.strip()[-200:]}")

    took = daemon.stop()
    check(daemon.process.returncode == 0, f"SIGTERM stops it cleanly ({took * 1000:.0f} ms)")
    check(not sockets(world), f"it leaves no socket: {sockets(world)}")
    check(space.run("ip -o link") == interfaces, "it leaves no interface")

    daemon.start()
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()
    check(daemon.process.poll() is None, "after it was killed the site starts again")
    daemon.stop()
    first_example_as_nobody(world)


main("life_cycle", body)
