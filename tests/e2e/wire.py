"""The far end of a network card in QEMU: a station that answers ARP and ping, and a reader of what passed.

A card's `-netdev dgram` is one half of a pair of unix sockets, Far the other.  Frames are judged by what QEMU itself
wrote down (`filter-dump`), not by what Far saw.
"""

import os
import socket
import struct
import threading

ARP, IPV4, VLAN = 0x0806, 0x0800, 0x8100


class Far:
    """Answers for every address below 'prefix'.200 up to 'prefix'.254, in the VLAN in which it is asked."""

    mac = bytes.fromhex("020000000001")

    def __init__(self, world, name):
        self.name = name
        self.near_path = os.path.join(world.dir, name + ".near")
        self.far_path = os.path.join(world.dir, name + ".far")
        self.pcap = os.path.join(world.dir, name + ".pcap")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.socket.bind(self.far_path)
        self.thread = threading.Thread(target=self.answer_all, daemon=True)
        self.thread.start()
        world.undo(self.end)

    def qemu(self, netdev):
        return ["-netdev", f"dgram,id={netdev},local.type=unix,local.path={self.near_path},"
                           f"remote.type=unix,remote.path={self.far_path}",
                "-object", f"filter-dump,id=dump-{netdev},netdev={netdev},file={self.pcap}"]

    def end(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)

    def answer_all(self):
        while True:
            try:
                frame = self.socket.recv(65536)
            except OSError:
                return
            if not frame:
                return
            answer = self.answer(frame)
            if answer:
                try:
                    self.socket.sendto(answer, self.near_path)
                except OSError:
                    return

    def answer(self, frame):
        """What a station says to a frame, or None."""
        at = 16 if frame[12:14] == b"\x81\x00" else 12
        kind, payload = struct.unpack_from(">H", frame, at)[0], bytearray(frame[at + 2:])
        header = frame[6:12] + self.mac + frame[12:at + 2]
        if kind == ARP and payload[6:8] == b"\0\1" and payload[27] >= 200:
            return header + payload[:7] + b"\2" + self.mac + payload[24:28] + payload[8:18]
        if kind == IPV4 and payload[9] == 1 and payload[19] >= 200 and payload[20] == 8:
            payload[12:16], payload[16:20] = payload[16:20], payload[12:16]
            payload[20] = 0  # an echo's answer; its checksum grows by what the type lost
            total = struct.unpack_from(">H", payload, 22)[0] + 0x0800
            struct.pack_into(">H", payload, 22, (total & 0xffff) + (total >> 16))
            return header + payload
        return None


def frames(path):
    """(source, destination, VLAN or None, type, payload) of all frames in a pcap file, in their order."""
    with open(path, "rb") as pcap:
        data = pcap.read()
    magic, at, found = struct.unpack_from("<I", data)[0], 24, []
    if magic != 0xa1b2c3d4:
        raise ValueError(f"{path} is no capture")
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        if len(frame) != size:
            break  # it is still being written
        tag = struct.unpack_from(">H", frame, 14)[0] & 0xfff if frame[12:14] == b"\x81\x00" else None
        kind = 12 if tag is None else 16
        found.append((frame[6:12].hex(":"), frame[:6].hex(":"), tag, struct.unpack_from(">H", frame, kind)[0],
                      frame[kind + 2:]))
    return found
