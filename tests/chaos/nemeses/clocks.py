"""Clocks that step, of one hub and one edge of each region. The monotonic clock goes on."""

from .table import DAY_S, HOUR_S, Fault, nemesis, pick

STEPS_S = [-HOUR_S, HOUR_S, -10 * DAY_S, 10 * DAY_S]


def _of_one(kind):
    def begin(chaos, rng):
        here = {name: clock for name, clock in chaos.clocks.items() if name in kind(chaos)}
        clock, step_s = pick(rng, here), rng.choice(STEPS_S)
        clock.set(step_s)
        return Fault(f"the clock of {clock.name}: {step_s:+} s", lambda: clock.set(0))

    return begin


nemesis("hub-clock", (4, 12), needs="clock")(_of_one(lambda chaos: chaos.cluster.hubs))
nemesis("edge-clock", (4, 12), needs="clock")(_of_one(lambda chaos: chaos.cluster.edges))
