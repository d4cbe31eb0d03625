"""Site files and networks that several end-to-end tests share."""

import os
import signal
import time


def mac(number):
    return f"52:54:00:00:01:{number:02x}"


def vhost(world, name, number, **more):
    """A system with one vhost-user interface; its socket is <name>.sock in the test's directory."""
    io = {"name": "net0", "pool": "all", "attachment": "vhost-user",
          "socket": os.path.join(world.dir, name + ".sock"), "mac": mac(number), **more}
    return {"name": name, "host": "blade", "io": [io]}


def vfio(world, name, number, **more):
    """The same as a whole PCI function, on the same kind of socket."""
    return vhost(world, name, number, attachment="vfio-user", **more)


def site(world, lines, systems, redundant=False, revert=True, wait_s=0, vfs=8, **more):
    """One chassis with a carrier and a NIC card a line port, and what the systems ask for.

    lines      DPDK device strings; the cards are nic0, nic1...
    redundant  the first two cards are the 1+1 group "pair"; every interface is in it
    revert     interfaces prefer nic0; without it they are spread over both cards
    wait_s     they go back to it when it has been well for so long
    vfs        functions of each card
    """
    carriers = [{"name": f"carrier{i}",
                 "cards": [{"name": f"nic{i}", "class": "nic", "vfs": vfs, "line": line}]}
                for i, line in enumerate(lines)]
    made = {"name": f"e2e-{os.getpid()}",
            "chassis": [{"name": "shelf", "carriers": carriers}],
            "hosts": [{"name": "blade", "chassis": "shelf"}],
            "pools": [{"name": "all", "cards": [f"nic{i}" for i in range(len(lines))]}],
            "systems": systems, **more}
    if redundant:
        made["groups"] = [{"name": "pair", "cards": ["nic0", "nic1"], "mode": "1+1",
                           "spread": "carrier", "revert": revert, "wait_to_restore_s": wait_s}]
        for system in systems:
            for io in system["io"]:
                io["redundancy"] = "pair"
    return made


def packet_port(number, interface):
    return f"net_af_packet{number},iface={interface}"


class OneLine:
    """A chassis with one line port, and a namespace "far" behind it with address 10.77.0.100."""

    far_address = "10.77.0.100"

    def __init__(self, world):
        self.chassis = world.namespace("chassis")
        self.far = world.namespace("far")
        self.chassis.wire("line0", self.far, "far0")
        self.far.address("far0", self.far_address + "/24")
        self.lines = [packet_port(0, "line0")]


class TwoLines:
    """A chassis with two line ports that lead into one switch; behind it, 10.77.0.100.

    Taking far0 or far1 down is losing the link of line0 or line1.
    """

    far_address = "10.77.0.100"

    def __init__(self, world, suffix=""):
        self.chassis = world.namespace("chassis" + suffix)
        self.far = world.namespace("far" + suffix)
        for i in range(2):
            self.connect(world, i)
        self.far.bridge("switch", ["far0", "far1"])
        self.far.address("switch", self.far_address + "/24")
        self.lines = [packet_port(i, f"line{i}") for i in range(2)]

    def connect(self, world, line):
        self.chassis.wire(f"line{line}", self.far, f"far{line}")

    def link(self, line, state):
        """Seconds that the kernel took: it waits for its network lock."""
        began = time.monotonic()
        self.far.run(f"ip link set far{line} {state}")
        return time.monotonic() - began


class TwoCables(TwoLines):
    """The same with cables that can be cut (tests/e2e/cable.c): no frame passes from then on, and
    both ends lose their carrier at once."""

    # Linux tells of a lost carrier at once when it has told of none in the second before.
    QUIET_S = 1.2

    def __init__(self, world, suffix=""):
        self.cables = []
        super().__init__(world, suffix)

    def connect(self, world, line):
        cable = world.process(world.program("tests/e2e/cable"), self.chassis.name, f"line{line}",
                              self.far.name, f"far{line}", preferred=True)
        world.wait_for_output(cable, "up\n")
        self.cables.append(cable)
        self.chassis.run(f"ip link set line{line} up")
        self.far.run(f"ip link set far{line} up")

    def cut(self, line):
        self.cables[line].send_signal(signal.SIGUSR1)

    def mend(self, line):
        self.cables[line].send_signal(signal.SIGUSR2)
        time.sleep(self.QUIET_S)
