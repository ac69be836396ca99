"""The table that the other files of this folder fill, one row each: how harm begins, and how
it ends.

A nemesis is a function of the chaos (see run.py) and a random generator. It does the harm at once
and returns a Fault, whose heal() undoes it. Only the main thread calls them: processes die with the
thread that started them."""

import dataclasses
import typing

HOUR_S, DAY_S = 3600, 86400


@dataclasses.dataclass
class Fault:
    what: str  # in words: who is hit
    heal: typing.Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Nemesis:
    name: str
    begin: typing.Callable
    lasts_s: tuple  # from, to
    weight: int = 1
    needs: str = ""  # "disk", "clock": where there is none, it is left out
    long: bool = False  # only where there is time for it


NEMESES = {}


def nemesis(name, lasts_s, **more):
    def register(begin):
        NEMESES[name] = Nemesis(name, begin, lasts_s, **more)
        return begin

    return register


def pick(rng, processes):
    return processes[rng.choice(sorted(processes))]


def other_pair(chaos, rng):
    return rng.sample(sorted(chaos.cluster.names), 2)


def able(have, long, only=()):
    """The rows that a run draws from, in the order of the table. KeyError: there is no such row."""
    if only:
        wanted = [NEMESES[name] for name in only]
    else:
        wanted = [one for one in NEMESES.values() if long or not one.long]
    return [one for one in wanted if not one.needs or one.needs in have]
