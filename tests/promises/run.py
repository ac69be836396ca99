#!/usr/bin/python3
"""Runs the tests of the table of promises one after the other and writes docs/promises.md.

Exits with 0 only when every promise was reached."""

import argparse
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
import time

from page import Run, measure, read_lines, render, verdict
from rows import ROWS, tests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["MERIDIAN_BUILD"])
TIMEOUT_S = 600


def run_test(test, full):
    """One test in a pytest of its own, with nothing beside it that we would have started."""
    with tempfile.NamedTemporaryFile("r", prefix="meridian-promises-") as lines:
        environment = {**os.environ, "MERIDIAN_PROMISES": lines.name}
        environment.pop("MERIDIAN_TEST_FULL", None)
        if full:
            environment["MERIDIAN_TEST_FULL"] = "1"
        command = [sys.executable, "-m", "pytest", ROOT / "tests" / "integration" / test, "-q"]
        command += ["--rootdir", ROOT, "-p", "no:cacheprovider", "--timeout", TIMEOUT_S]
        done = subprocess.run(
            [str(part) for part in command], env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            print(done.stdout[-8000:] + done.stderr[-2000:], flush=True)
        return Run(test, done.returncode == 0, read_lines(lines.read()))


class Load:
    """How many cores others kept busy meanwhile: what the machine did without our children."""

    def __init__(self):
        self.start_s, self.start = time.monotonic(), self.others_s()

    def others_s(self):
        with open("/proc/stat", encoding="ascii") as stat:
            user, nice, system, _, _, irq, softirq = map(int, stat.readline().split()[1:8])
        busy_s = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
        ours = resource.getrusage(resource.RUSAGE_CHILDREN)
        return busy_s - ours.ru_utime - ours.ru_stime

    def cores(self):
        return max(0, (self.others_s() - self.start) / (time.monotonic() - self.start_s))


def cached(name):
    """A variable of the build's CMake cache."""
    for line in (BUILD / "CMakeCache.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return line.partition("=")[2]
    return ""


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


def method(load):
    sanitized = cached("MERIDIAN_SANITIZE") == "ON"
    kernel = ".".join(platform.release().split(".")[:2])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{time.strftime('%Y-%m-%d')}, commit {output('git', 'rev-parse', '--short', 'HEAD')}, "
        f"{cached('CMAKE_BUILD_TYPE')} build{' with sanitizers' if sanitized else ''}, "
        f"{output(os.environ['NATS_SERVER'], '--version')}.",
        f"One machine of {os.cpu_count()} cores and {memory:.0f} GiB, Linux {kernel}: all "
        "regions, their disks, clients and the checks run on it.",
        f"One test at a time. Other processes of the machine kept about {load.cores():.1f} of its cores "
        "busy meanwhile (a database that a test started counts as one of them).",
        "The load on the cluster is what each test says. Regions are network namespaces where a link "
        "is cut, and have the delays of oceans where that is said.",
    ]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/promises")
    parser.add_argument("--runs", type=int, default=3, help="of each test (3)")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "promises.md")
    return parser.parse_args()


def main():
    asked = arguments()
    runs, load = [], Load()
    for number in range(1, asked.runs + 1):
        for test, full in tests(ROWS).items():
            print(f"{number}/{asked.runs} {test}", flush=True)
            runs.append(run_test(test, full))
        asked.page.write_text(render(ROWS, runs, method(load)), encoding="utf-8")
    verdicts = [verdict(measure(row, runs)) for row in ROWS]
    for row, said in zip(ROWS, verdicts):
        print(f"{row.key}: {said}")
    return 0 if set(verdicts) == {"reached"} else 1


if __name__ == "__main__":
    sys.exit(main())
