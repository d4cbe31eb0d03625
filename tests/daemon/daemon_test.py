#!/usr/bin/env python3
"""The daemon as a careless operator starts and stops it; needs no root, no guest and no device.

Usage: daemon_test.py MIDPLANED MIDPLANE SOURCE"""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

DAEMON, TOOL, SOURCE = (os.path.abspath(path) for path in sys.argv[1:4])
PATIENCE_S = 300


def chassis(*cards):
    return [{"name": "shelf", "carriers": [{"name": "board", "cards": list(cards)}]}]


def null_card(number, **more):
    return {"name": f"nic{number}", "vfs": 2, "line": f"net_null{number}", **more}


class Started(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="midplane-daemon-")
        self.run_dir = self.path("run")
        self.env = {**os.environ, "MIDPLANE_RUN_DIR": self.run_dir}
        self.begun = []

    def tearDown(self):
        for process in self.begun:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stderr.close()
        self.directory.cleanup()

    def path(self, *names):
        return os.path.join(self.directory.name, *names)

    def write(self, site):
        path = self.path("site.yaml")
        with open(path, "w", encoding="ascii") as file:
            json.dump(site, file)
        return path

    def begin(self, *words, **how):
        process = subprocess.Popen([DAEMON, *words], env=self.env, stderr=subprocess.PIPE, text=True, **how)
        self.begun.append(process)
        return process

    def start(self, *words, **how):
        """A daemon that is up, and what it said until then."""
        process = self.begin(*words, **how)
        said = ""
        for line in process.stderr:
            said += line
            if "site is up" in line:
                return process, said
        self.fail(f"{words} ended with {process.wait()}: {said}")

    def stop(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        said = process.stderr.read()
        self.assertEqual(process.wait(PATIENCE_S), 0, said)
        self.assertEqual(os.listdir(self.run_dir), [], said)

    def refused(self, code, *words):
        """What a start says that comes to nothing; it leaves nothing."""
        process = self.begin(*words)
        said = process.stderr.read()
        self.assertEqual(process.wait(PATIENCE_S), code, said)
        if os.path.exists(self.run_dir):
            self.assertEqual(os.listdir(self.run_dir), [])
        return said

    def tool(self, *words, **how):
        return subprocess.run([TOOL, *words], env=self.env, capture_output=True, text=True, timeout=PATIENCE_S, **how)

    def test_several_chassis_with_large_frames_run_without_hugepages(self):
        daemon, _ = self.start(os.path.join(SOURCE, "examples/03-several-chassis.yaml"))
        told = json.loads(self.tool("-o", "json", "chassis", "list").stdout)
        self.assertEqual([each["name"] for each in told], ["north", "south"])
        self.stop(daemon)

    def test_as_many_large_functions_as_a_card_may_have_get_their_memory(self):
        daemon, _ = self.start(self.write({"name": "large", "chassis": chassis(null_card(0, vfs=256, mtu=9600))}))
        self.stop(daemon)

    def test_as_many_workers_as_a_file_may_ask_for_run(self):
        daemon, _ = self.start(self.write({"name": "many", "workers": 64, "chassis": chassis(null_card(0))}))
        self.assertEqual(len(json.loads(self.tool("-o", "json", "worker", "list").stdout)), 64)
        self.stop(daemon)

    def test_a_site_without_systems_runs_without_a_word(self):
        daemon, said = self.start(self.write({"name": "bare", "workers": 1, "chassis": chassis(null_card(0))}))
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIsNone(json.loads(self.tool("-o", "json", "avail", "show", "site").stdout)["calculated"])
        daemon.terminate()
        self.assertNotIn("warning", daemon.stderr.read())
        self.assertEqual(daemon.wait(PATIENCE_S), 0)

    def test_as_many_line_ports_as_one_daemon_drives_run(self):
        daemon, _ = self.start(self.write({"name": "many", "chassis": chassis(*(null_card(i) for i in range(32)))}))
        self.assertEqual(len(json.loads(self.tool("-o", "json", "card", "list").stdout)), 32)
        self.stop(daemon)

    def test_more_interfaces_than_a_shell_may_have_files_run(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < 1024:
            self.skipTest("so few files are allowed here")
        systems = [{"name": f"vm{i}", "host": "blade", "io": [{"pool": "all"}]} for i in range(100)]
        daemon, _ = self.start(self.write({
            "name": "many", "chassis": chassis(null_card(0, vfs=100)), "systems": systems,
            "hosts": [{"name": "blade", "chassis": "shelf"}], "pools": [{"name": "all", "cards": ["nic0"]}]}),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)))
        self.assertEqual(len(os.listdir(os.path.join(self.run_dir, "many"))), 100)
        self.stop(daemon)

    def test_one_line_port_more_is_refused(self):
        site = self.write({"name": "many", "chassis": chassis(*(null_card(i) for i in range(33)))})
        checked = self.tool("site", "check", site)
        self.assertIn("chassis: warning: 33 cards have a line port", checked.stdout + checked.stderr)
        said = self.refused(1, site)
        self.assertIn("has 33 cards with a line port, and one daemon drives at most 32", said)

    def test_many_pci_devices_that_are_not_there_are_refused(self):
        cards = [{"name": f"nic{i}", "vfs": 2, "line": f"0000:{0xc0 + i:02x}:1f.7"} for i in range(32)]
        said = self.refused(1, self.write({"name": "many", "chassis": chassis(*cards)}))
        self.assertIn("card 'nic0', line port '0000:c0:1f.7'", said)

    def test_a_relative_socket_is_found_from_every_directory(self):
        os.mkdir(self.path("here"))
        os.mkdir(self.path("there"))
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        daemon, said = self.start("--socket", "./x.sock", site, cwd=self.path("here"))
        self.assertIn(f"socket={os.path.realpath(self.path('here'))}/x.sock ", said)
        self.assertEqual(self.tool("card", "list", cwd=self.path("there")).returncode, 0)
        self.stop(daemon)
        self.assertEqual(os.listdir(self.path("here")), [])

    def test_a_socket_that_cannot_be_is_refused(self):
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        self.assertIn("--socket: name a path", self.refused(2, "--socket", "", site))
        self.assertIn("is longer than 107 bytes", self.refused(1, "--socket", self.path("x" * 200), site))
        self.assertIn("No such file or directory", self.refused(1, "--socket", self.path("no", "x.sock"), site))
        self.assertIn("is there and is not a socket", self.refused(1, "--socket", self.directory.name, site))

    def test_a_file_beside_the_socket_that_is_no_lock_is_left_alone(self):
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        with open(self.path("notes.lock"), "w", encoding="ascii") as file:
            file.write("mine")
        said = self.refused(1, "--socket", self.path("notes.sock"), site)
        self.assertIn("is needed as a lock file, and there is a file that is none", said)
        with open(self.path("notes.lock"), encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_a_file_where_a_guests_socket_should_be_is_left_alone(self):
        for attachment in ("vhost-user", "vfio-user"):
            with open(self.path("disk.img"), "w", encoding="ascii") as file:
                file.write("mine")
            for name in ("disk.img", ""):
                io = {"pool": "all", "attachment": attachment, "socket": self.path(name).rstrip("/")}
                said = self.refused(1, self.write({
                    "name": "one", "chassis": chassis(null_card(0)), "hosts": [{"name": "blade", "chassis": "shelf"}],
                    "pools": [{"name": "all", "cards": ["nic0"]}],
                    "systems": [{"name": "vm", "host": "blade", "io": [io]}]}))
                self.assertIn("it is there and is not a socket", said)
            with open(self.path("disk.img"), encoding="ascii") as file:
                self.assertEqual(file.read(), "mine")

    def test_another_way_to_the_usual_socket_is_the_usual_socket(self):
        os.mkdir(self.run_dir)
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        daemon, _ = self.start("--socket", self.path("run", "..", "run", "one.sock"), site)
        self.assertEqual(self.tool("card", "list").returncode, 0)
        self.stop(daemon)

    def test_a_relative_run_directory_is_where_the_daemon_was_started(self):
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        self.env["MIDPLANE_RUN_DIR"] = "./run"
        daemon, said = self.start(site, cwd=self.directory.name)
        self.assertIn(f"socket={os.path.realpath(self.run_dir)}/one.sock ", said)
        self.assertEqual(self.tool("card", "list", cwd=self.directory.name).returncode, 0)
        self.stop(daemon)

    def test_a_terminal_that_goes_away_stops_it_cleanly(self):
        # Who runs the tests may have been told to ignore it, and that is inherited.
        daemon, _ = self.start(self.write({"name": "one", "chassis": chassis(null_card(0))}),
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.stop(daemon, signal.SIGHUP)

    def test_nohup_is_heeded(self):
        daemon, _ = self.start(self.write({"name": "one", "chassis": chassis(null_card(0))}),
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        daemon.send_signal(signal.SIGHUP)
        self.assertEqual(self.tool("card", "list").returncode, 0)
        self.stop(daemon)

    def test_a_stop_at_any_moment_of_the_start_leaves_nothing(self):
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        for moment_ms in (1, 5, 20, 60, 150):
            daemon = self.begin(site)
            time.sleep(moment_ms / 1000)
            daemon.terminate()
            said = daemon.stderr.read()
            # Before it watches for signals it has nothing yet that it could leave.
            self.assertIn(daemon.wait(PATIENCE_S), (0, -signal.SIGTERM), said)
            if os.path.exists(self.run_dir):
                self.assertEqual(os.listdir(self.run_dir), [], f"after {moment_ms} ms: {said}")

    def test_what_a_crash_left_behind_hinders_no_start(self):
        site = self.write({"name": "one", "chassis": chassis(null_card(0))})
        daemon, _ = self.start(site)
        daemon.kill()
        daemon.wait()
        self.assertIn("one.sock", os.listdir(self.run_dir))
        daemon, _ = self.start(site)
        self.stop(daemon)

    def test_a_site_may_come_through_a_pipe_that_is_slow(self):
        for command in ([TOOL, "site", "check", "/dev/stdin"], [DAEMON, "/dev/stdin"]):
            reader = subprocess.Popen(command, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
            time.sleep(0.3)
            self.assertIsNone(reader.poll(), command)
            said = reader.communicate("name: one\nbogus: 1\n", timeout=PATIENCE_S)[0]
            self.assertIn("/dev/stdin:2: unknown key 'bogus'", said)
            self.assertEqual(reader.returncode, 1)

    def test_output_that_cannot_be_written_is_an_error(self):
        for program in (DAEMON, TOOL):
            for option in ("--help", "--version"):
                with open("/dev/full", "w", encoding="ascii") as full:
                    done = subprocess.run([program, option], stdout=full, stderr=subprocess.PIPE, text=True,
                                          timeout=PATIENCE_S)
                self.assertEqual(done.returncode, 1, (program, option))
                self.assertIn("cannot write the output", done.stderr)


unittest.main(argv=sys.argv[:1])
