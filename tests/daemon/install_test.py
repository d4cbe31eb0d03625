#!/usr/bin/env python3
"""make install puts programs and pages below DESTDIR, wherever that is, and they work from there.

Usage: install_test.py SOURCE BUILD BINDIR SBINDIR MANDIR"""
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD, BIN, SBIN, MAN = sys.argv[1:6]
PROGRAMS = {f"{BIN}/midplane": "midplane ", f"{SBIN}/midplaned": "midplaned "}
PAGES = ("man1/midplane.1", "man5/midplane-site.5", "man8/midplaned.8")


class Install(unittest.TestCase):
    def install(self, directory, where):
        # What is to be installed is built already; and nothing below DESTDIR needs another user.
        subprocess.run(["make", "-C", SOURCE, "-s", "-o", "all", "install", f"BUILD={BUILD}", f"DESTDIR={where}",
                        "SUDO=false"], check=True, stdout=subprocess.DEVNULL, timeout=300)
        for path, begin in PROGRAMS.items():
            said = subprocess.run([directory + path, "--version"], check=True, stdout=subprocess.PIPE,
                                  text=True, timeout=300).stdout
            self.assertTrue(said.startswith(begin), said)
        for page in PAGES:
            self.assertGreater(os.path.getsize(f"{directory}{MAN}/{page}"), 0)

    def test_a_directory_with_a_blank_in_its_name(self):
        with tempfile.TemporaryDirectory(prefix="midplane install ") as directory:
            self.install(directory, directory)

    def test_a_directory_named_from_where_make_is(self):
        with tempfile.TemporaryDirectory(prefix="midplane-install-") as directory:
            self.install(directory, os.path.relpath(directory, os.path.realpath(SOURCE)))


unittest.main(argv=sys.argv[:1])
