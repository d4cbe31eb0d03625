"""nvme-cli in a guest, on the kernel's own driver: what it decodes is what the function presents.

Not its show-regs: that of Debian 12 (2.3) prints the address where it mapped the registers in their place."""

import json
import re

from world import check

NQN = "nqn.2026-01.org.midplane:disk"
FIELDS = ("vid", "ssvid", "sn", "mn", "fr", "mdts", "cntlid", "ver", "oacs", "oncs", "sqes", "cqes", "nn", "vwc", "fuses",
          "tnvmcap", "sgls", "lpa", "sanicap", "subnqn", "cntrltype", "ctratt", "oaes")


def said(guest, command):
    return json.loads(guest.run(f"nvme {command} -o json 2>/dev/null").text)


def judge(guest, mib):
    identity = said(guest, "id-ctrl /dev/nvme0")
    check(all(name in identity for name in FIELDS) and identity["sn"].strip() == "MP0001" and
          identity["mn"].strip() == "midplane disk" and identity["subnqn"] == NQN and identity["oacs"] == 0x102 and
          identity["oncs"] == 0xed and int(identity["tnvmcap"]) == mib << 20, "id-ctrl: serial, model, NQN, commands, size")
    space = said(guest, "id-ns /dev/nvme0n1")
    check((space["nsze"], space["lbafs"][0]["ds"], space["lbafs"][1]["ds"], space["rescap"]) == (mib * 2048, 9, 12, 0xfe),
          "id-ns: size, formats, reservations")
    systems = said(guest, "list-subsys")
    systems = systems[0] if isinstance(systems, list) else systems
    check(systems["Subsystems"][0]["NQN"] == NQN and systems["Subsystems"][0]["Paths"][0]["Transport"] == "pcie",
          "list-subsys: one subsystem, by PCIe")
    check([c["ctrl_id"] for c in said(guest, "list-ctrl /dev/nvme0")["ctrl_list"]] == [0], "list-ctrl: controller 0")
    smart = said(guest, "smart-log /dev/nvme0")
    check(smart["temperature"] == 303 and int(smart["host_write_commands"]) > 0, "smart-log counts the guest's commands")
    queues = guest.run("nvme get-feature /dev/nvme0 -f 7 -H").text
    check(re.search(r"Submission.*: 4", queues), "get-feature: four queues")
    reserve(guest)


def reserve(guest):
    for words in ("register /dev/nvme0n1 --nrkey=0xabc --rrega=0", "acquire /dev/nvme0n1 --crkey=0xabc --rtype=1 --racqa=0"):
        guest.run(f"nvme resv-{words}")
    report = said(guest, "resv-report /dev/nvme0n1")
    check((report["rtype"], report["regctl"], report["regctls"][0]["rkey"], report["regctls"][0]["rcsts"]) ==
          (1, 1, 0xabc, 1), "resv-report: Write Exclusive, held by key 0xabc")
    guest.run("nvme resv-release /dev/nvme0n1 --crkey=0xabc --rtype=1 --rrela=0")
    check(said(guest, "resv-report /dev/nvme0n1")["rtype"] == 0, "and released")
