"""What an operator does to users' homes with `meridian`, and the history of it."""

import time

AGAIN_S = 90  # a command that says it is not done is said again, for so long


class Operator:
    def __init__(self, cluster, history, homes):
        self.cluster, self.history, self.homes = cluster, history, homes
        self.count = 0
        self.failed = []  # commands that were not done in time, and what they said

    def _meridian(self, *arguments):
        return self.cluster.meridian(*arguments, "--catalogue", self.cluster.catalogue)

    def _surely(self, *arguments):
        until = time.monotonic() + AGAIN_S
        while (done := self._meridian(*arguments)).returncode != 0:
            if time.monotonic() > until:
                self.failed.append(f"meridian {' '.join(map(str, arguments))}: {done.stderr}")
                return
            time.sleep(0.5)

    def _list(self, users):
        """A file with them."""
        self.count += 1
        path = self.cluster.folder / f"users-{self.count}"
        path.write_text("".join(f"{user}\n" for user in users))
        return path

    def _asked(self, users, region):
        for user in users:
            self.history.write("move", user=user, to=region)

    def move(self, users, region):
        """Once; who did not move stays, or is on its way."""
        self._asked(users, region)
        self._meridian("move", "--users", self._list(users), region)

    def move_surely(self, users, region):
        self._surely("move", "--users", self._list(users), region)

    def evacuate(self, region, to):
        """All who are at home in the region; returns them."""
        homes = self.homes.ask(self.cluster.primary)
        users = sorted(user for user, (home, _) in homes.items() if home == region)
        self._asked(users, to)
        moved = self._list([])
        self._surely("region", "evacuate", "--to", to, "--list", moved, region)
        return users

    def restore(self, users, region):
        self._asked(users, region)
        self._surely("region", "restore", "--users", self._list(users), region)
