"""Disk cards whose media are not there when the daemon starts: the site runs without them, says why, and takes each in
when it is."""

import json
import os
import subprocess

from mirror import client, events, good, row, wait_for, wait_for_event
from world import check, in_time, main

LOST, TORN, OTHER = "lost", "torn", "other"


def site(world):
    def card(name, path):
        return {"name": name, "class": "disk", "medium": os.path.join(world.dir, path), "size": "64MiB", "vfs": 4}

    def disk(name, pool, attachment="virtio-blk", **more):
        return {"name": name, "pool": pool, "attachment": attachment, "queues": 2, "size": "4MiB",
                "socket": os.path.join(world.dir, name + ".sock"), **more}

    cards = [card("a", "a.img"), card("b", "place/b.img"), card("c", "c.img"), card("d", "d.img")]
    return {"name": f"e2e-{os.getpid()}", "workers": 2,
            "chassis": [{"name": "shelf", "carriers": [{"name": f"carrier-{c['name']}", "cards": [c]} for c in cards]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "pair", "cards": ["a", "b"]}] + [{"name": c, "cards": [c]} for c in "abcd"],
            "groups": [{"name": "both", "pool": "pair", "count": 2, "mode": "1+1", "spread": "carrier"}],
            "systems": [{"name": "s", "host": "blade", "io": [
                disk("fine", "a"), disk("lone", "b"), disk("lone-nvme", "b", "nvme"), disk(TORN, "c"),
                disk(OTHER, "d"), disk("kept", "pair", "nvme", redundancy="both")]}]}


def card(daemon, name):
    return daemon.facts("card", "show", name)


def dead(daemon, name, what):
    facts = card(daemon, name)
    check(facts["state"] == "dead" and facts["medium_access"].startswith("dead: ") and what in facts["medium_access"],
          f"card {name} is dead: {facts['medium_access']}")
    told = [e["text"] for e in events(daemon) if e["kind"] == "dead" and e["object"] == f"card {name}"]
    check(len(told) == 1 and what in told[0], f"which is told once: {told}")


def insert(daemon, name):
    return daemon.tool("card", "insert", name, check_code=False)


def bad_media(world):
    with open(os.path.join(world.dir, "c.img"), "wb") as image:
        image.write(b"somebody else's" * 1000)
        image.truncate(64 << 20)
    with open(os.path.join(world.dir, "d.img"), "wb") as image:
        image.truncate(32 << 20)


def starts(world, daemon):
    """Each of the four ways to be without."""
    dead(daemon, "b", "make its directory")
    dead(daemon, "c", "table")
    dead(daemon, "d", "has 33554432 bytes, the site file says 67108864")
    check(card(daemon, "a")["state"] == "in-service", "the card with a medium serves")
    good(world, "fine", "virtio-blk", "verify", "1")
    for name in ("lone", "lone-nvme"):
        facts = row(daemon, name)
        check(facts["state"] == "away" and "insert b" in facts["stopped"] and "No such file" in facts["stopped"],
              f"{name} is away: {facts['stopped']}")
    for name, kind in (("lone", "virtio-blk"), ("lone-nvme", "nvme")):
        told = client(world, name, kind, "compare", "1")
        check(told[0] == 1 or "commands=0 " in told[1], f"a driver of {name} finds no disk: {told}")
    facts = row(daemon)
    check(facts["mirror"] == "away" and "card 'b'" in facts["mirror_text"],
          f"a mirror that never began waits: {facts['mirror_text']}")


def comes(world, daemon):
    """What is wrong is mended, one after the other."""
    code, text = insert(daemon, "b")
    check(code == 1 and "make its directory" in text, f"not yet: {text.strip()}")
    check(card(daemon, "b")["state"] == "dead", "it is dead as before")
    os.mkdir(os.path.join(world.dir, "place"))
    code, text = insert(daemon, "b")
    check(code == 0 and card(daemon, "b")["state"] == "in-service", f"it is there: {text.strip()}")
    good(world, "lone", "virtio-blk", "verify", "2")
    good(world, "lone-nvme", "nvme", "verify", "3")
    wait_for(daemon, "mirrored")
    good(world, "kept", "nvme", "fill", "4")
    code, text = insert(daemon, "b")
    check(code == 1 and "is not pulled" in text, "once is enough")
    code, text = insert(daemon, "c")
    check(code == 1 and "table" in text, f"nobody's data is written over: {text.strip()}")
    for name, io in (("c", TORN), ("d", OTHER)):
        os.unlink(os.path.join(world.dir, name + ".img"))
        code, text = insert(daemon, name)
        check(code == 0 and card(daemon, name)["state"] == "in-service", f"card {name} is there, too")
        good(world, io, "virtio-blk", "verify", "5")
    daemon.tool("card", "pull", "b")
    daemon.tool("card", "insert", "b")
    wait_for(daemon, "mirrored")
    good(world, "lone", "virtio-blk", "fill", "6")


def degraded(world, daemon):
    """A mirror that knows that it was alone runs; what it missed is copied when the other is there."""
    place = os.path.join(world.dir, "place")
    daemon.tool("card", "pull", "b")
    good(world, "kept", "nvme", "fill", "7")
    daemon.stop()
    os.rename(place, place + ".away")
    daemon.start()
    facts = row(daemon)
    check(facts["mirror"] == "degraded" and "card 'a' serves alone" in facts["mirror_text"] and
          "medium of card 'b' is dead" in facts["mirror_text"], f"it runs: {facts['mirror_text']}")
    good(world, "kept", "nvme", "compare", "7")
    taker = subprocess.run([world.program("src/prog/midplaned"), "--socket", daemon.socket, "--take-over",
                            daemon.site_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    said = next((line for line in taker.stdout.splitlines() if "pull the card" in line), "")
    check(taker.returncode == 4 and "the medium of card 'b' is dead" in said, f"nobody takes it over as it is: {said}")
    in_time(lambda: os.path.exists(os.path.join(world.dir, "kept.sock"))) # the first one builds it again
    wait_for(daemon, "degraded")
    good(world, "kept", "nvme", "compare", "7")
    os.rename(place + ".away", place)
    daemon.tool("card", "insert", "b")
    wait_for(daemon, "mirrored")
    daemon.tool("card", "pull", "a")
    good(world, "kept", "nvme", "compare", "7")
    good(world, "lone", "virtio-blk", "compare", "6")
    daemon.tool("card", "insert", "a")
    wait_for(daemon, "mirrored")


def undecided(world, daemon):
    """One that cannot know which half is the newer one waits for the operator."""
    place = os.path.join(world.dir, "place")
    good(world, "kept", "nvme", "fill", "8")
    daemon.stop()
    os.rename(place, place + ".away")
    daemon.start()
    check(row(daemon)["mirror"] == "away" and client(world, "kept", "nvme", "compare", "8")[0] == 1,
          f"it waits: {row(daemon)['mirror_text']}")
    code, text = daemon.tool("system", "force", "s", "--io", "kept", "--card", "a", "--give-up", check_code=False)
    check(code == 0, f"the operator decides: {text.strip()}")
    check(row(daemon)["mirror"] == "degraded" and wait_for_event(daemon, "mirror-forced", 0), "it serves")
    good(world, "kept", "nvme", "compare", "8")
    os.rename(place + ".away", place)
    daemon.tool("card", "insert", "b")
    wait_for(daemon, "mirrored")
    daemon.tool("card", "pull", "a")
    good(world, "kept", "nvme", "compare", "8")
    daemon.stop()


def failing(world):
    """A medium that goes on, with errors: its file is cut under the daemon and made whole again."""
    image = os.path.join(world.dir, "cut.img")
    made = {"name": f"cut-{os.getpid()}", "workers": 1,
            "chassis": [{"name": "shelf", "carriers": [{"name": "carrier", "cards": [
                {"name": "a", "class": "disk", "medium": image, "size": "16MiB", "vfs": 1}]}]}],
            "hosts": [{"name": "blade", "chassis": "shelf"}], "pools": [{"name": "all", "cards": ["a"]}],
            "systems": [{"name": "s", "host": "blade", "io": [
                {"name": "cut", "pool": "all", "attachment": "virtio-blk", "size": "4MiB",
                 "socket": os.path.join(world.dir, "cut.sock")}]}]}
    daemon = world.daemon(made, name="cutting")
    good(world, "cut", "virtio-blk", "fill", "8")
    facts = card(daemon, "a")
    check(facts["medium_errors"] == 0 and facts["medium_last_error"] == "", "a medium without errors")
    os.truncate(image, 65536)
    check(client(world, "cut", "virtio-blk", "compare", "8")[0] == 1, "a file that was cut gives errors")
    facts = card(daemon, "a")
    check(facts["medium_errors"] > 0 and facts["medium_last_error"] == "read: the file was cut" and
          facts["state"] == "in-service", f"its card counts {facts['medium_errors']}: {facts['medium_last_error']}")
    told = lambda: [e["text"] for e in events(daemon) if e["kind"] == "medium-error" and e["object"] == "card a"]
    check(in_time(told) and "commands, the last a read: the file was cut" in told()[0], f"that is told: {told()}")
    os.truncate(image, 16 << 20)
    good(world, "cut", "virtio-blk", "fill", "9")
    good(world, "cut", "virtio-blk", "compare", "9")
    daemon.stop()


def body(world):
    bad_media(world)
    path = os.path.join(world.dir, "checked.yaml")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(site(world), out)
    check(subprocess.run([world.program("src/prog/midplane"), "site", "check", path]).returncode == 0,
          "media are no matter of the site file")
    daemon = world.daemon(site(world))
    starts(world, daemon)
    comes(world, daemon)
    degraded(world, daemon)
    undecided(world, daemon)
    failing(world)


if __name__ == "__main__":
    main("media", body)
