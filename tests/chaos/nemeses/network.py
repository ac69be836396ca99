"""Links between regions. What is cut both ways while a third region reaches both is a bridge."""

import time

from .table import Fault, nemesis, other_pair


@nemesis("isolate", (4, 20), weight=3)
def _isolate(chaos, rng):
    region = rng.choice(chaos.cluster.names)
    chaos.network.isolate(region)
    return Fault(f"{region} from all others", chaos.network.heal)


@nemesis("cut", (4, 20), weight=2)
def _cut(chaos, rng):
    one, other = other_pair(chaos, rng)
    chaos.network.cut(one, other)
    return Fault(f"{one} from {other}", chaos.network.heal)


@nemesis("cut-one-way", (4, 15), weight=2)
def _cut_one_way(chaos, rng):
    one, other = other_pair(chaos, rng)
    chaos.network.cut_one_way(one, other)
    return Fault(f"what {one} says to {other}", chaos.network.heal)


@nemesis("flap", (6, 15))
def _flap(chaos, rng):
    """A link that goes and comes several times a second or two."""
    one, other = other_pair(chaos, rng)
    for _ in range(rng.randint(3, 6)):
        chaos.network.cut(one, other)
        time.sleep(rng.uniform(0.2, 1.5))
        chaos.network.heal()
        time.sleep(rng.uniform(0.2, 1.5))
    return Fault(f"the link of {one} and {other}", chaos.network.heal)


@nemesis("slow-link", (5, 15), weight=2)
def _slow_link(chaos, rng):
    one, other = other_pair(chaos, rng)
    delay_ms, jitter_ms = rng.randint(200, 800), rng.randint(0, 100)
    undo = chaos.shape(one, other, f"delay {delay_ms}ms jitter {jitter_ms}ms")
    return Fault(f"{one} and {other}: {delay_ms} ms, jitter {jitter_ms} ms", undo)


@nemesis("lossy-link", (5, 15), weight=2)
def _lossy_link(chaos, rng):
    one, other = other_pair(chaos, rng)
    loss = rng.choice([1, 2, 5])
    undo = chaos.shape(one, other, f"loss {loss}% reorder {rng.choice([0, 1])}%")
    return Fault(f"{one} and {other}: {loss} % lost", undo)
