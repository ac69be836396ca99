#!/usr/bin/python3
"""Keeps the tree clean: what no file may hold, and how every file is written.

Corpora and golden files are bytes, not text, and are left alone.
"""

import ipaddress
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_OURS = {"build", "node_modules", "corpus", "golden", "__pycache__"}

# Each rule is written so that it does not find itself.
FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.~$}])/(?:home|root|Users|work)/[\w.]",
    "the host of a package registry":
        r"\b(?:deb|ftp|security|snapshot|registry|proxy|index|files|static)"
        r"\.[a-z-]+\.(?:org|com|io|net|dev)\b",
    "work that belongs in the tracker": r"\b(?:TO" r"DO|FIX" r"ME)\b",
    "a conflict that was not resolved": r"^(?:<{7}|>{7}) ",
    "a line end of another system": r"\r",
    "a space at the end of a line": r"[ \t]$",
}  # fmt: skip
# Whose lines have an end: Python is left to its formatter.
CODE = {".c", ".h", ".sh", ".cmake", ".txt", ""}
# Between these marks the author has lined things up by hand.
BY_HAND = re.compile(r"clang-format off.*?clang-format on", re.S)
LONG_LINE = re.compile(r"^.{101,}$", re.M)
ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
KNOWN_HOSTS = {"www.apache.org", "www.rfc-editor.org", "www.w3.org"}


def files(root):
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in NOT_OURS and name != ".git"]
        for name in names:
            if name != ".git":
                yield pathlib.Path(folder, name)


def texts(root):
    for path in files(root):
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            yield path, text


def is_known_host(host):
    if host in KNOWN_HOSTS or re.search(r"\.(?:example|test|invalid|local)$|\bexample\.\w+$", host):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_words(root):
    for path, text in texts(root):
        name = path.relative_to(root)
        for what, pattern in FORBIDDEN.items():
            for match in re.finditer(pattern, text, re.M):
                yield f"{name}:{line_of(text, match.start())}: {what}: {match[0].strip()}"
        for match in ADDRESS.finditer(text):
            if not is_known_host(match[1]):
                yield f"{name}:{line_of(text, match.start())}: an address outside: {match[1]}"
        if path.suffix in CODE:
            lines = BY_HAND.sub(lambda marked: "\n" * marked[0].count("\n"), text)
            for match in LONG_LINE.finditer(lines):
                yield f"{name}:{line_of(lines, match.start())}: is longer than 100 columns"
        if text and not text.endswith("\n"):
            yield f"{name}: does not end with a line end"


def check_modes(root):
    for path, text in texts(root):
        name = path.relative_to(root)
        if text.startswith("#!") and not os.access(path, os.X_OK):
            yield f"{name}: names its interpreter but is not executable"
        if not text.startswith("#!") and os.access(path, os.X_OK):
            yield f"{name}: is executable but names no interpreter"


class TheTree(unittest.TestCase):
    def assert_clean(self, found):
        found = list(found)
        if found:
            self.fail("\n" + "\n".join(found))

    def test_holds_no_forbidden_words(self):
        self.assert_clean(check_words(ROOT))

    def test_modes_fit_the_files(self):
        self.assert_clean(check_modes(ROOT))

    def test_shell_scripts_parse(self):
        for path, text in texts(ROOT):
            if re.match(r"#!/(?:usr/)?bin/(?:ba)?sh\b", text) or path.suffix == ".sh":
                checked = subprocess.run(["bash", "-n", path], capture_output=True, check=False)
                self.assertEqual(checked.stderr, b"")

    def test_c_is_formatted(self):
        formatter = shutil.which("clang-format")
        if formatter is None:
            self.skipTest("clang-format is not installed")
        version = subprocess.check_output([formatter, "--version"], text=True)
        if " version 14." not in version:
            self.skipTest("formats as another version than Debian 12's does")
        sources = [path for path in files(ROOT) if path.suffix in (".c", ".h")]
        command = [formatter, "--dry-run", "-Werror", *sources]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, "\n" + checked.stderr)


class ThisChecker(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def found_in(self, text):
        (self.root / "file.c").write_bytes(text.encode())
        return len(list(check_words(self.root)))

    def test_finds_what_is_forbidden(self):
        for text in (
            "see /" "home/alice/notes\n",
            "TO" "DO: later\n",
            "from registry" ".npmjs.org\n",
            "https:" "//download.some" "where.com/x.tar.gz\n",
            "space \n",
            "carriage\r\n",
            "no line end",
            "/" * 101 + "\n",
        ):  # fmt: skip
            self.assertEqual(self.found_in(text), 1, text)

    def test_lets_pass_what_is_not(self):
        for text in (
            "",
            "nats://127.0.0.1:4222 and nats://10.77.0.1:6222\n",
            "http://localhost:8080/healthz and wss://edge-1.dub.example/ws\n",
            '"$root/scripts/test" in lib/root/file.c\n',
            "/" * 100 + "\n",
        ):
            self.assertEqual(self.found_in(text), 0, text)

    def test_finds_a_script_that_cannot_run(self):
        (self.root / "script").write_text("#!/bin/sh\n", encoding="utf-8")
        self.assertEqual(len(list(check_modes(self.root))), 1)


if __name__ == "__main__":
    unittest.main()
