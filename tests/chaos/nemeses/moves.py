"""Homes that change while their users talk."""

from .table import Fault, nemesis, other_pair


@nemesis("moves", (0, 1), weight=2)
def _moves(chaos, rng):
    """A batch of users gets another home."""
    users = rng.sample(chaos.workload.users, max(2, len(chaos.workload.users) // 4))
    region = rng.choice(chaos.cluster.names)
    chaos.operator.move(users, region)
    return Fault(
        f"{len(users)} users to {region}", lambda: chaos.operator.move_surely(users, region)
    )


@nemesis("evacuate", (2, 8), long=True)
def _evacuate(chaos, rng):
    """All users of a region leave for another, and come back."""
    region, to = other_pair(chaos, rng)
    users = chaos.operator.evacuate(region, to)

    def heal():
        chaos.operator.restore(users, region)

    return Fault(f"{len(users)} users of {region} to {to}", heal)
