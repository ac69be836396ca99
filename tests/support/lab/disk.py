"""A disk of its own, small, which a test fills and makes room on."""

import errno
import os
import shutil
import subprocess


class DiskRefused(Exception):
    """This machine lets nobody mount."""


class SmallDisk:
    """A tmpfs at `folder` while the context lasts."""

    def __init__(self, folder, size_bytes):
        self.folder, self.size_bytes = folder, size_bytes
        self.ballast = folder / "ballast"

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.size_bytes}", "tmpfs", self.folder],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise DiskRefused(done.stderr.strip())
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=False)

    def fill(self, leave_bytes):
        """Takes all room but `leave_bytes`, while others write there as well."""
        with open(self.ballast, "wb") as ballast:
            taken, step = 0, self.size_bytes
            while step >= 4096:
                free = shutil.disk_usage(self.folder).free - leave_bytes
                step = min(step, max(free, 0))
                try:
                    if step > 0:
                        os.posix_fallocate(ballast.fileno(), taken, step)
                    taken += step
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def make_room(self):
        os.unlink(self.ballast)
