"""What runs have measured, judged and written down. Pure: no clock, file or process."""

import json
import statistics
from typing import NamedTuple

COUNTS = ("lost", "repeated", "disordered")


class Run(NamedTuple):
    """One run of one test."""

    test: str
    passed: bool
    lines: list  # what promise.py wrote meanwhile, each a dict


class Measured(NamedTuple):
    """What the runs say of one row."""

    runs: int
    failed: int
    figures: list  # of each run that has one: the worst
    promised: float | None
    unit: str
    accepted: int
    counts: dict | None  # None: in some run nothing was counted
    beside: dict  # (what, unit) -> [measured]


def read_lines(text):
    """Lines of JSON; one that was cut short, as by a killed test, is left out."""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def measure(row, runs):
    mine = [run for run in runs if run.test == row.test]
    figures, accepted, counts, beside = [], 0, dict.fromkeys(COUNTS, 0), {}
    promised, unit, counted = None, "", 0
    for run in mine:
        lines = [line for line in run.lines if line["row"] == row.key]
        held = [line for line in lines if "promised" in line]
        if held:
            promised, unit = held[0]["promised"], held[0]["unit"]
            figures.append(max(line["measured"] for line in held))
        for line in lines:
            if "beside" in line:
                beside.setdefault((line["beside"], line["unit"]), []).append(line["measured"])
        judged = [line for line in lines if "lost" in line]
        counted += bool(judged)
        for line in judged:
            accepted += line["accepted"]
            for what in COUNTS:
                counts[what] += line[what]
    whole = counts if mine and counted == len(mine) else None
    failed = sum(not run.passed for run in mine)
    return Measured(len(mine), failed, figures, promised, unit, accepted, whole, beside)


def verdict(measured):
    """Reached only if every run passed, was measured and counted, and stayed within the promise."""
    if not measured.figures:
        return "**not measured**"
    why = []
    late = sum(figure > measured.promised for figure in measured.figures)
    if late:
        why.append(f"over the promise in {late} of {measured.runs} runs")
    why += [f"{n} {what}" for what, n in (measured.counts or {}).items() if n]
    if measured.failed:
        why.append(f"test failed in {measured.failed} of {measured.runs} runs")
    elif len(measured.figures) < measured.runs:
        why.append(f"no figure in {measured.runs - len(measured.figures)} of {measured.runs} runs")
    elif measured.counts is None:
        why.append("not counted in every run")
    return f"**not reached**: {', '.join(why)}" if why else "reached"


def spread(figures, unit):
    """least / median / most; with fewer places the larger they are."""
    if not figures:
        return ""
    three = (min(figures), statistics.median(figures), max(figures))
    places = 2 if max(map(abs, three)) < 10 else 1
    return " / ".join(f"{figure:.{places}f}" for figure in three) + f" {unit}"


def kept(measured):
    if measured.counts is None:
        return "not counted in every run"
    return " / ".join(str(measured.counts[what]) for what in COUNTS) + f" of {measured.accepted}"


def table(head, rows):
    return [
        f"| {' | '.join(cells)} |"
        for cells in (head, ["---"] * len(head), *(list(map(str, row)) for row in rows))
    ]


HEAD = ["What fails", "Promise", "Measured", "least / median / most", "of"]
HEAD += ["lost / repeated / out of order", "Verdict"]


def render(rows, runs, method):
    """The page. `method` is a list of sentences about the machine and what ran on it."""
    found = [(row, measure(row, runs)) for row in rows]
    results = [
        (
            row.fails,
            row.promise,
            row.figure,
            spread(m.figures, m.unit),
            "" if m.promised is None else f"{m.promised} {m.unit}",
            kept(m),
            verdict(m),
        )
        for row, m in found
    ]
    beside = [
        (row.fails, what, spread(figures, unit))
        for row, m in found
        for (what, unit), figures in m.beside.items()
    ]
    sources = [(row.fails, *row.test.split("::"), m.runs) for row, m in found]
    reached = sum(verdict(m) == "reached" for _, m in found)
    return "\n".join(
        [
            "# The promises, measured",
            "",
            "Written by `scripts/promises`, which runs the tests below one after the other and takes",
            "every figure from what they measured. Not to be edited by hand.",
            "",
            f"**{reached} of {len(rows)} reached.** What is meant by each:",
            "[architecture.md](architecture.md). More figures: [performance.md](performance.md).",
            "",
            *table(HEAD, results),
            "",
            "A row is reached only if every run passed, stayed within the promise, and counted no loss,",
            "no repeat and nothing out of order. Of several kills in one run the worst counts. Counts are",
            "sums over the runs; a test with several rows counts its messages in each.",
            "",
            "## Measured beside them",
            "",
            *table(["What fails", "Measured", "least / median / most"], beside),
            "",
            "## Method",
            "",
            *[f"- {sentence}" for sentence in method],
            "",
            *table(["What fails", "File of `tests/integration`", "Test", "Runs"], sources),
            "",
        ]
    )
