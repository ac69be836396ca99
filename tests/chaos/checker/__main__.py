"""python3 -m checker HISTORY [--report FOLDER]

Exit code 0: nothing is wrong. 1: the relay broke a promise. 2: the history cannot be judged.
"""

import argparse
import gc
import sys

from . import report
from .events import HistoryError
from .judge import judge_lines


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="check",
        description="Judges the history of a chaos run (docs/chaos-history.md).",
        epilog="Exit code 0: nothing is wrong. 1: the relay broke a promise. 2: the history cannot "
        "be judged.",
    )
    parser.add_argument("history", help="a merged history, JSON lines")
    parser.add_argument("--report", metavar="FOLDER", help="write report.md, report.json and plots")
    options = parser.parse_args(arguments)
    gc.disable()  # the tables live until the end and hold no rings worth finding
    try:
        with open(options.history, encoding="utf-8") as lines:
            world, judged = judge_lines(lines)
    except (HistoryError, OSError, UnicodeDecodeError) as error:
        print(f"{options.history}: {error}", file=sys.stderr)
        return 2
    if options.report:
        said = report.write(options.report, options.history, world, judged)
    else:
        said = report.summary(world, judged)
    print(*report.violations(said, options.history), sep="\n", end="")
    counts = said["counts"]
    shown = ("events", "sends", "accepted", "rejected", "unknown", "received", "lost", "repeats")
    print(
        ("clean: " if said["clean"] else "\nNOT CLEAN: ")
        + ", ".join(f"{counts[name]} {name}" for name in (*shown, "order_breaks"))
    )
    return 0 if said["clean"] else 1


if __name__ == "__main__":
    sys.exit(main())
