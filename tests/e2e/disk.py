"""Disks of the site: data through the daemon's sockets, pulled cards, a killed daemon, and what is refused."""

import json
import os
import re
import subprocess
import time

from world import SOURCE, check, main, say

MIB = 1 << 20
ATTEMPTS = 5


def disk(world, name, pool, attachment, **more):
    return {"name": name, "pool": pool, "attachment": attachment, "size": "8MiB", "queues": 4,
            "socket": os.path.join(world.dir, name + ".sock"), **more}


def site(world, **more):
    medium = os.path.join(world.dir, "medium.img")
    cards = [{"name": "mem", "class": "disk", "medium": "memory", "size": "64MiB", "vfs": 4},
             {"name": "file", "class": "disk", "medium": medium, "size": "64MiB", "vfs": 4, **more}]
    return {"name": f"e2e-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": cards}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "mem", "cards": ["mem"]}, {"name": "file", "cards": ["file"]}],
            "systems": [{"name": "a", "host": "blade", "io": [
                disk(world, "nvme-mem", "mem", "nvme"), disk(world, "blk-mem", "mem", "virtio-blk"),
                disk(world, "nvme-file", "file", "nvme", manage="16MiB"), disk(world, "blk-file", "file", "virtio-blk"),
                disk(world, "nvme-slow", "mem", "nvme", byte_rate="4MiB", iops=400)]}]}


DISKS = {"nvme-mem": "nvme", "blk-mem": "virtio-blk", "nvme-file": "nvme", "blk-file": "virtio-blk"}
KEPT = ("nvme-file", "blk-file")


def client(world, name, kind, *verb):
    return [world.program("tests/e2e/disk_client"), kind, os.path.join(world.dir, name + ".sock"), *verb]


def ask(world, name, *verb):
    done = subprocess.run(client(world, name, DISKS.get(name, "nvme"), *verb), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200)
    return done.returncode, done.stdout.strip()


def good(world, name, *verb):
    code, text = ask(world, name, *verb)
    check(code == 0, f"{name}: {' '.join(verb)} ({text})")


def data(world, daemon):
    for name in DISKS:
        report = daemon.facts("conform", os.path.join(world.dir, name + ".sock"), "--destructive")
        check(report["failed"] == 0 and report["passed"] > 50,
              f"{name} keeps the PCI Express standard ({report['passed']} assertions)")
    for target in ("file", "file/vf1"):
        report = daemon.facts("conform", target, "--destructive")
        check(report["failed"] == 0 and report["passed"] > 50, f"so does {target}")
    for seed, name in enumerate(DISKS):
        good(world, name, "verify", str(seed))
    silent(world)
    for seed, name in enumerate(DISKS):
        good(world, name, "fill", str(100 + seed))
    for seed, name in enumerate(DISKS):
        good(world, name, "compare", str(100 + seed))
    code, _ = ask(world, "nvme-mem", "compare", "999")
    check(code == 1, "another pattern is told from it")
    took = min(seconds_of(lambda: good(world, "nvme-slow", "fill", "7"), 4))
    check(1.5 < took < 4, f"8 MiB at 4 MiB a second take {took:.1f} s")


def seconds_of(action, enough):
    """What an action took, each time that it was done: until it took less than 'enough', since a machine is late now
    and then, and not for ever."""
    took = []
    for _ in range(ATTEMPTS):
        began = time.monotonic()
        action()
        took.append(time.monotonic() - began)
        if took[-1] < enough:
            break
    return took


def silent(world):
    """A driver that never writes a notify register is served, without the worker's beat of 100 ms between commands."""
    def once():
        done = subprocess.run(client(world, "blk-mem", "virtio-blk-silent", "verify", "9"), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600)
        check(done.returncode == 0, f"a driver that never notifies is served ({done.stdout.strip()})")

    # Depths 1 to 128, each 1000 commands: beats would make it 200 s.
    took = min(seconds_of(once, 100))
    check(took < 100, f"without waiting for beats: {took:.2f} s")


LSPCI = {
    "nvme": ["Non-Volatile memory controller: Red Hat, Inc. Device 10f2 (rev 01) (prog-if 02 [NVM Express])",
             "MSI-X: Enable- Count=64 Masked-"],
    "virtio-blk": ["Mass storage controller: Red Hat, Inc. Virtio 1.0 block device (rev 01)",
                   "MSI-X: Enable- Count=17 Masked-", "VirtIO: CommonCfg", "VirtIO: Notify", "VirtIO: DeviceCfg"],
}


def decoded(world, daemon):
    """lspci decodes what clients are given, and finds the capabilities that our tool finds; and the tree says both."""
    for name, kind in DISKS.items():
        socket = os.path.join(world.dir, name + ".sock")
        dump = os.path.join(world.dir, "dump")
        with open(dump, "w") as file:
            file.write(daemon.tool("pci", "show", socket, "--dump")[1])
        text = subprocess.run(["lspci", "-F", dump, "-vvv"], capture_output=True, text=True, check=True).stdout
        found = [int(at, 16) for at in re.findall(r"Capabilities: \[(\w+)", text)]
        shown = [int(c["offset"], 16) for c in daemon.facts("pci", "show", socket)["capabilities"]]
        missing = [words for words in LSPCI[kind] + ["Express (v2) Endpoint", "Advanced Error", "Address Translation"]
                   if words not in text]
        check(found == shown and not missing and "<chain" not in text,
              f"lspci agrees with what {name} presents: {len(found)} capabilities {missing or ''}")
    tree = daemon.tool("host", "lspci", "blade")[1]
    check("a/nvme-mem, active, as NVMe" in tree and "a/blk-mem, active, as virtio-blk" in tree,
          "the host's tree says what serves each disk")


def numbers(daemon):
    card = daemon.facts("card", "show", "file")
    check(card["class"] == "disk" and card["size_bytes"] == 64 * MIB and card["namespaces"] == 2 and
          card["free_bytes"] == 64 * MIB - 17 * MIB and card["vfs_bound"] == 2, "the card says what it has")
    used = [f for f in daemon.facts("function", "list") if f["io"] == "nvme-file"]
    function = daemon.facts("function", "show", used[0]["name"])
    check(function["front"] == "nvme" and function["size_bytes"] == 8 * MIB and function["written_bytes"] >= 8 * MIB
          and function["read_bytes"] >= 8 * MIB and function["failed"] == 0, "its function counts")
    for verb in (("card", "fdb", "file"), ("card", "hang", "file"), ("card", "hang", "file", "--off")):
        code, text = daemon.tool(*verb, check_code=False)
        check(code == 1 and "of class" in text, f"{' '.join(verb)} is refused: {text.strip()}")
    daemon.tool("host", "lspci", "blade")
    daemon.tool("worker", "list")
    rows = daemon.facts("system", "show", "a")["ios"]
    check({row["attachment"] for row in rows} == {"nvme", "virtio-blk"} and
          all(row["size_bytes"] == 8 * MIB for row in rows), "the system shows its disks")


def pulled(world, daemon, name):
    card = name.split("-")[1]
    process = subprocess.Popen(client(world, name, DISKS[name], "follow"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        check(process.stdout.readline() == "good\n", f"{name} is read")
        daemon.tool("card", "pull", card)
        check(process.stdout.readline() == "bad\n", "commands end with an error while its card is pulled")
        check(daemon.facts("card", "show", card)["state"] == "pulled", "the card says so")
        daemon.tool("card", "insert", card)
        check(process.stdout.readline() == "good\n", "and go on once it is back")
        process.stdin.close()
        check(process.wait(120) == 0, "its driver shuts down")
    finally:
        process.kill()


def killed(world, daemon):
    for seed, name in enumerate(KEPT):
        good(world, name, "fill", str(200 + seed))
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()
    for seed, name in enumerate(KEPT):
        good(world, name, "compare", str(200 + seed))
    for name in ("nvme-mem", "blk-mem"):
        good(world, name, "verify", "5")
    took = daemon.stop()
    check(daemon.process.returncode == 0, f"SIGTERM stops it cleanly ({took * 1000:.0f} ms)")
    daemon.start()
    for seed, name in enumerate(KEPT):
        good(world, name, "compare", str(200 + seed))


def nvme(world, name, *words):
    """nvme-cli on a disk's function: what it says, in one piece."""
    bridge = {"NVME_BRIDGE": os.path.join(world.dir, name + ".sock"),
              "LD_PRELOAD": world.program("tests/nvme_cli/libnvme_bridge.so")}
    done = subprocess.run(["nvme", *words], env={**os.environ, **bridge}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200)
    return done.stdout


def spaces(world, *words):
    said = json.loads(nvme(world, "nvme-file", "list-ns", "/dev/nvme0", *words, "-o", "json"))
    return [row["nsid"] for row in said["nsid_list"]]


def make(world, mib, flbas="0"):
    blocks = str(mib * MIB // (4096 if flbas == "1" else 512))
    return nvme(world, "nvme-file", "create-ns", "/dev/nvme0", "-s", blocks, "-c", blocks, "-f", flbas)


def managed(world, daemon):
    """A guest makes, attaches, uses and removes namespaces within what the site file lets it have."""
    said = nvme(world, "nvme-mem", "create-ns", "/dev/nvme0", "-s", "2048", "-c", "2048", "-f", "0")
    check("Invalid Command Opcode" in said, f"not where the site file says nothing of it: {said.strip()}")
    check("nsid:2" in make(world, 8), "a guest makes namespace 2, of 8 MiB")
    check((spaces(world), spaces(world, "--all")) == ([1], [1, 2]), "it is there, and not attached")
    check("Success" in nvme(world, "nvme-file", "attach-ns", "/dev/nvme0", "-n", "2", "-c", "0") and
          spaces(world) == [1, 2], "it attaches it")
    check("nsid:3" in make(world, 4, "1"), "and makes another, with blocks of 4096 bytes")
    said = make(world, 8)
    check("Insufficient Capacity" in said, f"not more than it may have: {said.strip()}")
    path = os.path.join(world.dir, "bytes")
    with open(path, "wb") as file:
        file.write(os.urandom(65536))
    at = ("/dev/nvme0n1", "-n", "2", "-s", "64", "-c", "127", "-z", "65536", "-d", path)
    check("Success" in nvme(world, "nvme-file", "write", *at, "-f"), "it writes there")
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()
    check(spaces(world) == [1, 2, 3], "after a kill they are there, attached")
    check("Success" in nvme(world, "nvme-file", "compare", *at), "with what was written")
    good(world, "nvme-file", "compare", "200")
    for nsid in ("1", "0xffffffff"):
        said = nvme(world, "nvme-file", "delete-ns", "/dev/nvme0", "-n", nsid)
        check("denied" in said.lower(), f"the disk of the site file is not the guest's to remove: {said.strip()}")
    for nsid in ("2", "3"):
        said = nvme(world, "nvme-file", "delete-ns", "/dev/nvme0", "-n", nsid)
        check("Success" in said, f"it removes namespace {nsid}: {said.strip()}")
    check(spaces(world, "--all") == [1], "they are gone")
    check(daemon.facts("card", "show", "file")["free_bytes"] == 64 * MIB - 17 * MIB, "and so is what they took")


def stopped_under_load(world, daemon):
    """A stop with a client that reads does not hang, and ends the client."""
    process = subprocess.Popen(client(world, "nvme-file", "nvme", "follow"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        check(process.stdout.readline() == "good\n", "a client reads")
        took = daemon.stop()
        check(daemon.process.returncode == 0, f"the daemon stops under it ({took * 1000:.0f} ms)")
    finally:
        process.kill()
        process.wait()
    check(not [n for n in os.listdir(world.dir) if n.endswith(".sock")], "it leaves no socket")


def refused(world, daemon):
    plain = os.path.join(world.dir, "plain.yaml")
    with open(daemon.site_path) as source:
        text = source.read()
    with open(plain, "w") as target:
        target.write(text.replace("8MiB", "9MiB"))
    done = subprocess.run([world.program("src/prog/midplaned"), plain], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200)
    check(done.returncode == 1 and "has 8388608 bytes, the site file says 9437184" in done.stdout,
          f"refused: {done.stdout.strip()[-160:]}")


def body(world):
    daemon = world.daemon(site(world))
    say(f"  started in {daemon.started_s * 1000:.0f} ms")
    data(world, daemon)
    numbers(daemon)
    decoded(world, daemon)
    for name in DISKS:
        pulled(world, daemon, name)
    killed(world, daemon)
    managed(world, daemon)
    stopped_under_load(world, daemon)
    refused(world, daemon)
    example = subprocess.run([world.program("src/prog/midplane"), "site", "check",
                              os.path.join(SOURCE, "examples/06-disks.yaml")])
    check(example.returncode == 0, "examples/06-disks.yaml is a good site file")


main("disk", body)
