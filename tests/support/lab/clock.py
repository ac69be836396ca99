"""A wall clock of its own for a process, which a test steps. The monotonic clock is left alone."""

import os
import pathlib

NOTICED_S = 1  # within which the process sees a step


def missing():
    """Why there is none here, or None."""
    return None if _library() else "no libfaketime: run scripts/setup test"


def _library():
    """For programs with threads, wherever this architecture has it."""
    return next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class Clock:
    """Give it to a Process before that is started."""

    def __init__(self, process, folder):
        self.name = process.name
        self.path = pathlib.Path(folder) / f"{process.name}.clock"
        self.set(0)
        sanitizer = os.environ.get("ASAN_OPTIONS", "abort_on_error=0:exitcode=99")
        process.environment.update(
            LD_PRELOAD=str(_library()),
            FAKETIME_TIMESTAMP_FILE=str(self.path),
            FAKETIME_CACHE_DURATION=str(NOTICED_S),
            DONT_FAKE_MONOTONIC="1",
            NO_FAKE_STAT="1",
            # The sanitizer wants to be the first library.
            ASAN_OPTIONS=f"{sanitizer}:verify_asan_link_order=0",
        )

    def set(self, ahead_s):
        """From now on it is this much ahead of the machine's; of a sudden."""
        new = self.path.with_suffix(".new")
        new.write_text(f"{ahead_s:+}\n")
        new.rename(self.path)
