#!/usr/bin/python3
"""What writes histories loses nothing, keeps their order, and needs no lock between processes."""

import json
import multiprocessing
import os
import pathlib
import signal
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "chaos"))

from checker.judge import judge_lines  # noqa: E402
from history import History, body_hash, merge  # noqa: E402

WRITERS, EVENTS = 4, 500


def write_many(history, name):
    for number in range(EVENTS):
        history.write("home", user=name, home="sin", epoch=number + 1)


def fork_and_write(history, name):
    """In a process of its own, with the History that its parent opened."""
    child = os.fork()
    if child == 0:
        write_many(history, name)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


class Writing(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.parts = self.folder / "parts"

    def merged(self):
        path = self.folder / "history.jsonl"
        count = merge(self.parts, path)
        lines = path.read_text("utf-8").splitlines()
        self.assertEqual(len(lines), count)
        return lines

    def assert_all_in_order(self, lines, names):
        events = [json.loads(line) for line in lines]
        times = [event["t"] for event in events]
        self.assertEqual(times, sorted(times))
        for name in names:
            epochs = [event["epoch"] for event in events if event.get("user") == name]
            self.assertEqual(epochs, list(range(1, EVENTS + 1)))
        _, found = judge_lines(lines)
        self.assertFalse(any(count for _, count, _ in found.values()))

    def test_threads_and_killed_children_write_beside_each_other(self):
        names = [f"user-{number}" for number in range(2 * WRITERS)]
        with History(self.parts) as history:
            history.write("run", format=1)
            threads = [
                threading.Thread(target=write_many, args=(history, name))
                for name in names[:WRITERS]
            ]
            for thread in threads:
                thread.start()
            for name in names[WRITERS:]:
                fork_and_write(history, name)
            for thread in threads:
                thread.join()
        self.assertEqual(len(list(self.parts.iterdir())), 1 + WRITERS)
        self.assert_all_in_order(self.merged(), names)

    def test_processes_that_open_their_own(self):
        def body(name):
            with History(self.parts) as history:
                write_many(history, name)

        with History(self.parts) as history:
            history.write("run", format=1)
        names = [f"user-{number}" for number in range(WRITERS)]
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=body, args=(name,)) for name in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
            self.assertEqual(process.exitcode, 0)
        self.assert_all_in_order(self.merged(), names)

    def test_a_line_that_was_not_finished_is_left_out(self):
        with History(self.parts) as history:
            history.write("run", format=1)
        (part,) = self.parts.iterdir()
        with part.open("a", encoding="utf-8") as file:
            file.write('{"t": 99, "ev": "ho')
        self.assertEqual(len(self.merged()), 1)

    def test_what_is_none_is_left_out_and_text_stays_what_it_is(self):
        with History(self.parts) as history:
            t = history.write("home", user="\u00e9\u2028\n", home="sin", epoch=1, at=None)
        event = {"t": t, "ev": "home", "user": "\u00e9\u2028\n", "home": "sin", "epoch": 1}
        path = self.folder / "history.jsonl"
        merge(self.parts, path)
        lines = path.read_text("utf-8").split("\n")
        self.assertEqual((json.loads(lines[0]), lines[1:]), (event, [""]))

    def test_a_hash_is_of_bytes(self):
        self.assertEqual(body_hash(b"{}"), body_hash(b"{}"))
        self.assertNotEqual(body_hash(b'{"a":1}'), body_hash(b'{"a": 1}'))


if __name__ == "__main__":
    unittest.main()
