"""Failures that come together, in any order: each ends with every interface on a card that works.

Containers on TAP functions of two cards in a group, and a far end behind both lines.
"""

import random
import re
import threading
import time

from sites import TwoLines, mac, site, vhost
from world import check, in_time, main, say

STORM_S = 4.0
FLAPS, FLAP_S = 60, 0.05
# A wait that no test lasts; flaps within it; and a wait that one does.
LONG_WAIT_S, WAITING_FLAPS, SHORT_WAIT_S = 3600, 10, 2
# Systems with figures of their own, how many of them are told of one by one, and the rest after a calculation.
FIGURES, TOLD_MOST, REST_S = 12, 8, 5
# What an operator may be told when others act at the same time.
MAY_REFUSE = ("already", "is not pulled", "cannot take it")


def tap(space, number, **more):
    return {"name": f"box{number}", "host": "blade",
            "io": [{"name": "net0", "pool": "all", "attachment": "tap", "interface": "net0",
                    "netns": space.name, "mac": mac(number), **more}]}


class Shelf:
    def __init__(self, world):
        self.net = TwoLines(world)
        self.boxes = [world.namespace(f"box{i}") for i in (1, 2, 3)]
        self.world = world
        self.start()

    def start(self, wait_s=0):
        systems = [tap(self.boxes[0], 1, mirror_to="box3/net0"),
                   tap(self.boxes[1], 2, spoof_check=False), tap(self.boxes[2], 3)]
        made = site(self.world, self.net.lines, systems, redundant=True, wait_s=wait_s, workers=2)
        self.daemon = self.world.daemon(made, namespace=self.net.chassis, name=f"wait{wait_s}")
        for number, box in enumerate(self.boxes, 1):
            box.address("net0", f"10.77.0.{number}/24")

    def restart(self, wait_s):
        self.daemon.stop()
        self.start(wait_s)

        self.seen = 0

    def comes_home(self):
        """All are on nic0, wherever the start put them: it is in service, and inserted to switch back.  Events count
        from here."""
        for card in ("nic0", "nic1"):
            check(in_time(lambda: self.daemon.facts("card", "show", card)["state"] == "in-service"),
                  f"{card} is in service")
        self.tool("card", "pull", "nic0")
        self.tool("card", "insert", "nic0", "--switch-back")
        self.serves("at first", "nic0")
        self.seen = self.daemon.facts("event", "list")[-1]["id"]

    def events(self, kind, about=""):
        return [event for event in self.daemon.facts("event", "list") if event["id"] > self.seen
                and event["kind"] == kind and event["object"].startswith(about)]

    def link(self, state):
        """Of the line of nic0; returns when the daemon has seen it."""
        self.net.link(0, state)
        wanted = "in-service" if state == "up" else "line-down"
        check(in_time(lambda: self.daemon.facts("card", "show", "nic0")["state"] == wanted),
              f"the line of nic0 is {state}")

    def waits_s(self):
        """How long interfaces still wait to go back to nic0; None: none does."""
        members = {row["card"]: row for row in self.daemon.facts("group", "show", "pair")["members"]}
        check(members["nic1"]["wait_left_s"] is None, "nobody waits for the standby")
        return members["nic0"]["wait_left_s"]

    def tool(self, *words, **more):
        return self.daemon.tool(*words, **more)

    def on(self, card):
        """Whether all interfaces are on 'card'."""
        return all(row["cards"] == [card] for row in self.daemon.facts("system", "list"))

    def serves(self, when, card):
        check(in_time(lambda: self.on(card)), f"{when}: all interfaces are on {card}")
        for to in (self.net.far_address, "10.77.0.2"):
            check(self.boxes[0].lost_pings(to, 5) == 0, f"{when}: box1 reaches {to}")

    def carrier(self):
        return "NO-CARRIER" not in self.boxes[0].link("net0")["flags"]

    def carrier_changes(self):
        shown = self.boxes[0].run("ip -j -s -s link show dev net0")
        return int(re.search(r'"carrier_changes":(\d+)', shown)[1])

    def rests(self):
        """Both cards in, and their lines up, whatever was before."""
        self.net.link(0, "up")
        for card in ("nic0", "nic1"):
            self.tool("card", "insert", card, check_code=False)


def deaths(shelf):
    shelf.tool("card", "hang", "nic0")
    shelf.tool("card", "pull", "nic0")
    shelf.serves("pulled while its driver hangs", "nic1")
    shelf.tool("card", "hang", "nic0", "--off")
    shelf.tool("card", "insert", "nic0")
    shelf.serves("well again and inserted", "nic0")
    shelf.tool("card", "hang", "nic0")
    shelf.serves("dead", "nic1")
    code, said = shelf.tool("card", "insert", "nic0", check_code=False)
    check(code != 0 and "it is dead" in said, "a dead card that was not pulled cannot be inserted")
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "insert", "nic0")
    shelf.serves("inserted while its driver hangs", "nic1")
    shelf.tool("card", "hang", "nic0", "--off")
    shelf.serves("well again", "nic0")


def both_gone(shelf):
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "pull", "nic1")
    check(in_time(lambda: not shelf.carrier()), "both cards pulled: the link is down, and only then")
    shelf.tool("card", "insert", "nic1")
    shelf.serves("the second one is back", "nic1")
    shelf.tool("card", "insert", "nic0", "--no-switch-back")
    shelf.serves("the first one is back without switching back", "nic1")
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "insert", "nic0", "--switch-back")
    shelf.serves("the first one is back with switching back", "nic0")


# A container whose own stations are behind its function: frames from so many addresses.
STATIONS = 200
SPEAK = f"""
import socket
line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
line.bind(("net0", 0))
for n in range({STATIONS}):
    line.send(b"\\xff" * 6 + b"\\x02\\0\\0\\0\\x09" + bytes([n]) + b"\\x88\\xb5" + bytes(46))
"""


def told_at(shelf, line):
    """How many stations the switch behind the lines takes to be on this one, and whether box2 is."""
    known = shelf.net.far.run(f"bridge fdb show brport far{line} dynamic")
    return len(re.findall(r"02:00:00:00:09:", known)), mac(2) in known


def announced(shelf):
    """Nobody sends a frame: what the switch outside knows is what the daemon told it."""
    shelf.boxes[1].run(f"python3 -c '{SPEAK}'")
    check(in_time(lambda: told_at(shelf, 0)[0] == STATIONS), f"{STATIONS} stations are known to be on line 0")
    shelf.tool("card", "pull", "nic0")
    check(in_time(lambda: told_at(shelf, 1) == (STATIONS, True)), "after a pull all of them are known to be on line 1")
    check(told_at(shelf, 0) == (0, False), "and none on line 0")
    rows = [row for row in shelf.daemon.facts("card", "fdb", "nic1") if row["mac"].startswith("02:00:00:00:09:")]
    check(len(rows) == STATIONS, "the standby card has learned them all")
    shelf.tool("card", "insert", "nic0")
    check(in_time(lambda: told_at(shelf, 0) == (STATIONS, True)), "after the return all are on line 0 again")


def operator(shelf, seed, until, surprises):
    draw = random.Random(seed)
    acts = [("card", verb, card) for verb in ("pull", "insert") for card in ("nic0", "nic1")]
    acts += [("card", "insert", "nic0", "--no-switch-back"),
             ("system", "switch", "box1", "--io", "net0", "--card", "nic1")]
    while time.monotonic() < until:
        act = draw.choice(acts)
        code, said = shelf.tool(*act, check_code=False)
        if code and not any(words in said for words in MAY_REFUSE):
            surprises.append((act, code, said))


def storm(shelf):
    seed = random.randrange(1 << 32)
    say(f"  seed {seed}")
    until, surprises = time.monotonic() + STORM_S, []
    operators = [threading.Thread(target=operator, args=(shelf, seed + n, until, surprises)) for n in range(3)]
    for one in operators:
        one.start()
    while time.monotonic() < until:
        for state in ("down", "up"):
            shelf.net.link(0, state)
            time.sleep(FLAP_S / 2)
    for one in operators:
        one.join()
    check(not surprises, f"nothing but what others did is in the way of an operator {surprises[:2] or ''}")
    shelf.rests()
    check(in_time(lambda: not any(card["state"] != "in-service" for card in shelf.daemon.facts("card", "list"))),
          "after all that both cards are in service")
    shelf.tool("card", "pull", "nic1")
    shelf.tool("card", "insert", "nic1")
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "insert", "nic0", "--switch-back")
    shelf.serves("after all that", "nic0")


def flaps(shelf):
    changes = shelf.carrier_changes()
    for _ in range(FLAPS):
        for state in ("down", "up"):
            shelf.net.link(0, state)
            time.sleep(FLAP_S / 2)
    shelf.serves(f"after {FLAPS} flaps of its line", "nic0")
    check(shelf.carrier_changes() == changes, "the container saw no link change of its own")


def availability(world):
    """What a pull does to the figures of more systems than have an event each; and of a card that flaps."""
    systems = [vhost(world, f"s{number:02}", number, redundancy="apart") for number in range(1, FIGURES + 1)]
    made = site(world, ["net_null0", "net_null1"], systems, workers=2, vfs=FIGURES + 4,
                groups=[{"name": "apart", "cards": ["nic0", "nic1"], "mode": "1+1"}])
    daemon = world.daemon(made, name="figures")
    began = time.monotonic()

    def told():
        return [event for event in daemon.facts("event", "list") if event["kind"] == "availability"]

    def figures(out):
        shown = daemon.facts("avail", "show", "site")
        return shown["cards_out"] == out and not shown["calculating"] and shown
    check(in_time(lambda: figures([])), "the availability is calculated")
    check(told() == [], "which is no news")
    daemon.tool("card", "pull", "nic0")
    check(in_time(lambda: figures(["nic0"])), "and again when a card is out")
    shown = figures(["nic0"])
    now, design = shown["minutes_a_year_now"], shown["minutes_a_year"]
    check(now > 1.5 * design, f"the site is out {now:.4g} minutes a year now, {design:.4g} by design")
    objects = [event["object"] for event in told()]
    check(objects == [f"system s{number:02}" for number in range(1, TOLD_MOST + 1)] + ["site"],
          f"{TOLD_MOST} systems are told of, the others together: {objects}")
    check(f"{FIGURES - TOLD_MOST} more systems" in told()[-1]["text"], told()[-1]["text"])
    for _ in range(FLAPS // 2):
        daemon.tool("card", "insert", "nic0")
        daemon.tool("card", "pull", "nic0")
    daemon.tool("card", "insert", "nic0")
    check(in_time(lambda: figures([])), "the last news counts")
    shown = figures([])
    check(shown["minutes_a_year_now"] == shown["minutes_a_year"], "all is well")
    most = (TOLD_MOST + 1) * (2 + (time.monotonic() - began) / REST_S)
    check(len(told()) <= most, f"{len(told())} events of {FLAPS // 2} flaps, {most:.0f} at most")
    daemon.stop()


def mirror_gone(shelf):
    before = shelf.daemon.facts("function", "show", "nic0/vf3")["rx_frames"]
    shelf.serves("mirrored", "nic0")
    check(shelf.daemon.facts("function", "show", "nic0/vf3")["rx_frames"] > before, "the mirror gets copies")
    shelf.boxes[2].run("ip link del net0")
    shelf.serves("its mirror is gone", "nic0")
    check(shelf.daemon.facts("function", "show", "nic0/vf1")["dropped"] == 0, "a mirror that is gone drops nothing")


def flaps_and_waits(shelf):
    shelf.restart(LONG_WAIT_S)
    shelf.comes_home()
    check(shelf.daemon.facts("group", "show", "pair")["wait_to_restore_s"] == LONG_WAIT_S, "the group shows its wait")
    check(shelf.waits_s() is None, "nobody waits for a card that was well all the time")
    for _ in range(WAITING_FLAPS):
        shelf.link("down")
        check(shelf.waits_s() is None, "a card that failed again is not waited for")
        shelf.link("up")
        check(0 < shelf.waits_s() <= LONG_WAIT_S, "its return begins the wait anew")
    shelf.serves(f"after {WAITING_FLAPS} flaps within the wait", "nic1")
    moves = [event["object"] for event in shelf.events("moved")]
    check(sorted(moves) == [f"system box{n}/net0" for n in (1, 2, 3)], f"each interface moved once: {moves}")
    check(len(shelf.events("line-down")) == WAITING_FLAPS, f"while the line flapped {WAITING_FLAPS} times")
    check(len(shelf.events("waiting", "group pair")) == 1, "and the wait was told once")
    shelf.tool("system", "switch", "box1", "--io", "net0", "--card", "nic0")
    cards = [row["cards"] for row in shelf.daemon.facts("system", "list")]
    check(cards == [["nic0"], ["nic1"], ["nic1"]], f"the operator moves one and need not wait: {cards}")
    check(shelf.waits_s() > 0, "the others do")
    shelf.tool("card", "pull", "nic1")
    check(shelf.on("nic0"), "a standby that fails is left at once")
    check(shelf.waits_s() is None, "and there is nothing to wait for")
    shelf.tool("card", "insert", "nic1")


def inserts_and_waits(shelf):
    told = len(shelf.events("waiting"))
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "insert", "nic0")
    check(shelf.on("nic1") and shelf.waits_s() > 0, "a card that is inserted is waited for")
    check(len(shelf.events("waiting")) == told + 1, "which is told")
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "insert", "nic0", "--no-switch-back")
    check(shelf.on("nic1") and shelf.waits_s() is None, "unless the operator wants them to stay")
    shelf.tool("card", "pull", "nic0")
    shelf.tool("card", "insert", "nic0", "--switch-back")
    check(shelf.on("nic0") and shelf.waits_s() is None, "or to go back now")
    check(not shelf.events("restored"), "no wait came to its end so far")


def waits_and_goes_back(shelf):
    shelf.restart(SHORT_WAIT_S)
    shelf.comes_home()
    shelf.link("down")
    began = time.monotonic() # before the daemon can know of the link
    shelf.link("up")
    check(in_time(lambda: shelf.on("nic0")), "interfaces go back after the wait")
    waited_s = time.monotonic() - began
    check(waited_s >= SHORT_WAIT_S, f"and not before it: {waited_s:.2f} s")
    check(in_time(lambda: len(shelf.events("restored", "group pair")) == 1), "which is told")
    check(len(shelf.events("moved")) == 2 * len(shelf.boxes), "each moved away once and back once")
    shelf.serves("after the wait", "nic0")


def workers(world):
    """Three cards and two workers: in turns, both cards of the group would have the same."""
    made = site(world, [f"net_null{i}" for i in range(3)], [vhost(world, "a", 1, redundancy="apart")],
                workers=2, groups=[{"name": "apart", "cards": ["nic0", "nic2"], "mode": "1+1"}])
    daemon = world.daemon(made, name="workers")
    daemon.tool("card", "hang", "nic0")
    check(in_time(lambda: daemon.facts("card", "show", "nic0")["state"] == "dead"), "a worker hangs")
    check(daemon.facts("card", "show", "nic2")["state"] == "in-service", "the standby has another worker")
    kinds = [event["kind"] for event in daemon.facts("event", "list")]
    check("moved" in kinds and "unplugged" not in kinds, "its interface moved, and was never without a card")
    daemon.tool("card", "hang", "nic0", "--off")
    daemon.stop()
    made["workers"] = 1
    daemon = world.daemon(made, name="worker")
    check("group=apart cards=nic0,nic2" in daemon.log(), "with one worker alone the daemon warns")
    daemon.stop()


def body(world):
    workers(world)
    availability(world)
    shelf = Shelf(world)
    shelf.serves("at first", "nic0")
    announced(shelf)
    deaths(shelf)
    both_gone(shelf)
    flaps(shelf)
    storm(shelf)
    flaps_and_waits(shelf)
    inserts_and_waits(shelf)
    waits_and_goes_back(shelf)
    mirror_gone(shelf)
    check(shelf.daemon.process.poll() is None, "the daemon runs")


main("card_sequences", body)
