"""The image that all guests boot: a busybox initramfs that executes lines from its console.

Nothing of it needs root: device nodes are written straight into the cpio archive.  Kernels and the
static busybox come from the cache that packaging/install-deps fills.
"""

import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
dmesg -n 1
while read -r module; do insmod "/modules/$module.ko"; done </modules/order
for word in $(cat /proc/cmdline); do
	case $word in root=/dev/*) root=${word#root=} ;; esac
done
if [ "$root" ]; then
	mkdir /new
	for i in 1 2 3 4 5 6 7 8 9; do [ -b "$root" ] && break; sleep 1; done
	mount -t ext4 -o rw "$root" /new && mount --move /dev /new/dev && umount /proc /sys &&
		exec switch_root /new /sbin/init
fi
ip link set lo up
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null
stty -echo -onlcr </dev/console 2>/dev/null
echo "@@ready 0@@"
while read -r id command; do
	(eval "$command") </dev/null 2>&1
	echo "@@$id $?@@"
done
poweroff -f
"""

# What a guest runs whose root is on a disk.
DISK_INIT = """#!/bin/busybox sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -o remount,rw /
stty -echo -onlcr </dev/console 2>/dev/null
echo "@@ready 0@@"
while read -r id command; do
	(eval "$command") </dev/null 2>&1
	echo "@@$id $?@@"
done
poweroff -f
"""

# In the order in which they are to be loaded; what the kernel has built in is left out.
MODULES = [
    "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
    "failover", "net_failover", "virtio_net", "virtio_blk",
]
VFIO_MODULES = ["irqbypass", "vfio", "vfio_virqfd", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci"]


class Missing(Exception):
    """Something that a guest needs is not on this machine."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "midplane")


def only(pattern, remedy):
    """The newest file that matches, or Missing with what to do."""
    found = sorted(glob.glob(pattern))
    if not found:
        raise Missing(f"no {pattern}: {remedy}")
    return found[-1]


def busybox():
    return only(os.path.join(cache_dir(), "guest/bin/busybox"), "run packaging/install-deps unpack")


# Below the cache: "guest" has the cloud kernel, which is small; "nic" the one with all drivers.
def qemu_kernel(tree="guest"):
    return only(os.path.join(cache_dir(), tree, "boot/vmlinuz-*"), unpack_remedy(tree))


def unpack_remedy(tree):
    return "run packaging/install-deps unpack" + ("" if tree == "guest" else "-" + tree)


def uml_kernel():
    return only("/usr/bin/linux.uml", "install user-mode-linux")


def module_files(root):
    """Maps the names of the modules below 'root' to their files."""
    files = {}
    for path, _, names in os.walk(root):
        for name in names:
            if name.endswith(".ko"):
                files[name[:-3]] = os.path.join(path, name)
    return files


class Cpio:
    """Writes an initramfs: the "newc" format of the kernel's buffer-format document."""

    def __init__(self, out):
        self.out = out
        self.inode = 0

    def entry(self, name, mode, content=b"", device=(0, 0)):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.out.write(header + raw + b"\0" * (-(len(header) + len(raw)) % 4))
        self.out.write(content + b"\0" * (-len(content) % 4))

    def directory(self, name):
        self.entry(name, stat.S_IFDIR | 0o755)

    def program(self, name, content):
        self.entry(name, stat.S_IFREG | 0o755, content)

    def file_of(self, name, path):
        with open(path, "rb") as source:
            self.program(name, source.read())

    def node(self, name, major, minor):
        self.entry(name, stat.S_IFCHR | 0o666, device=(major, minor))

    def end(self):
        self.entry("TRAILER!!!", 0)


def libraries(program):
    """The files that a program needs to run, its loader included; of a static one: none."""
    said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return re.findall(r"(/\S+) \(0x", said.stdout)


def add_libraries(cpio, programs):
    wanted = sorted({path for program in programs for path in libraries(program)})
    made = set()
    for path in wanted:
        parts = os.path.dirname(path).strip("/").split("/")
        for end in range(1, len(parts) + 1):
            directory = "/".join(parts[:end])
            if directory not in made:
                cpio.directory(directory)
                made.add(directory)
        cpio.file_of(path.strip("/"), path)


def build_initramfs(path, modules_root, programs, modules=()):
    """Writes an initramfs to 'path'.

    modules_root  folder with the kernel's modules
    programs      programs of the host to put into /bin, {name: file}, with the libraries that they need
    modules       more modules to load after the network's
    """
    files = module_files(modules_root)
    wanted = [name for name in [*MODULES, *modules] if name in files]
    with open(path, "wb") as out:
        cpio = Cpio(out)
        for directory in ("bin", "dev", "modules"):
            cpio.directory(directory)
        cpio.node("dev/console", 5, 1)
        cpio.node("dev/null", 1, 3)
        cpio.program("init", INIT.encode())
        cpio.file_of("bin/busybox", busybox())
        for name, source in programs.items():
            cpio.file_of("bin/" + name, source)
        add_libraries(cpio, programs.values())
        for name in wanted:
            cpio.file_of(f"modules/{name}.ko", files[name])
        cpio.program("modules/order", "".join(name + "\n" for name in wanted).encode())
        cpio.end()


def uml_initramfs(path, programs):
    build_initramfs(path, only("/usr/lib/uml/modules/*", "install user-mode-linux"), programs)


def qemu_initramfs(path, programs, modules=(), tree="guest"):
    root = only(os.path.join(cache_dir(), tree, "lib/modules/*"), unpack_remedy(tree))
    build_initramfs(path, root, programs, modules)


def root_image(path, size_mib, programs=None, files=None, offset_mib=0):
    """Writes a file system to 'path', from 'offset_mib' on, that a guest's kernel can run from; programs of the host
    to put into /bin, {name: file}, with the libraries that they need, and files, {path in it: file}."""
    mkfs = only("/sbin/mkfs.ext4", "install e2fsprogs")
    with tempfile.TemporaryDirectory() as tree:
        for directory in ("bin", "dev", "etc", "data", "proc", "sbin", "sys", "tmp"):
            os.mkdir(os.path.join(tree, directory))
        programs = {"busybox": busybox(), **(programs or {})}
        for name, source in programs.items():
            shutil.copy(source, os.path.join(tree, "bin", name))
        copies = {library: library for source in programs.values() for library in libraries(source)}
        for name, source in sorted({**copies, **(files or {})}.items()):
            os.makedirs(tree + os.path.dirname(name), exist_ok=True)
            shutil.copy(source, tree + name)
        said = subprocess.run([busybox(), "--list"], stdout=subprocess.PIPE, text=True, check=True)
        for name in said.stdout.split():
            if not os.path.lexists(os.path.join(tree, "bin", name)):
                os.symlink("busybox", os.path.join(tree, "bin", name))
        with open(os.path.join(tree, "sbin/init"), "w", encoding="ascii") as init:
            init.write(DISK_INIT)
        os.chmod(os.path.join(tree, "sbin/init"), 0o755)
        subprocess.run([mkfs, "-q", "-F", "-d", tree, "-E", f"offset={offset_mib << 20}", path, f"{size_mib}M"],
                       check=True, stdout=subprocess.DEVNULL)
