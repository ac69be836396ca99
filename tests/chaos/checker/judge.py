"""Holds every property against a history."""

import itertools

from .load import load
from .properties import PROPERTIES
from .report import KEPT


def judge(world):
    """property name -> (statement, how many violations, the first of them)"""
    judged = {}
    for name, statement, function in PROPERTIES:
        violations = iter(function(world))
        kept = list(itertools.islice(violations, KEPT))
        judged[name] = (statement, len(kept) + sum(1 for _ in violations), kept)
    return judged


def judge_lines(lines):
    """(World, what judge() says of it). Raises HistoryError."""
    world = load(lines)
    return world, judge(world)
