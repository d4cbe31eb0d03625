#!/usr/bin/env python3
"""midplane hardware on a made-up sysfs: what is listed, and what is refused before anything is written.

Usage: hardware_test.py MIDPLANE"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv[1]
PF, VF0, VF1, DISK, BRIDGE, DEAD = ("0000:3b:00.0", "0000:3b:00.1", "0000:3b:00.2", "0000:5e:00.0",
                                    "0000:00:01.0", "0000:7f:00.0")


class Hardware(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="midplane-sysfs-")
        self.addCleanup(self.directory.cleanup)
        self.root = self.directory.name
        for driver in ("ixgbe", "vfio-pci", "nvme"):
            os.makedirs(f"{self.root}/bus/pci/drivers/{driver}")
        self.put("bus/pci/drivers_probe", "")
        self.function(BRIDGE, 0x8086, 0x2030, 0x060400, group=1)
        self.function(PF, 0x8086, 0x1572, 0x020000, driver="ixgbe", group=2, sriov_totalvfs="8",
                      sriov_numvfs="2")
        os.makedirs(self.path(PF, "net/ens1"))
        for index, vf in enumerate((VF0, VF1)):
            self.function(vf, 0x8086, 0x154c, 0x020000, group=3 + index)
            os.symlink(f"../{PF}", self.path(vf, "physfn"))
            os.symlink(f"../{vf}", self.path(PF, f"virtfn{index}"))
        self.function(DISK, 0x144d, 0xa808, 0x010802, driver="nvme", group=9)
        self.function(DEAD, 0x144d, 0xa808, 0x010802, group=10, config=b"\xff" * 256)

    def path(self, address, name=""):
        return f"{self.root}/bus/pci/devices/{address}/{name}"

    def put(self, name, text):
        with open(f"{self.root}/{name}", "w", encoding="ascii") as out:
            out.write(text)

    def function(self, address, vendor, device, code, driver=None, group=None, config=None, **files):
        os.makedirs(self.path(address))
        words = {"vendor": f"0x{vendor:04x}\n", "device": f"0x{device:04x}\n", "class": f"0x{code:06x}\n",
                 "subsystem_vendor": "0x0000\n", "subsystem_device": "0x0000\n", "numa_node": "0\n",
                 "driver_override": "(null)\n", **files}
        for name, text in words.items():
            self.put(f"bus/pci/devices/{address}/{name}", text)
        with open(self.path(address, "config"), "wb") as out:
            out.write(config or bytes(256))
        if driver:
            os.symlink(f"../../drivers/{driver}", self.path(address, "driver"))
        if group is not None:
            os.makedirs(f"{self.root}/kernel/iommu_groups/{group}", exist_ok=True)
            os.symlink(f"../../../../kernel/iommu_groups/{group}", self.path(address, "iommu_group"))

    def tool(self, *words):
        return subprocess.run([TOOL, "hardware", *words, "--sysfs", self.root], capture_output=True, text=True,
                              timeout=200)

    def refused(self, text, *words):
        before = self.everything()
        done = self.tool(*words)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(text, done.stderr)
        self.assertEqual(self.everything(), before)

    def everything(self):
        found = {}
        for path, _, names in os.walk(self.root):
            for name in names:
                with open(os.path.join(path, name), "rb") as file:
                    found[os.path.join(path, name)] = file.read()
        return found

    def test_every_function_is_listed_in_the_order_of_addresses(self):
        done = self.tool("list", "-o", "json")
        rows = json.loads(done.stdout)
        self.assertEqual([row["name"] for row in rows], sorted([PF, VF0, VF1, DISK, BRIDGE, DEAD]))
        row = {row["name"]: row for row in rows}
        self.assertEqual(row[PF], {"name": PF, "id": "8086:1572", "class": "020000", "driver": "ixgbe",
                                   "iommu_group": 2, "vfs": 2, "vfs_total": 8, "pf": "", "interface": "ens1"})
        self.assertEqual((row[VF1]["pf"], row[VF1]["driver"]), (PF, ""))

    def test_short_addresses_are_of_domain_0(self):
        shown = json.loads(self.tool("show", "3b:00.0", "-o", "json").stdout)
        self.assertEqual((shown["name"], shown["qemu"]), (PF, f"-device vfio-pci,host={PF}"))
        self.assertIn("bus='0x3b' slot='0x00' function='0x0'", shown["libvirt"])
        self.assertEqual(self.tool("show", "3b:00.7").returncode, 4)
        self.assertEqual(self.tool("show", "../../../etc").returncode, 4)

    def test_what_would_disturb_others_is_refused_and_nothing_is_written(self):
        self.refused("8 virtual functions at most", "vfs", PF, "9")
        self.refused("set 0 first", "vfs", PF, "3")
        self.refused("has no SR-IOV", "vfs", DISK, "1")
        os.symlink("../../drivers/vfio-pci", self.path(VF1, "driver"))
        self.refused(f"driver vfio-pci has virtual function {VF1}", "vfs", PF, "0")

    def test_a_function_is_handed_out_only_with_its_group(self):
        os.unlink(self.path(VF0, "iommu_group"))
        self.refused("is in no IOMMU group", "bind", VF0)
        os.symlink("../../../../kernel/iommu_groups/9", self.path(VF0, "iommu_group"))
        self.refused(f"is in IOMMU group 9 with {DISK}, which driver nvme has", "bind", VF0)
        self.refused("does not answer", "bind", DEAD)
        self.refused("there is no driver pci-stub", "bind", VF1, "pci-stub")

    def test_vlan_rate_and_address_are_checked(self):
        for words, text in (((VF0,), "say what to set"),
                            ((VF0, "--vlan", "4095"), "is none of 1 to 4094"),
                            ((VF0, "--mac", "01:00:5e:00:00:01"), "is no unicast address"),
                            ((VF0, "--mac", "52:54:00:00:00:-1"), "is no unicast address"),
                            ((VF0, "--vlan", "65537"), "is none of 1 to 4094"),
                            ((VF0, "--vlan", "-1"), "is none of 1 to 4094"),
                            ((VF0, "--vlan", ""), "is none of 1 to 4094"),
                            ((VF0, "--rate", "fast"), "is no number of Mbit/s"),
                            ((VF0, "--rate", "-1"), "is no number of Mbit/s"),
                            ((VF0, "--rate", "4294967296"), "is no number of Mbit/s"),
                            ((VF0, "--spoof-check", "maybe"), "is neither on nor off"),
                            ((VF0, "--trust", ""), "is neither on nor off")):
            done = self.tool("set", *words)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)
        self.refused("is no virtual function", "set", DISK, "--vlan", "5")
        self.refused("there is no interface ens1", "set", VF0, "--vlan", "5")

    def test_queues_are_given_to_virtual_functions_of_nvme_cards_alone(self):
        for words, text in (((VF0, "1"), "'1' is no number of queue pairs: 2 or more"),
                            ((VF0, "65536"), "is no number of queue pairs"),
                            ((VF0, "x2"), "is no number of queue pairs"),
                            ((VF0, "2x"), "is no number of queue pairs"),
                            ((VF0, "2", "--interrupts", "0"), "--interrupts: '0' is none of 1 to 65535")):
            done = self.tool("queues", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(text, done.stderr)
        self.assertEqual(self.tool("queues", "3b:00.7", "2").returncode, 4)
        self.refused(f"{DISK} is no virtual function", "queues", DISK, "2")
        self.refused(f"no kernel driver of NVMe has {PF}", "queues", VF0, "2")
        os.symlink("../../drivers/vfio-pci", self.path(VF0, "driver"))
        self.refused(f"driver vfio-pci has {VF0}: release it first", "queues", VF0, "0")

    def test_a_machine_without_pci_says_so(self):
        done = subprocess.run([TOOL, "hardware", "list", "--sysfs", self.root + "/none"], capture_output=True,
                              text=True, timeout=200)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this machine has no PCI, or sysfs is not mounted", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=0)
