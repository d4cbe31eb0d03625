#!/usr/bin/env python3
"""Lets nvme-cli decode what our controllers answer,
and compares with what the standard says of those bytes and with
what the server was told to present.

Usage: judge_nvme_cli.py BRIDGE SERVER    77: there is no nvme-cli here (skipped)"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

MIB = 64
BLOCKS = MIB * 2048
checks = failures = 0

# NVM Express Base Specification 2.0, figure 275 (Identify Controller): first byte and bytes of each field.
CONTROLLER = {
    "vid": (0, 2), "ssvid": (2, 2), "rab": (72, 1), "ieee": (73, 3), "cmic": (76, 1), "mdts": (77, 1),
    "cntlid": (78, 2),
    "ver": (80, 4), "rtd3r": (84, 4), "rtd3e": (88, 4), "oaes": (92, 4), "ctratt": (96, 4), "rrls": (100, 2),
    "cntrltype": (111, 1), "oacs": (256, 2), "acl": (258, 1), "aerl": (259, 1), "frmw": (260, 1), "lpa": (261, 1),
    "elpe": (262, 1), "npss": (263, 1), "avscc": (264, 1), "apsta": (265, 1), "wctemp": (266, 2), "cctemp": (268,
    2),
    "mtfa": (270, 2), "hmpre": (272, 4), "hmmin": (276, 4), "tnvmcap": (280, 16), "unvmcap": (296, 16),
    "rpmbs": (312, 4),
    "edstt": (316, 2), "dsto": (318, 1), "fwug": (319, 1), "kas": (320, 2), "hctma": (322, 2), "sanicap": (328, 4),
    "nsetidmax": (338, 2), "sqes": (512, 1), "cqes": (513, 1), "maxcmd": (514, 2), "nn": (516, 4), "oncs": (520, 2),
    "fuses": (522, 2), "fna": (524, 1), "vwc": (525, 1), "awun": (526, 2), "awupf": (528, 2), "icsvscc": (530, 1),
    "nwpc": (531, 1), "acwu": (532, 2), "sgls": (536, 4), "mnan": (540, 4),
}
# NVM Command Set Specification 1.0, figure 97 (Identify Namespace).
NAMESPACE = {
    "nsze": (0, 8), "ncap": (8, 8), "nuse": (16, 8), "nsfeat": (24, 1), "nlbaf": (25, 1), "flbas": (26, 1),
    "mc": (27, 1),
    "dpc": (28, 1), "dps": (29, 1), "nmic": (30, 1), "rescap": (31, 1), "fpi": (32, 1), "dlfeat": (33, 1),
    "nawun": (34, 2),
    "nawupf": (36, 2), "nacwu": (38, 2), "nabsn": (40, 2), "nabo": (42, 2), "nabspf": (44, 2), "noiob": (46, 2),
    "nvmcap": (48, 16), "npwg": (64, 2), "npwa": (66, 2), "npdg": (68, 2), "npda": (70, 2), "nows": (72, 2),
    "anagrpid": (92, 4), "nsattr": (99, 1), "nvmsetid": (100, 2), "endgid": (102, 2),
}
# What tests/vfio_sample/vfio_disk_server.c presents.
PRESENTED = {
    "vid": 0x1af4, "ssvid": 0x1af4, "sn": "MP0001", "mn": "midplane disk", "fr": "1.0", "cntlid": 0,
    "ver": 0x20000, "mdts": 8,
    "cntrltype": 1, "tnvmcap": MIB << 20, "unvmcap": 0, "sqes": 0x66, "cqes": 0x44, "nn": 64, "mnan": 64,
    "oacs": 0x182,      # Format NVM, Virtualization Management, Doorbell Buffer Config
    "oncs": 0xed,       # Compare, Dataset Management, Write Zeroes, Reservations, Timestamp, Verify
    "fuses": 1, "vwc": 7, "subnqn": "nqn.2026-01.org.midplane:disk",
    "cmic": 2,          # several controllers in the subsystem
    "sanicap": 0x40000006, "lpa": 0x26, "sgls": 0x50001,
}
SPACE = {"nsze": BLOCKS, "ncap": BLOCKS, "nuse": BLOCKS, "nlbaf": 1, "flbas": 0, "nmic": 0, "rescap": 0xfe,
       "dlfeat": 8,
         "nvmcap": MIB << 20, "nguid": "4d500100" + "0" * 24, "eui64": "0" * 16}
SECONDARY = {"primary-controller-identifier": 0, "secondary-controller-state": 0, "num-virtual-queues": 0,
             "num-virtual-interrupts": 0}
FEATURES = [
    (1, r"Arbitration Burst.*No limit"), (2, r"Power State.*: 0"), (4, r"70\S*C \(343 Kelvin\)"),
    (6, r"Volatile Write Cache Enable.*Enabled"), (7, r"Completion Queues Allocated.*: 4[\s\S]*Submission.*: 4"),
    (11, r"Namespace Attribute Notices"), (0x16, r"0x16"),
]


def expect(what, seen, wanted):
    global checks, failures
    checks += 1
    if seen != wanted:
        failures += 1
        print(f"FAILED: {what}: nvme-cli says {seen!r}, presented is {wanted!r}")


class Controller:
    def __init__(self, bridge, socket):
        self.environment = {**os.environ, "NVME_BRIDGE": socket, "LD_PRELOAD": bridge}

    def run(self, *words, data=None):
        """nvme WORDS: its code, and what it says."""
        done = subprocess.run(["nvme", *words], env=self.environment, input=data, capture_output=True, timeout=200)
        if done.returncode == 99:
            sys.exit(done.stderr.decode())
        return done.returncode, done.stdout, done.stderr.decode()

    def json(self, verb, *words):
        code, said, complaint = self.run(verb, "/dev/nvme0", *words, "-o", "json")
        if code:
            sys.exit(f"nvme {verb} ends with {code}: {complaint}")
        return json.loads(said)

    def raw(self, verb, *words):
        return self.run(verb, "/dev/nvme0", *words, "--raw-binary")[1]


def compare(what, said, raw, fields, presented):
    for name, (first, size) in fields.items():
        expect(f"{what} {name}", int(said[name]), int.from_bytes(raw[first:first + size], "little"))
    for name, wanted in presented.items():
        seen = said[name]
        expect(f"{what} {name}", int(seen) if isinstance(wanted, int) else seen.strip(), wanted)


def identify(c):
    said, raw = c.json("id-ctrl"), c.raw("id-ctrl")
    expect("bytes of Identify Controller", len(raw), 4096)
    compare("id-ctrl", said, raw, CONTROLLER, PRESENTED)
    expect("power state 0", said["psds"][0]["max_power"], 2500)
    said, raw = c.json("id-ns", "-n", "1"), c.raw("id-ns", "-n", "1")
    compare("id-ns", said, raw, NAMESPACE, SPACE)
    expect("LBA formats", [f["ds"] for f in said["lbafs"]], [9, 12])
    expect("descriptors", [(d["type"], d.get("nguid", d.get("csi"))) for d in c.json("ns-descs", "-n",
           "1")["ns-descs"]],
           [("nguid", SPACE["nguid"]), ("csi", "0")] )
    expect("independent", {k: v for k, v in c.json("cmdset-ind-id-ns", "-n", "1").items() if v},
           {"rescap": 0xfe, "nstat": 1})
    expect("NVM command set", set(c.json("nvm-id-ctrl").values()), {0})
    for words in ((), ("--all",)):
        expect("namespaces", c.json("list-ns", *words)["nsid_list"], [{"nsid": 1}])
    expect("controllers", [x["ctrl_id"] for x in c.json("list-ctrl")["ctrl_list"]], [0, 1, 2])
    expect("controllers of namespace 1", [x["ctrl_id"] for x in c.json("list-ctrl", "-n", "1")["ctrl_list"]], [0])


def virtual(c):
    """Virtualization enhancements: two secondary controllers of two I/O queues and three vectors each."""
    expect("primary-ctrl-caps", c.json("primary-ctrl-caps"),
           {"cntlid": 0, "portid": 0, "crt": 3, "vqfrt": 6, "vqrfa": 0, "vqrfap": 0, "vqprt": 5, "vqfrsm": 3,
                  "vqgran": 1,
            "vifrt": 6, "virfa": 0, "virfap": 0, "viprt": 5, "vifrsm": 3, "vigran": 1})
    entry = [{**SECONDARY, "secondary-controller-identifier": n, "virtual-function-number": n} for n in (1, 2)]
    expect("list-secondary", c.json("list-secondary"), {"num": 2, "secondary-controllers": entry})
    for words in (("-r", "0", "-a", "8", "-n", "2"), ("-r", "1", "-a", "8", "-n", "2"), ("-a", "9",)):
        code, said, complaint = c.run("virt-mgmt", "/dev/nvme0", "-c", "1", *words)
        expect(f"virt-mgmt {' '.join(words)} ({complaint.strip()})", code, 0)
    entry[0].update({"secondary-controller-state": 1, "num-virtual-queues": 2, "num-virtual-interrupts": 2})
    expect("list-secondary", c.json("list-secondary")["secondary-controllers"], entry)
    said = c.json("primary-ctrl-caps")
    expect("resources that are lent", (said["vqrfa"], said["virfa"]), (2, 2))
    code, _, complaint = c.run("virt-mgmt", "/dev/nvme0", "-c", "2", "-r", "0", "-a", "8", "-n", "9")
    expect("more than there are", (code != 0, "Invalid Number of Controller Resources" in complaint), (True, True))


def logs(c):
    said, raw = c.json("smart-log"), c.raw("smart-log")
    expect("temperature", (said["temperature"], said["avail_spare"], said["spare_thresh"]), (303, 100, 10))
    expect("power cycles", int(said["power_cycles"]), int.from_bytes(raw[112:128], "little") - 1) # one process each
    expect("error entries", len(c.json("error-log", "-e", "3")["errors"]), 3)
    code, _, complaint = c.run("self-test-log", "/dev/nvme0")
    expect("a log page that there is not", "Invalid Log Page" in complaint, True)
    firmware = c.json("fw-log")["nvme0"]
    expect("firmware", (firmware["Active Firmware Slot (afi)"], "1.0" in firmware["Firmware Rev Slot 1"]), (1,
           True))
    sanitize = c.json("sanitize-log")["nvme0"]
    expect("sanitize", (sanitize["sprog"], "never been sanitized" in sanitize["sstat"]["status"]), (65535, True))
    expect("changed namespaces", c.json("changed-ns-list-log")["nvme0"], {})
    fids = {int(name[4:]) for row in c.json("fid-support-effects-log")["fid_support"] for name in row}
    expect("feature identifiers", fids, {1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 14, 22, 129, 130, 131})
    _, said, _ = c.run("supported-log-pages", "/dev/nvme0")
    pages = {int(page, 16) for page in re.findall(rb"^0x([0-9a-f]+) ", said, re.M)} or \
            {int(page, 16) for page in re.findall(rb"LID 0x([0-9a-f]+)", said)}
    expect(f"log pages of {said!r}", pages >= {0, 1, 2, 3, 4, 5, 0x80, 0x81}, True)


def features(c):
    for feature, pattern in FEATURES:
        code, said, complaint = c.run("get-feature", "/dev/nvme0", "-f", str(feature), "-H")
        expect(f"feature {feature}: {said.decode()}{complaint}", (code, bool(re.search(pattern, said.decode()))),
               (0, True))
    code, said, complaint = c.run("set-feature", "/dev/nvme0", "-f", "6", "-v", "0")
    expect(f"the write cache is turned off ({complaint})", (code, b"value:00000000" in said), (0, True))
    _, _, complaint = c.run("get-feature", "/dev/nvme0", "-f", "0x7f")
    expect("a feature that there is not", "Invalid Field" in complaint, True)


def reservations(c):
    for words in ((), ("--eds",)):
        said = c.json("resv-report", "-n", "1", *words)
        expect("resv-report", (said["gen"], said["rtype"], said["regctl"], said["ptpls"]), (0, 0, 0, 0))


def data(c, directory):
    path = os.path.join(directory, "bytes")
    with open(path, "wb") as file:
        file.write(os.urandom(65536))
    at = ("/dev/nvme0n1", "-n", "1", "-s", "40", "-c", "127", "-z", "65536")
    for verb, wanted in (("write", 0), ("compare", 0)):
        code, _, complaint = c.run(verb, *at, "-d", path)
        expect(f"{verb} ({complaint.strip()})", code, wanted)
    _, said, _ = c.run("read", *at)
    with open(path, "rb") as file:
        expect("what was written is read", said[:65536] == file.read(), True)
    for verb, words in (("verify", ("-s", "40", "-c", "127")), ("write-zeroes", ("-s", "40", "-c", "127")),
           ("flush", ()),
                        ("dsm", ("-d", "-s", "40", "-b", "128"))):
        code, _, complaint = c.run(verb, "/dev/nvme0n1", "-n", "1", *words)
        expect(f"{verb} ({complaint.strip()})", code, 0)
    _, said, _ = c.run("read", *at)
    expect("zeroes are read", said[:65536], bytes(65536))
    code, _, complaint = c.run("compare", *at, "-d", path)
    expect("what differs", "Compare Failure" in complaint, True)


def main():
    bridge, server = map(os.path.abspath, sys.argv[1:3])
    if not shutil.which("nvme"):
        print("no nvme-cli here")
        return 77
    with tempfile.TemporaryDirectory(prefix="mp-nvme-") as directory:
        socket = os.path.join(directory, "disk.sock")
        process = subprocess.Popen([server, socket, "nvme-primary", str(MIB)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            if process.stdout.readline() != "ready\n":
                sys.exit(process.stderr.read())
            c = Controller(bridge, socket)
            for judge in (identify, logs, features, reservations, virtual):
                judge(c)
            data(c, directory)
        finally:
            process.terminate()
            said = process.communicate(timeout=60)[1]
    expect("refusals of the server", [line for line in said.splitlines() if line.startswith("refused")], [])
    print(f"{checks} decoded values compared, {failures} wrong")
    return failures != 0


sys.exit(main())
