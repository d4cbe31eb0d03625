"""Real Linux guests for tests and the demo: user-mode Linux, and QEMU with its own translator (TCG).

    with UmlGuest("a", workdir, [Nic(socket)]) as guest:
        guest.run("ip addr add 10.0.0.1/24 dev eth0 && ip link set eth0 up")
        print(guest.run("ping -c 3 10.0.0.2").text)

A guest is driven over its console: a line goes in, its output and exit code come back.
"""

import dataclasses
import os
import re
import select
import shutil
import signal
import subprocess
import time

import image

BOOT_SECONDS = 200
RUN_SECONDS = 200

# A Linux that counts timer interrupts while its CPU is kept from it gives up (no_timer_check).
QEMU_LINUX = "console=ttyS0 quiet panic=-1 no_timer_check"


class GuestError(Exception):
    """A guest did not boot, died, or a command in it failed."""


@dataclasses.dataclass
class Nic:
    """One virtual network interface of a guest, on a vhost-user socket."""

    socket: str
    mac: str = ""
    listen: bool = False      # QEMU only: the guest's side makes the socket
    reconnect: int = 0        # QEMU only: seconds between attempts
    ats: bool = False         # QEMU only: behind the virtual IOMMU, with a device IOTLB
    options: str = ""         # QEMU only: appended to the device
    queues: int = 1           # QEMU only


@dataclasses.dataclass
class Result:
    code: int
    text: str


class Console:
    """Lines to a guest and what comes back, through two pipes."""

    def __init__(self, process, log_path):
        self.process = process
        self.log = open(log_path, "wb")
        self.pending = b""
        self.next_id = 0

    def read_until(self, marker, seconds):
        """What the guest prints before 'marker' (a bytes pattern), and the match."""
        deadline = time.monotonic() + seconds
        out = self.process.stdout.fileno()
        while True:
            found = re.search(marker, self.pending)
            if found:
                text, self.pending = self.pending[: found.start()], self.pending[found.end() :]
                return text, found
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestError(f"no answer in {seconds} s; last words: {self.last_words()}")
            if not select.select([out], [], [], left)[0]:
                continue
            chunk = os.read(out, 65536)
            if not chunk:
                raise GuestError(f"the guest ended; last words: {self.last_words()}")
            self.log.write(chunk)
            self.log.flush()
            self.pending += chunk

    def last_words(self):
        return self.pending[-600:].decode(errors="replace").strip()

    def run(self, command, seconds):
        if "\n" in command:
            raise ValueError("one line a command")
        self.next_id += 1
        self.process.stdin.write(f"{self.next_id} {command}\n".encode())
        self.process.stdin.flush()
        text, found = self.read_until(rb"@@%d (\d+)@@\r?\n" % self.next_id, seconds)
        return Result(int(found[1]), text.decode(errors="replace").replace("\r", ""))

    def close(self):
        for stream in (self.process.stdin, self.process.stdout, self.log):
            try:
                stream.close()
            except OSError:
                pass


class Guest:
    """What both kinds share.  Subclasses say with which command line they start."""

    def __init__(self, name, workdir, nics, programs=None):
        self.name = name
        self.workdir = workdir
        self.nics = nics
        self.programs = programs or {}
        self.process = None
        self.console = None
        self.booted_s = 0.0

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def start(self):
        """Starts booting and returns; wait_ready() waits for the end of it."""
        self.began = time.monotonic()
        self.errors = open(os.path.join(self.workdir, self.name + ".stderr"), "wb")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            start_new_session=True, env=self.environment(), cwd=self.workdir)
        self.console = Console(self.process, os.path.join(self.workdir, self.name + ".console"))
        return self

    def wait_ready(self, seconds=BOOT_SECONDS):
        try:
            self.console.read_until(rb"@@ready 0@@\r?\n", seconds)
        except GuestError as error:
            raise GuestError(f"{self.name}: {error}\n{self.stderr_text()}") from None
        self.booted_s = time.monotonic() - self.began
        return self

    def stderr_text(self):
        with open(os.path.join(self.workdir, self.name + ".stderr"), "rb") as errors:
            return errors.read()[-2000:].decode(errors="replace")

    def run(self, command, seconds=RUN_SECONDS, check=True):
        """Executes one line of shell in the guest.  Raises when it fails, unless check is False."""
        result = self.console.run(command, seconds)
        if check and result.code:
            raise GuestError(f"{self.name}: '{command}' gave {result.code}:\n{result.text}")
        return result

    def spawn(self, command, tag):
        """Executes a line in the background; its output is read with finish(tag)."""
        self.run(f"(({command}) >/tmp/{tag}.out 2>&1; echo $? >/tmp/{tag}.code) &")

    def finish(self, tag, seconds=RUN_SECONDS):
        tries = seconds * 5
        self.run(f"i=0; while [ ! -s /tmp/{tag}.code ] && [ $i -lt {tries} ]; "
                 "do sleep 0.2; i=$((i+1)); done", seconds + 30)
        code = self.run(f"cat /tmp/{tag}.code", check=False)
        text = self.run(f"cat /tmp/{tag}.out; rm -f /tmp/{tag}.out /tmp/{tag}.code", check=False)
        return Result(int(code.text) if code.code == 0 and code.text.strip() else -1, text.text)

    def lost_pings(self, to, count, interval_ms=100):
        """How many of so many pings nobody answers, however late; 'count' when none can be sent."""
        said = self.run(f"traffic ping {to} {count} {interval_ms * 1000}", check=False).text
        found = re.search(r" lost=(\d+)", said)
        return int(found[1]) if found else count

    def address(self, interface, address):
        self.run(f"ip addr add {address} dev {interface} && ip link set {interface} up")

    def stop(self):
        """Ends the guest, politely when it listens; its whole process group in any case."""
        if self.process is None:
            return
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(2)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.console.close()
        self.errors.close()
        self.process = None

    def __enter__(self):
        self.start()
        try:
            return self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


class UmlGuest(Guest):
    """User-mode Linux: a kernel as a process; boots in about three seconds and needs no KVM.

    Its sockets must exist when it starts.  It offers no PCI: networks, and disks on vhost-user sockets.
    """

    memory_mb = 256
    disks = ()                # sockets
    kernel_args = ()

    def command(self):
        initrd = os.path.join(self.workdir, "uml.cpio")
        if not os.path.exists(initrd):
            image.uml_initramfs(initrd, self.programs)
        devices = [f"virtio_uml.device={nic.socket}:1:{i}" for i, nic in enumerate(self.nics)]
        devices += [f"virtio_uml.device={path}:2:{len(devices) + i}" for i, path in enumerate(self.disks)]
        return [image.uml_kernel(), f"mem={self.memory_mb}M", f"umid={self.name}-{os.getpid()}",
                f"uml_dir={self.workdir}", "con=none", "con0=fd:0,fd:1", "ssl=none",
                f"initrd={initrd}", "rdinit=/init", "quiet", *self.kernel_args, *devices]

    def environment(self):
        env = dict(os.environ)
        if not os.access("/dev/shm", os.W_OK):
            env["TMPDIR"] = self.workdir
        return env


class QemuGuest(Guest):
    """A PC in QEMU's translator: PCI Express, MSI-X off (QEMU 7.2 without KVM falls over it) unless
    'vectors' says otherwise, and a virtual IOMMU when one of its interfaces has ats."""

    memory_mb = 256
    program = ["qemu-system-x86_64"]
    kernel_tree = "guest"     # of the cache

    def __init__(self, name, workdir, nics, programs=None, vectors=0, kernel_args="",
                 modules=(), extra=()):
        super().__init__(name, workdir, nics, programs)
        self.vectors = vectors
        self.kernel_args = kernel_args
        self.modules = modules
        self.extra = list(extra)

    def nic_args(self, index, nic):
        channel = f"socket,id=c{index},path={nic.socket}"
        channel += ",server=on,wait=off" if nic.listen else ""
        channel += f",reconnect={nic.reconnect}" if nic.reconnect else ""
        device = f"virtio-net-pci,bus=rp{index},netdev=n{index},disable-legacy=on"
        device += f",mac={nic.mac}" if nic.mac else ""
        device += f",vectors={self.vectors}" if self.vectors is not None else ""
        device += ",iommu_platform=on,ats=on" if nic.ats else ""
        device += ",mq=on" if nic.queues > 1 else ""
        device += f",{nic.options}" if nic.options else ""
        return ["-chardev", channel,
                "-netdev", f"vhost-user,id=n{index},chardev=c{index},queues={nic.queues}",
                "-device", f"pcie-root-port,id=rp{index},chassis={index + 1},slot={index + 1}",
                "-device", device]

    def devices(self):
        """Arguments of all network devices; a test with another topology has its own."""
        return [arg for index, nic in enumerate(self.nics) for arg in self.nic_args(index, nic)]

    def command(self):
        initrd = os.path.join(self.workdir, "qemu.cpio")
        if not os.path.exists(initrd):
            image.qemu_initramfs(initrd, self.programs, self.modules, self.kernel_tree)
        iommu = any(nic.ats for nic in self.nics)
        machine = "q35,kernel-irqchip=split" if iommu else "q35"
        append = f"{QEMU_LINUX} {self.kernel_args}"
        args = [*self.program, "-accel", "tcg,thread=multi", "-M", machine, "-cpu", "max",
                "-m", str(self.memory_mb), "-object",
                f"memory-backend-memfd,id=mem,size={self.memory_mb}M,share=on",
                "-numa", "node,memdev=mem", "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con",
                "-kernel", image.qemu_kernel(self.kernel_tree), "-initrd", initrd]
        if iommu:
            args += ["-device", "intel-iommu,intremap=on,device-iotlb=on,caching-mode=on"]
            append += " intel_iommu=on iommu=nopt iommu.strict=1"
        args += self.devices()
        return [*args, *self.extra, "-append", append]


def uml_works():
    """Whether user-mode Linux runs here: None, or why it does not."""
    try:
        image.uml_kernel()
        image.busybox()
    except image.Missing as error:
        return str(error)
    if shutil.which("linux.uml") is None:
        return "linux.uml is not on the path"
    return None
