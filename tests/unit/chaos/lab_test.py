#!/usr/bin/python3
"""The parts of a chaos run that need no cluster: the table of faults, what the directory's entries
say, the page, clocks that step."""

import pathlib
import random
import struct
import sys
import tempfile
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / part) for part in ("chaos", "support")]

import homes  # noqa: E402  (the folders have to be known first)
import page  # noqa: E402
from lab import clock  # noqa: E402
from lab.process import Process, wait_for  # noqa: E402
from nemeses import NEMESES, able  # noqa: E402

# It waits by select(): libfaketime lets Python's time.sleep() fail.
TELL_TIME = """
import select, time
while True:
    print(time.time(), time.monotonic(), flush=True)
    select.select([], [], [], 0.1)
"""


class Table(unittest.TestCase):
    def test_a_short_run_draws_no_long_row(self):
        short = able({"disk", "clock"}, long=False)
        self.assertFalse([one.name for one in short if one.long])
        self.assertEqual(able({"disk", "clock"}, long=True), list(NEMESES.values()))

    def test_what_a_machine_has_not_is_left_out(self):
        left_out = [one for one in NEMESES.values() if one not in able(set(), long=True)]
        self.assertTrue(left_out)
        self.assertTrue(all(one.needs for one in left_out))
        self.assertEqual(able(set(), True, ["disk-full"]), [])

    def test_rows_that_are_named_are_the_only_ones(self):
        self.assertEqual([one.name for one in able(set(), False, ["evacuate"])], ["evacuate"])
        self.assertRaises(KeyError, able, set(), False, ["no-such-fault"])

    def test_times_are_in_order(self):
        for one in NEMESES.values():
            self.assertLessEqual(one.lasts_s[0], one.lasts_s[1], one.name)


class Entries(unittest.TestCase):
    VALUE = b"\x01\x03sin" + struct.pack("<IB", 7, 0)

    def test_an_entry_tells_home_and_epoch(self):
        self.assertEqual(homes.parse_entry(self.VALUE), ("sin", 7))

    def test_what_is_no_entry_is_refused(self):
        for value in (
            b"",
            b"\x01",
            b"\x02" + self.VALUE[1:],
            self.VALUE[:8],
            b"\x01\xff" + b"a" * 9,
        ):
            self.assertRaises(ValueError, homes.parse_entry, value)

    def test_subjects_are_base64url_without_padding(self):
        self.assertEqual(homes.subject("bob"), "$KV.DIRECTORY.u.Ym9i")
        self.assertEqual(homes.subject("\u00ff?"), "$KV.DIRECTORY.u.w78_")

    def test_only_what_is_new_at_a_place_is_written(self):
        wrote = []
        history = types.SimpleNamespace(write=lambda event, **more: wrote.append((event, more)))
        cluster = types.SimpleNamespace(names=["sin", "dub"], primary="dub")
        noted = homes.Homes(cluster, history, ["bob"])
        for region, home in (("dub", "sin"), ("dub", "sin"), ("sin", "sin"), ("dub", "dub")):
            noted.note(region, {"bob": (home, 1)})
        self.assertEqual(
            [(more["at"], more["home"]) for _, more in wrote],
            [("KV_DIRECTORY", "sin"), ("KV_DIRECTORY_sin", "sin"), ("KV_DIRECTORY", "dub")],
        )


class Page(unittest.TestCase):
    def test_it_names_the_seed_and_what_each_process_took(self):
        peaks = types.SimpleNamespace(rss={"sin-h1": 5 << 20}, files={"sin-h1": 9})
        ran = types.SimpleNamespace(name="sin-h1", starts=3, reports=lambda: ["a leak"])
        never = types.SimpleNamespace(name="sin-h2", starts=0, reports=list)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.md"
            page.add_processes(path, 42, peaks, [ran, never])
            text = path.read_text()
        self.assertIn("The seed was 42.", text)
        self.assertIn("| sin-h1 | 5 MiB | 9 | 2 | 1 |\n| sin-h2 | 0 MiB | 0 | 0 | 0 |\n", text)


class Clocks(unittest.TestCase):
    @unittest.skipIf(clock.missing(), str(clock.missing()))
    def test_a_step_is_seen_and_the_monotonic_clock_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            process = Process("talker", [sys.executable, "-c", TELL_TIME], log)
            stepped = clock.Clock(process, folder)
            process.start()
            self.addCleanup(process.kill)

            def ahead_s():
                lines = [line for line in process.log().splitlines(True) if line.endswith("\n")]
                return float(lines[-1].split()[0]) - log.stat().st_mtime if lines else 0

            for step_s in (random.choice([-1, 1]) * 864000, 3600, 0):
                stepped.set(step_s)
                wait_for(lambda: abs(ahead_s() - step_s) < 60, 20, f"{step_s} s ahead", 0.1)
            ticks = [float(line.split()[1]) for line in process.log().splitlines()[:-1]]
            self.assertLess(max(b - a for a, b in zip(ticks, ticks[1:])), 60)
            self.assertEqual(ticks, sorted(ticks))


if __name__ == "__main__":
    unittest.main()
