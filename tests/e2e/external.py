"""One site imports what another serves: an NVMe function and a sample device, given to systems by a second daemon; data
through it, processes that die, hang and return, and what the tool says meanwhile."""

import json
import os
import signal
import subprocess
import tempfile
import time

from world import SOURCE, check, main, say, sh

PATIENCE_MS = 2000     # where it is what is tested
LONG_MS = 200000       # else: a process that does not run for a while is not dead
ATTEMPTS = 10


def back_site(world):
    """Whose disk is imported."""
    card = {"name": "mem", "class": "disk", "medium": "memory", "size": "64MiB", "vfs": 4}
    def disk(name, socket):
        return {"name": name, "pool": "mem", "attachment": "nvme", "size": "8MiB", "queues": 4,
                "socket": f"{world.dir}/{socket}.sock"}

    return {"name": f"back-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": [card]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}], "pools": [{"name": "mem", "cards": ["mem"]}],
            "systems": [{"name": "far", "host": "blade", "io": [disk("disk", "device"), disk("spare", "spare")]}]}


def front_site(world, patience_ms):
    def card(name, socket, **more):
        return {"name": name, "class": "external",
                "functions": [{"socket": f"{world.dir}/{socket}", "patience_ms": patience_ms, **more}]}

    def io(name):
        return {"name": name, "pool": name, "attachment": "vfio-user", "socket": f"{world.dir}/{name}.sock"}

    cards = [card("disk", "device.sock", guard=False), card("sample", "model.sock"),
             card("guarded", "spare.sock")]
    return {"name": f"front-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": cards}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": c["name"], "cards": [c["name"]]} for c in cards],
            "systems": [{"name": "near", "host": "blade", "io": [io("disk"), io("sample")]}]}


def state(daemon, card="disk"):
    return daemon.facts("card", "show", card)["state"]


def wait_state(daemon, wanted, card="disk", seconds=120):
    began = time.monotonic()
    while state(daemon, card) != wanted:
        if time.monotonic() - began > seconds:
            check(False, f"card {card} is {wanted}; it is {state(daemon, card)}\n{daemon.log()}")
        time.sleep(0.01)
    check(True, f"card {card} is {wanted} after {(time.monotonic() - began) * 1000:.0f} ms")


def kinds(daemon):
    return [event["kind"] for event in daemon.facts("event", "list")]


def read(world, name, *where):
    """Bytes of a region, as a client of its own reads them; and the seconds that it took."""
    began = time.monotonic()
    text = sh(world.program("src/prog/midplane"), "pci", "read", f"{world.dir}/{name}.sock", *where, timeout=200)
    return text, time.monotonic() - began


def verified(world, seed):
    done = subprocess.run([world.program("tests/e2e/disk_client"), "nvme", f"{world.dir}/disk.sock", "verify",
                           str(seed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    return done.returncode == 0, done.stdout.strip()


def verify(world, seed):
    good, said = verified(world, seed)
    check(good, f"data at depths 1 to 128 through both daemons ({said})")


def decoded(world, daemon):
    """What the host sees is the function's own configuration space."""
    text = daemon.tool("host", "lspci", "blade", "--dump")[1]
    with tempfile.NamedTemporaryFile("w", dir=world.dir) as file:
        file.write(text)
        file.flush()
        shown = sh("lspci", "-F", file.name, "-nn", "-vv")
    check("[0108]: Red Hat, Inc. Device [1af4:10f2]" in shown and "Function" not in shown[:1] and
          "MSI-X: Enable- Count=" in shown, "lspci decodes it in its place")
    check("device [1af4:10f3]" in shown.lower(), "and the sample beside it")
    function = daemon.facts("function", "show", "disk/vf1")
    check(function["device"] == "present" and function["device_id"] == "1af4:10f2" and
          function["device_class"] == "010802" and function["vectors"] > 0 and not function["guard"],
          "the function says what it is")
    report = daemon.facts("conform", "disk/vf1")
    check(report["failed"] == 0 and report["passed"] > 30, f"it conforms ({report['passed']} assertions)")
    code, text = daemon.tool("conform", "disk/vf1", "--destructive", check_code=False)
    check(code != 0 and "--destructive SOCKET" in text, f"it is not disturbed: {text.strip()}")
    report = daemon.facts("conform", f"{world.dir}/disk.sock", "--destructive")
    check(report["failed"] == 0 and report["passed"] > 60,
          f"its guest's side does, too ({report['passed']} assertions)")


def absent_at_first(world, daemon):
    wait_state(daemon, "absent")
    code, text = daemon.tool("conform", "disk/vf1", check_code=False)
    check(code != 0 and "nobody serves" in text, f"nothing to judge: {text.strip()}")
    done = subprocess.run([world.program("src/prog/midplane"), "pci", "show", f"{world.dir}/disk.sock"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    check(done.returncode != 0, f"a client is told: {done.stdout.strip()}")


def guarded(daemon):
    """A function that polls queues in memory cannot be one that is given none."""
    wait_state(daemon, "refused", "guarded")
    told = [event["text"] for event in daemon.facts("event", "list") if event["kind"] == "device-refused"]
    check(len(told) == 1 and "polls queues" in told[0] and "guard: false" in told[0], f"and says why: {told}")


def killed(world, daemon, back):
    """kill -9 of the process with a client that has mapped pieces of the function."""
    client = subprocess.Popen([world.program("tests/e2e/disk_client"), "nvme", f"{world.dir}/disk.sock", "follow"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        check(client.stdout.readline() == "good\n", "a client reads")
        back.kill()
        wait_state(daemon, "absent")
        check(daemon.facts("system", "show", "near")["ios"][0]["state"] == "absent", "so does its system say")
        back.start()
        wait_state(daemon, "in-service")
    finally:
        client.kill()
        client.wait()
    events = kinds(daemon)
    check({"device-absent", "device-present", "plugged", "unplugged"} <= set(events), "events tell of it")
    check("connect again" in daemon.tool("event", "list")[1], "the client was sent away: its pages are of no use")
    verify(world, 2)


def impatient(world, front):
    """The same site with little patience, from now on."""
    front.stop()
    with open(front.site_path, "w", encoding="utf-8") as out:
        json.dump(front_site(world, PATIENCE_MS), out)
    front.start()
    wait_state(front, "in-service")


def hung(world, daemon, back):
    os.kill(back.process.pid, signal.SIGSTOP)
    try:
        text, took = read(world, "disk", "bar0", "0x1c", "4")
        check("ffff" in text.lower() and took < 10 * PATIENCE_MS / 1000,
              f"a read of a function that hangs ends after {took * 1000:.0f} ms with ones")
        wait_state(daemon, "dead")
        took = []
        while not took or min(took) >= PATIENCE_MS / 1000 and len(took) < ATTEMPTS: # a machine is late now and then
            began = time.monotonic()
            daemon.tool("card", "list")
            took.append(time.monotonic() - began)
        check(min(took) < PATIENCE_MS / 1000, "others are served meanwhile")
    finally:
        os.kill(back.process.pid, signal.SIGCONT)
    wait_state(daemon, "in-service")
    check("device-dead" in kinds(daemon), "an event tells of it")
    for _ in range(ATTEMPTS):
        deaths = kinds(daemon).count("device-dead")
        good, said = verified(world, 3)
        if good or kinds(daemon).count("device-dead") == deaths:
            break
        say(f"  once more: the other daemon did not run for {PATIENCE_MS} ms ({said})")
        wait_state(daemon, "in-service")
    check(good, f"data through both daemons again ({said})")


def pulled(world, daemon):
    daemon.tool("card", "pull", "disk")
    check(state(daemon) == "pulled", "it can be pulled")
    daemon.tool("card", "insert", "disk")
    wait_state(daemon, "in-service")
    verify(world, 4)


def example(world):
    done = subprocess.run([world.program("src/prog/midplane"), "site", "check",
                           os.path.join(SOURCE, "examples/08-external.yaml")])
    check(done.returncode == 0, "examples/08-external.yaml is a good site file")


def body(world):
    example(world)
    front = world.daemon(front_site(world, LONG_MS), name="front")
    absent_at_first(world, front)
    sample = world.process(world.program("src/attach/vfio_sample_server"), f"{world.dir}/model.sock")
    back = world.daemon(back_site(world), name="back")
    wait_state(front, "in-service")
    wait_state(front, "in-service", "sample")
    guarded(front)
    decoded(world, front)
    began = time.monotonic()
    verify(world, 1)
    say(f"  that took {time.monotonic() - began:.1f} s")
    killed(world, front, back)
    pulled(world, front)
    impatient(world, front)
    hung(world, front, back)
    sample.kill()
    wait_state(front, "absent", "sample")
    took = front.stop()
    check(front.process.returncode == 0, f"SIGTERM stops it cleanly ({took * 1000:.0f} ms)")


main("external", body)
