"""The promise: each figure is printed beside what is promised, and fails at ten times that."""

from .record import percentile

TOLERANCE = 10  # tests run beside other work and under sanitizers


def hold(what, measured, promised, unit="s"):
    """Prints `measured` beside `promised`, and fails at ten times it."""
    print(f"{what}: {measured:.2f} {unit} (promise {promised} {unit})", flush=True)
    assert measured < TOLERANCE * promised, f"{what}: {measured:.2f} {unit}, promise {promised}"


def hold_p99(what, times_s, promised):
    """The same for the p99 of many times, in seconds, with their p50 and number."""
    assert times_s, f"{what}: nothing was measured"
    p50, longest = percentile(times_s, 0.5), max(times_s)
    hold(
        f"{what}: {len(times_s)} times, p50 {p50:.2f} s, longest {longest:.2f} s, p99",
        percentile(times_s, 0.99),
        promised,
    )
