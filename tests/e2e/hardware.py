"""midplane hardware against a real kernel: SR-IOV, IOMMU groups and VFIO of Linux, with no hardware.

A Debian kernel boots in QEMU with `intel-iommu` and an NVMe device that can have four virtual functions. The tool runs
inside it: it lists functions, gives the card VFs and these their queues, hands one to vfio-pci and takes it back, and
refuses what would disturb others.
"""

import json
import os

from world import check, guests, image, main, need, say

PF = "0000:01:00.0"


class Guest(guests.QemuGuest):
    memory_mb = 512

    def __init__(self, world):
        disk = os.path.join(world.dir, "disk")
        with open(disk, "wb") as out:
            out.truncate(16 << 20)
        extra = ["-device", "intel-iommu,intremap=on,caching-mode=on",
                 "-device", "pcie-root-port,id=rp0,chassis=1,slot=1",
                 "-drive", f"file={disk},if=none,id=d0,format=raw,cache=unsafe",
                 "-device", "nvme-subsys,id=ss0",
                 "-device", "nvme,serial=MID0,subsys=ss0,bus=rp0,max_ioqpairs=18,msix_qsize=9,sriov_max_vfs=4,"
                            "sriov_vq_flexible=8,sriov_vi_flexible=4,sriov_max_vi_per_vf=2,sriov_max_vq_per_vf=6",
                 "-device", "nvme-ns,drive=d0,shared=on"]
        super().__init__("hardware", world.dir, [], {"midplane": world.program("src/prog/midplane")},
                         kernel_args="intel_iommu=on no_timer_check", modules=image.VFIO_MODULES, extra=extra)

    def command(self):
        return ["q35,kernel-irqchip=split" if word == "q35" else word for word in super().command()]

    def tool(self, words):
        """The tool's exit code and what it says."""
        done = self.run(f"midplane {words}; echo code=$?", check=False)
        text, _, code = done.text.rpartition("code=")
        return int(code), text.strip()

    def listed(self):
        code, text = self.tool("-o json hardware list")
        check(code == 0, "hardware list answers")
        return {row["name"]: row for row in json.loads(text)}


def refused(guest, words, sentence):
    code, text = guest.tool(words)
    check(code == 1 and sentence in text, f"'{words}' is refused: {text}")


def give_queues(guest, first, second):
    """Eight flexible queue pairs and four interrupts, of which one VF has six and two at most."""
    refused(guest, f"hardware queues {PF} 2", f"{PF} is no virtual function")
    refused(guest, f"hardware queues {first} 7", "gives one virtual function 6 queue pairs at most, not 7")
    refused(guest, f"hardware queues {first} 6", "gives one virtual function 2 interrupts at most, not 6")
    code, text = guest.tool("hardware queues 0000:01:07.7 2")
    check(code == 4 and "there is no PCI function" in text, f"one that is not there: {text}")
    done = f"{first}: online with 6 queue pairs and 2 interrupts"
    check(guest.tool(f"hardware queues {first} 6 --interrupts 2") == (0, done), "a VF gets queues")
    check(guest.tool(f"hardware queues {first} 6 --interrupts 2") == (0, done), "again the same")
    refused(guest, f"hardware queues {second} 3 --interrupts 1",
            "has 2 of its 8 queue pairs for virtual functions free")
    check(guest.tool(f"hardware queues {second} 2") == (0, f"{second}: online with 2 queue pairs and 2 interrupts"),
          "what is left is for the other")
    check(guest.tool(f"hardware queues {first} 0") == (0, f"{first}: offline, without queues"), "it goes offline")
    check(guest.tool(f"hardware queues {second} 6 --interrupts 1")[0] == 0, "and the other has what it had")
    check(guest.tool(f"hardware queues {second} 0")[0] == 0, "until it is offline too")
    check(guest.run("dd if=/dev/nvme0n1 of=/dev/null bs=1M count=1 iflag=direct 2>/dev/null", check=False).code == 0,
          "the card's own driver still reads")


def body(world):
    need("qemu-system-x86_64")
    guest = world.guest(Guest(world))
    guest.wait_ready(200)
    say(f"  booted in {guest.booted_s:.1f} s")
    rows = guest.listed()
    check(rows[PF]["vfs_total"] == 4 and rows[PF]["driver"] == "nvme" and rows[PF]["iommu_group"] is not None,
          "the disk is there, with four possible VFs, its driver and its group")
    refused(guest, f"hardware vfs {PF} 5", "has 4 virtual functions at most")
    refused(guest, "hardware vfs 00:00.0 1", "has no SR-IOV")

    check(guest.tool(f"hardware vfs {PF} 2") == (0, f"{PF}: 2 virtual functions"), "it gets two VFs")
    rows = guest.listed()
    vfs = sorted(name for name, row in rows.items() if row["pf"] == PF)
    check(len(vfs) == 2 and rows[PF]["vfs"] == 2, f"both are listed: {vfs}")
    check(all(rows[vf]["driver"] == "" for vf in vfs), "no driver has taken them by itself")
    check(len({rows[name]["iommu_group"] for name in [PF, *vfs]}) == 3, "each is in a group of its own")
    refused(guest, f"hardware vfs {PF} 3", "set 0 first")

    give_queues(guest, *vfs)
    check(guest.tool(f"hardware bind {vfs[0]}") == (0, f"{vfs[0]}: driver vfio-pci has it"), "one is handed to VFIO")
    rows = guest.listed()
    check(rows[vfs[0]]["driver"] == "vfio-pci" and rows[vfs[1]]["driver"] == "" and rows[PF]["driver"] == "nvme",
          "and nothing else has changed")
    guest.run(f"test -c /dev/vfio/{rows[vfs[0]]['iommu_group']}")
    refused(guest, f"hardware vfs {PF} 0", f"driver vfio-pci has virtual function {vfs[0]}")
    refused(guest, f"hardware bind {vfs[1]} no-such-driver", "there is no driver no-such-driver")
    refused(guest, f"hardware set {vfs[1]} --mac 52:54:00:00:00:01", "no network interface")
    code, text = guest.tool(f"-o json hardware show {vfs[0]}")
    shown = json.loads(text)
    check(code == 0 and shown["qemu"] == f"-device vfio-pci,host={vfs[0]}", "it says how QEMU takes it")
    check("PCI Express" in {row["name"] for row in shown["capabilities"]}, "and which capabilities it has")

    for target in (PF, vfs[0]):
        code, text = guest.tool(f"-o json conform {target}")
        report = json.loads(text)
        failed = [f"{row['name']} ({row['seen']})" for row in report["assertions"] if row["verdict"] == "fail"]
        check(report["passed"] > 20, f"conform judges {target}: {report['passed']} passed, {report['failed']} failed: "
                                     f"{', '.join(failed)}")

    refused(guest, f"hardware queues {vfs[0]} 0", f"driver vfio-pci has {vfs[0]}: release it first")
    check(guest.tool(f"hardware release {vfs[0]}")[0] == 0, "it is taken back")
    check(guest.listed()[vfs[0]]["driver"] != "vfio-pci", "from VFIO")
    code, text = guest.tool(f"hardware vfs {PF} 0")
    check(code == 0, f"the VFs are given back {text}")
    rows = guest.listed()
    check(not any(row["pf"] for row in rows.values()) and rows[PF]["driver"] == "nvme", "and are gone")
    guest.stop()


if __name__ == "__main__":
    main("hardware", body)
