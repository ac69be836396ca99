#!/usr/bin/python3
"""The page of promises says what was measured, also what was not reached, and nothing else."""

import importlib
import os
import pathlib
import re
import sys
import tempfile
import types
import unittest
from unittest import mock

TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(TESTS / "promises"))

from page import Run, measure, read_lines, render, spread, verdict  # noqa: E402
from rows import ROWS, Row, tests  # noqa: E402


def load_lab(*names):
    """Modules of the lab without the rest of it, which needs what only integration tests have."""
    package = types.ModuleType("lab")
    package.__path__ = [str(TESTS / "support" / "lab")]
    with mock.patch.dict(sys.modules, {"lab": package}):
        return [importlib.import_module(f"lab.{name}") for name in names]


promise, record = load_lab("promise", "record")

HUB = Row("hub", "a hub", "back in 5 s", "silence, p99", "a_test.py::test_hub")


def held(measured, promised=5, row="hub"):
    return {"row": row, "measured": measured, "promised": promised, "unit": "s"}


def judged(accepted=10, lost=0, repeated=0, disordered=0, row="hub"):
    found = {"lost": lost, "repeated": repeated, "disordered": disordered}
    return {"row": row, "accepted": accepted, **found}


def run(*lines, passed=True):
    return Run(HUB.test, passed, list(lines))


def verdict_of(*runs):
    return verdict(measure(HUB, runs))


class Measuring(unittest.TestCase):
    def test_the_worst_of_a_run_counts_and_counts_are_summed(self):
        found = measure(HUB, [run(held(1), held(3), judged()), run(held(2), judged(20))])
        self.assertEqual(found.figures, [3, 2])
        self.assertEqual((found.promised, found.unit, found.accepted), (5, "s", 30))
        self.assertEqual(found.counts, {"lost": 0, "repeated": 0, "disordered": 0})

    def test_other_rows_and_other_tests_are_left_out(self):
        other = Run("a_test.py::test_edge", False, [held(9)])
        found = measure(HUB, [other, run(held(1), held(8, row="edge"), judged(), judged(row="x"))])
        self.assertEqual((found.runs, found.failed, found.figures, found.accepted), (1, 0, [1], 10))

    def test_what_nothing_is_promised_of_is_kept_apart(self):
        told = {"row": "hub", "beside": "told", "measured": 7, "unit": "s"}
        found = measure(HUB, [run(held(1), told, judged())])
        self.assertEqual((found.figures, found.beside), ([1], {("told", "s"): [7]}))


class Verdicts(unittest.TestCase):
    def test_a_figure_at_the_promise_is_reached_and_one_past_it_is_not(self):
        self.assertEqual(verdict_of(run(held(5), judged())), "reached")
        said = verdict_of(run(held(1), judged()), run(held(5.01), judged()))
        self.assertIn("not reached**: over the promise in 1 of 2 runs", said)

    def test_each_loss_repeat_and_disorder_is_said(self):
        for what in ("lost", "repeated", "disordered"):
            said = verdict_of(run(held(1), judged(**{what: 1})), run(held(1), judged()))
            self.assertEqual(said, f"**not reached**: 1 {what}")

    def test_a_failed_test_is_not_reached_however_good_its_figure(self):
        said = verdict_of(run(held(1), judged(), passed=False), run(held(1), judged()))
        self.assertEqual(said, "**not reached**: test failed in 1 of 2 runs")

    def test_what_was_not_measured_or_not_counted_is_never_reached(self):
        self.assertEqual(verdict_of(), "**not measured**")
        self.assertEqual(verdict_of(run()), "**not measured**")  # such as one that was skipped
        self.assertIn("not counted", verdict_of(run(held(1))))
        self.assertIn("no figure in 1 of 2", verdict_of(run(held(1), judged()), run(judged())))


class Rendering(unittest.TestCase):
    def test_figures_are_rounded_by_their_size(self):
        self.assertEqual(spread([3, 1, 2], "s"), "1.00 / 2.00 / 3.00 s")
        self.assertEqual(spread([1, 20.26], "ms"), "1.0 / 10.6 / 20.3 ms")
        self.assertEqual(spread([], "s"), "")

    def test_the_page_has_every_row_also_those_not_reached(self):
        late = HUB._replace(key="late", fails="a late one")
        page = render([HUB, late], [run(held(1), judged(), held(6, row="late"))], ["On a machine."])
        self.assertIn("**1 of 2 reached.**", page)
        self.assertRegex(page, r"\| a hub \| .* \| 1\.00 / .* \| 0 / 0 / 0 of 10 \| reached \|")
        self.assertRegex(page, r"\| a late one \| .* \| \*\*not reached\*\*: over the promise")
        self.assertIn("- On a machine.", page)
        self.assertTrue(page.endswith("|\n"))

    def test_a_page_of_no_runs_can_be_written(self):
        self.assertIn(f"**0 of {len(ROWS)} reached.**", render(ROWS, [], []))


class Collecting(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name) / "lines"
        self.path.touch()

    def collected(self, *calls):
        with mock.patch.dict(os.environ, {"MERIDIAN_PROMISES": str(self.path)}):
            with mock.patch("builtins.print"):
                for call, arguments, more in calls:
                    try:
                        call(*arguments, **more)
                    except AssertionError:
                        pass
        return read_lines(self.path.read_text(encoding="utf-8"))

    def test_what_tests_write_is_read_also_where_they_fail_by_it(self):
        lines = self.collected(
            (promise.hold, ("x", 60, 5), {"row": "hub"}),
            (promise.hold, ("of no row", 1, 5), {}),
            (promise.tell, ("told", 7, "s"), {"row": "hub"}),
            (promise.hold_clean, (10, ["a"], [], []), {"rows": ["hub", "edge"]}),
        )
        found = measure(HUB, [run(*lines)])
        self.assertEqual((len(lines), found.figures, found.accepted), (4, [60], 10))
        self.assertEqual(found.counts, {"lost": 1, "repeated": 0, "disordered": 0})
        self.assertEqual(found.beside, {("told", "s"): [7]})

    def test_a_line_that_was_cut_short_is_left_out(self):
        self.assertEqual(read_lines('{"row": "hub"}\n{"row": "h'), [{"row": "hub"}])

    def test_numbers_are_judged_by_the_order_in_which_they_were_sent(self):
        judge = record.judge_numbers
        self.assertEqual(judge(range(4), [0, 1, 2, 3]), ([], [], []))
        self.assertEqual(judge(range(4), [0, 2, 2, 1]), ([3], [2], [1]))
        self.assertEqual(judge("ba", "ba"), ([], [], []))


class TheTable(unittest.TestCase):
    def test_every_row_names_a_test_that_is_there_and_writes_it(self):
        self.assertEqual(len({row.key for row in ROWS}), len(ROWS))
        for row in ROWS:
            file, test = row.test.split("::")
            text = (TESTS / "integration" / file).read_text(encoding="utf-8")
            self.assertRegex(text, rf"def {test}\(")
            self.assertRegex(text, rf'hold(?:_p99)?\([^"]*(?:"[^"]*"[^"]*)*"{re.escape(row.key)}"')
            self.assertRegex(text, rf'rows=\[[^\]]*"{re.escape(row.key)}"')

    def test_a_test_with_several_rows_runs_once_and_long_if_one_wants_it(self):
        twice = [HUB, HUB._replace(key="x", full=True), HUB._replace(key="y", test="b_test.py::t")]
        self.assertEqual(tests(twice), {HUB.test: True, "b_test.py::t": False})


if __name__ == "__main__":
    unittest.main()
