"""nvme-cli in a guest, on the kernel's own driver: what it decodes is what the function presents.

Not its show-regs: that of Debian 12 (2.3) prints the address where it mapped the registers in their place."""

import json
import re

from world import check

PRESENTED = {"mdts": 8, "cntlid": 0, "ver": 0x20000, "oacs": 0x102, "oncs": 0xed, "sqes": 0x66, "cqes": 0x44,
             "nn": 64, "vwc": 7, "fuses": 1, "cntrltype": 1, "sgls": 0x50001, "lpa": 0x26,
             "subnqn": "nqn.2026-01.org.midplane:disk"}


def said(guest, command):
    return json.loads(guest.run(f"nvme {command} -o json 2>/dev/null").text)


def identify(guest, mib):
    seen = said(guest, "id-ctrl /dev/nvme0")
    wrong = {name: seen.get(name) for name, value in PRESENTED.items() if seen.get(name) != value}
    check(not wrong and seen["sn"].strip() == "MP0001" and int(seen["tnvmcap"]) == mib << 20,
          f"id-ctrl: serial, version, commands, sizes, NQN {wrong or ''}")
    seen = said(guest, "id-ns /dev/nvme0n1")
    formats = [row["ds"] for row in seen["lbafs"]]
    check((seen["nsze"], formats, seen["rescap"]) == (mib * 2048, [9, 12], 0xfe),
          "id-ns: size, formats, reservations")
    seen = said(guest, "list-ctrl /dev/nvme0")
    check([row["ctrl_id"] for row in seen["ctrl_list"]] == [0], "list-ctrl: controller 0")


def subsystem(guest):
    seen = said(guest, "list-subsys")
    seen = (seen[0] if isinstance(seen, list) else seen)["Subsystems"][0]
    check((seen["NQN"], seen["Paths"][0]["Transport"]) == (PRESENTED["subnqn"], "pcie"),
          "list-subsys: one subsystem, by PCIe")


def reserve(guest):
    guest.run("nvme resv-register /dev/nvme0n1 --nrkey=0xabc --rrega=0")
    guest.run("nvme resv-acquire /dev/nvme0n1 --crkey=0xabc --rtype=1 --racqa=0")
    seen = said(guest, "resv-report /dev/nvme0n1")
    holder = seen["regctls"][0]
    check((seen["rtype"], seen["regctl"], holder["rkey"], holder["rcsts"]) == (1, 1, 0xabc, 1),
          "resv-report: Write Exclusive, held by key 0xabc")
    guest.run("nvme resv-release /dev/nvme0n1 --crkey=0xabc --rtype=1 --rrela=0")
    check(said(guest, "resv-report /dev/nvme0n1")["rtype"] == 0, "and released")


def judge(guest, mib):
    identify(guest, mib)
    subsystem(guest)
    seen = said(guest, "smart-log /dev/nvme0")
    check(seen["temperature"] == 303 and int(seen["host_write_commands"]) > 0,
          "smart-log counts the guest's commands")
    queues = guest.run("nvme get-feature /dev/nvme0 -f 7 -H").text
    check(re.search(r"Submission.*: 4", queues), "get-feature: four queues")
    reserve(guest)
