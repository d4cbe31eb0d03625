#!/usr/bin/env python3
"""The tool against a server with a fake site: what it prints, where, and its exit codes.

Usage: cli_test.py MIDPLANE SERVER"""
import contextlib
import fcntl
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

TOOL, SERVER = sys.argv[1:3]
NOUNS = ["chassis", "carrier", "card", "function", "host", "pool", "system", "group", "worker"]


def run(*words, env=None):
    return subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=200,
                          env={**os.environ, **(env or {})})


class Served(unittest.TestCase):
    """Tests with a fresh server behind self.tool()."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="midplane-cli-")
        self.socket = self.directory.name + "/s.sock"
        self.env = {"MIDPLANE_RUN_DIR": self.directory.name}
        self.servers = []
        self.serve(self.socket)

    def serve(self, *arguments):
        server = subprocess.Popen([SERVER, *arguments], stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, **self.env})
        self.servers.append(server)
        self.assertEqual(server.stdout.readline(), "ready\n")
        return server

    def tearDown(self):
        for server in self.servers:
            server.terminate()
            self.assertEqual(server.wait(60), 0)
            server.stdout.close()
        self.assertEqual(os.listdir(self.directory.name), [])
        self.directory.cleanup()

    def tool(self, *words):
        return run("--socket", self.socket, *words)

    def json(self, *words):
        done = self.tool("-o", "json", *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def refused(self, code, text, *words):
        done = self.tool(*words)
        self.assertEqual((done.returncode, done.stderr, done.stdout), (code, text + "\n", ""))

    def test_every_noun_lists_objects_with_a_name_and_shows_each(self):
        for noun in NOUNS + ["site"]:
            listed = self.json(noun, "list")
            self.assertIsInstance(listed, list)
            for item in listed:
                shown = self.json(noun, "show", item["name"])
                self.assertEqual(shown["name"], item["name"])
                self.assertLessEqual(set(item), set(shown))

    def test_options_stand_before_or_after_the_command(self):
        for words in (["-o", "json", "card", "list"], ["card", "list", "-ojson"],
                      ["card", "--output=json", "list"], ["card", "list", "--output", "json"]):
            self.assertEqual(json.loads(self.tool(*words).stdout)[0]["name"], "nic0", words)

    def test_tables_are_aligned(self):
        lines = self.tool("card", "list").stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertEqual(line.rstrip(), line)
        at = lines[0].index("STATE")
        self.assertTrue(lines[1][at:].startswith("in-service"))
        shown = self.tool("function", "show", "nic0/vf1").stdout
        self.assertIn("drops:\n  REASON  FRAMES  TEXT\n", shown)

    def test_a_pulled_card_is_pulled_once(self):
        done = self.tool("card", "pull", "nic1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.json("card", "show", "nic1")["state"], "pulled")
        self.refused(1, "midplane: card pull: card 'nic1' is pulled already", "card", "pull", "nic1")
        self.assertEqual(self.json("card", "insert", "nic1", "--no-switch-back")["state"],
                         "in-service")
        self.assertEqual(self.tool("card", "hang", "nic1").returncode, 0)
        self.assertTrue(self.json("card", "show", "nic1")["hung"])
        self.assertFalse(self.json("card", "hang", "nic1", "--off")["hung"])

    def test_what_is_not_there_is_said_with_what_is(self):
        self.refused(4, "midplane: card pull: there is no card 'nic9'; the cards are: nic0, nic1",
                     "card", "pull", "nic9")
        self.refused(4, "midplane: pool show: there is no pool '..'; the pools are: pool0",
                     "pool", "show", "..")
        self.refused(4, "midplane: pool show: there is no pool 'a b%/?#'; the pools are: pool0",
                     "pool", "show", "a b%/?#")
        self.refused(4, "midplane: system switch: system 'vm1' has no interface 'x'",
                     "system", "switch", "vm1", "--io", "x", "--card", "nic1")
        self.assertEqual(self.tool("card", "show", "x" * 3000).returncode, 4)

    def test_an_empty_name_is_no_name(self):
        for words in (["card", "show", ""], ["card", "pull", ""], ["site", "show", ""]):
            self.refused(2, f"midplane: {words[0]} {words[1]}: wants a name", *words)

    def test_a_socket_where_nobody_answers_is_said_so(self):
        here = self.directory.name
        for path, text in (("/dev/null", "that is not a socket"), (here, "that is not a socket"),
                           (here + "/none", "No such file or directory")):
            done = run("--socket", path, "card", "list")
            self.assertEqual((done.returncode, done.stderr),
                             (3, f"midplane: card list: no daemon answers at {path}: {text}\n"))
        self.servers[0].kill()
        self.servers.pop(0).communicate(timeout=60)
        done = run("--socket", self.socket, "card", "list")
        self.assertEqual((done.returncode, done.stderr), (
            3, f"midplane: card list: no daemon answers at {self.socket}: nobody listens there\n"))
        os.unlink(self.socket)
        self.assertEqual(run("--socket", "", "card", "list").returncode, 2)

    def test_the_tool_is_answered_behind_more_silent_clients_than_the_socket_takes(self):
        with contextlib.ExitStack() as crowd:
            with self.assertRaises(BlockingIOError):
                while True:
                    silent = crowd.enter_context(socket.socket(socket.AF_UNIX))
                    silent.setblocking(False)
                    silent.connect(self.socket)
            self.assertEqual(self.tool("card", "list").returncode, 0)

    def test_a_socket_whose_queue_stays_full_is_said_so(self):
        path = self.directory.name + "/full.sock"
        with contextlib.ExitStack() as crowd:
            listener = crowd.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path)
            crowd.callback(os.unlink, path)
            listener.listen(1)
            with self.assertRaises(BlockingIOError):
                while True:
                    waits = crowd.enter_context(socket.socket(socket.AF_UNIX))
                    waits.setblocking(False)
                    waits.connect(path)
            done = run("--socket", path, "card", "list")
            self.assertEqual((done.returncode, done.stderr), (
                3, f"midplane: card list: no daemon answers at {path}: too many others wait for it\n"))

    def test_a_switch_and_what_cards_and_hosts_tell(self):
        done = self.tool("system", "switch", "vm1", "--io=net0", "--card", "nic1")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.json("card", "fdb", "nic0")[0]["mac"], "52:54:00:00:00:01")
        self.assertIn("52:54:00:00:00:01", self.tool("card", "fdb", "nic0").stdout)
        self.assertEqual(self.tool("host", "lspci", "host0").stdout, "-[0000:00]-\n")
        self.assertEqual(self.tool("host", "lspci", "host0", "--dump").stdout, "00:00.0 dump\n")
        self.assertIn("dump", self.json("host", "lspci", "host0", "--dump")["text"])

    def test_events_are_listed_and_followed(self):
        self.assertEqual(self.json("event", "list"), [])
        follower = subprocess.Popen([TOOL, "--socket", self.socket, "-o", "json", "event", "list",
                                     "--follow"], stdout=subprocess.PIPE, text=True)
        self.tool("card", "pull", "nic0")
        event = json.loads(follower.stdout.readline())
        self.assertEqual((event["id"], event["kind"], event["away_us"]), (1, "moved", 250.5))
        self.tool("card", "pull", "nic1")
        self.assertEqual(json.loads(follower.stdout.readline())["id"], 2)
        follower.terminate()
        follower.wait()
        follower.stdout.close()
        self.assertEqual([e["id"] for e in self.json("event", "list", "--after", "1")], [2])
        self.assertIn("250.5 us", self.tool("event", "list").stdout)
        self.assertEqual(self.json("event", "show", "2")["name"], "2")

    def test_a_follower_ends_when_the_daemon_does(self):
        follower = subprocess.Popen([TOOL, "--socket", self.socket, "event", "list", "--follow"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.tool("card", "pull", "nic0")
        self.assertIn("away 250.5 us", follower.stdout.readline())
        self.servers[0].terminate()
        self.servers[0].wait(60) # a second signal would find it without its handler
        self.assertIn("no daemon answers", follower.communicate(timeout=60)[1])
        self.assertEqual(follower.returncode, 3)

    def test_the_one_site_that_runs_is_found(self):
        none = run("card", "list", env=self.env)
        self.assertEqual(none.returncode, 3)
        self.assertIn("no site runs here", none.stderr)
        lab = self.directory.name + "/elsewhere"
        self.serve(lab, "lab")
        self.assertEqual(run("card", "list", env=self.env).returncode, 0)
        self.serve(self.directory.name + "/demo.sock", "demo")
        several = run("card", "list", env=self.env)
        self.assertEqual(several.returncode, 2)
        self.assertRegex(several.stderr, "several sites run here: (lab, demo|demo, lab);")
        self.assertEqual(run("--site", "lab", "card", "list", env=self.env).returncode, 0)
        other = run("--site", "x", "card", "list", env=self.env)
        self.assertEqual(other.returncode, 3)
        self.assertIn("no site 'x' runs here", other.stderr)

    def test_a_second_start_is_told_who_has_the_site(self):
        first = self.serve(self.directory.name + "/demo.sock", "demo")
        for socket in ("/demo.sock", "/other.sock"):
            second = subprocess.run([SERVER, self.directory.name + socket, "demo"],
                                    capture_output=True, text=True,
                                    env={**os.environ, **self.env})
            self.assertEqual(second.returncode, 3)
            self.assertRegex(second.stderr, f"site 'demo' is already run by midplaned pid "
                             f"{first.pid} since 20.*Z \\(socket .*/demo.sock\\)")
        third = subprocess.run([SERVER, self.directory.name + "/demo.sock", "lab"],
                               capture_output=True, text=True, env={**os.environ, **self.env})
        self.assertEqual(third.returncode, 3)
        self.assertIn(f"pid {first.pid}", third.stderr)

    def test_a_crash_leaves_nothing_in_the_way(self):
        first = self.serve(self.directory.name + "/demo.sock", "demo")
        first.kill()
        first.wait()
        first.stdout.close()
        self.servers.remove(first)
        self.assertEqual(run("card", "list", env=self.env).returncode, 3)
        self.serve(self.directory.name + "/demo.sock", "demo")
        self.assertEqual(run("card", "list", env=self.env).returncode, 0)

    def test_the_socket_is_for_its_owner_and_group(self):
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o660)

    def test_a_file_at_the_sockets_place_is_left_alone(self):
        path = pathlib.Path(self.directory.name) / "file"
        path.write_text("mine")
        done = subprocess.run([SERVER, path], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not a socket", done.stderr)
        self.assertEqual(path.read_text(), "mine")
        path.unlink()


class Alone(unittest.TestCase):
    """What needs no server."""

    def usage(self, text, *words):
        done = run(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        self.assertIn(text, done.stderr)

    def test_mistakes_are_named(self):
        self.usage("Usage: midplane")
        self.usage("there is no noun 'crad'", "crad", "list")
        self.usage("card: there is no 'lst'; there is: list, show, fdb", "card", "lst")
        self.usage("card: say what to do: list", "card")
        self.usage("midplane: card pull: wants a name", "card", "pull")
        self.usage("site check: wants a site file", "site", "check")
        self.usage("'y' is one word too many", "card", "pull", "x", "y")
        self.usage("'x' is one word too many", "card", "list", "x")
        self.usage("there is no option '--colour'", "card", "list", "--colour")
        self.usage("option --io wants a value", "system", "switch", "vm1", "--io")
        self.usage("option --dump takes no value", "host", "lspci", "h", "--dump=1")
        self.usage("does not take --dump", "card", "list", "--dump")
        self.usage("wants --io", "system", "switch", "vm1", "--card", "x")
        self.usage("exclude each other", "card", "insert", "x", "--switch-back", "--no-switch-back")
        self.usage("'xml' is neither table nor json", "card", "list", "-o", "xml")
        self.usage("--after: '-1' is not the number", "event", "list", "--after=-1")

    def test_nobody_at_the_socket_is_code_3(self):
        done = run("--socket", "/nonexistent/x.sock", "card", "list")
        self.assertEqual(done.returncode, 3)
        self.assertEqual(done.stderr, "midplane: card list: no daemon answers at "
                                      "/nonexistent/x.sock: No such file or directory\n")

    def test_help_lists_every_command_and_each_has_its_own(self):
        text = run("--help").stdout
        commands = [line.split()[:2] for line in text.split("\nOptions")[0].splitlines()
                    if line.startswith("  ") and line[2] != " "]
        self.assertGreater(len(commands), 25)
        for noun, verb in commands:
            done = run(noun, verb, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"{noun} {verb}", done.stdout)
            self.assertIn(verb, run(noun, "--help").stdout)

    def test_the_version_is_printed(self):
        self.assertRegex(run("--version").stdout, r"^midplane \d+\.\d+")

    def test_a_full_disk_is_no_success(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "--help"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)

    def test_site_files_are_checked_without_a_daemon(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as site:
            site.write("name: x\nworkers: many\n")
            site.flush()
            done = run("site", "check", site.name)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"{site.name}:2: workers: ", done.stderr)
            done = run("-o", "json", "site", "check", site.name)
            self.assertEqual(done.returncode, 1)
            findings = json.loads(done.stdout)
            self.assertEqual([(f["line"], f["path"]) for f in findings if f["path"] == "workers"],
                             [(2, "workers")])
        self.assertEqual(run("site", "check", "/nonexistent.yaml").returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
