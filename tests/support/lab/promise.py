"""The promise: each figure is printed beside what is promised, and fails at ten times that.

What belongs to a row of tests/promises/rows.py is also written, as a line of JSON, to the file that
MERIDIAN_PROMISES names: docs/promises.md is made of those."""

import json
import os

from .record import percentile

TOLERANCE = 10  # tests run beside other work and under sanitizers


def note(row, **said):
    """Appends a line for a row to the file, if somebody collects them."""
    path = os.environ.get("MERIDIAN_PROMISES")
    if row and path:
        with open(path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"row": row, **said}) + "\n")


def hold(what, measured, promised, unit="s", row=None):
    """Prints `measured` beside `promised`, and fails at ten times it."""
    note(row, measured=measured, promised=promised, unit=unit)
    print(f"{what}: {measured:.2f} {unit} (promise {promised} {unit})", flush=True)
    assert measured < TOLERANCE * promised, f"{what}: {measured:.2f} {unit}, promise {promised}"


def hold_p99(what, times_s, promised, row=None):
    """The same for the p99 of many times, in seconds, with their p50 and number."""
    assert times_s, f"{what}: nothing was measured"
    p50, longest = percentile(times_s, 0.5), max(times_s)
    hold(
        f"{what}: {len(times_s)} times, p50 {p50:.2f} s, longest {longest:.2f} s, p99",
        percentile(times_s, 0.99),
        promised,
        row=row,
    )


def tell(what, measured, unit, row):
    """Prints a figure that nothing is promised of."""
    note(row, beside=what.strip(), measured=measured, unit=unit)
    print(f"{what}: {measured:.1f} {unit}", flush=True)


def hold_clean(accepted, lost, repeated, disordered, rows):
    """Prints how many were accepted and what became of them, and fails if anything but that they
    came, once and in order. The three are lists, and `accepted` is a number."""
    found = {"lost": len(lost), "repeated": len(repeated), "disordered": len(disordered)}
    for row in rows:
        note(row, accepted=accepted, **found)
    print(
        f"{accepted} accepted, {found['lost']} lost, {found['repeated']} repeated, "
        f"{found['disordered']} out of order",
        flush=True,
    )
    assert not (lost or repeated or disordered), (
        f"lost: {lost[:10]}, repeated: {repeated[:10]}, out of order: {disordered[:10]} "
        f"of {accepted}: {found}"
    )
