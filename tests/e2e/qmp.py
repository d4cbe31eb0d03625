"""QEMU's own control channel (QMP) on a unix socket."""

import json
import socket

from world import Failure, in_time


class Monitor:
    """Of a QEMU that was started with arguments(path)."""

    def __init__(self, path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(200)
        if not in_time(lambda: self.connection.connect_ex(path) == 0):
            raise Failure(f"no QEMU listens at {path}")
        self.stream = self.connection.makefile("rw")
        self.stream.readline()
        self.do("qmp_capabilities")

    def close(self):
        """Lets the next in; QEMU has one at a time."""
        self.stream.close()
        self.connection.close()

    def do(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise Failure(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]


def arguments(path):
    return ["-qmp", f"unix:{path},server=on,wait=off"]
