"""The figures of a run: counts, latencies, and what each fault cost."""

import bisect
import collections

from . import model

QUANTILES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def counts(world, found):
    """found: property -> how many violations."""
    tries = [attempt for message in world.messages.values() for attempt in message.tries]
    outcomes = collections.Counter(attempt.outcome for attempt in tries)
    told = collections.Counter()
    gaps = collections.Counter()
    for connection in world.connections.values():
        told.update(row[0] for row in connection.stream)
    for device in world.devices():
        gaps.update(gap[2] for gap in device.gaps)
    first = sum(1 for _ in world.first_deliveries())
    return {
        "events": world.events,
        "users": len(world.users),
        "devices": sum(1 for _ in world.devices()),
        "connections": len(world.connections),
        "messages": len(world.messages),
        "sends": len(tries),
        "accepted": outcomes[model.ACCEPTED],
        "rejected": outcomes[model.REJECTED],
        "unknown": outcomes[model.UNKNOWN],
        "unanswered": outcomes[None],
        "received": told[model.RECV],
        "received_first": first,
        "received_again": told[model.RECV] - first,
        "ephemerals": world.ephemerals,
        "lost": found.get("no_loss", 0),
        "repeats": found.get("one_cursor", 0),
        "order_breaks": found.get("sender_order", 0),
        "gaps": dict(sorted(gaps.items())),
        "resyncs": told[model.RESYNC],
        "notices": len(world.notices),
        "archived": len(world.archive_rows),
    }


def quantiles(values):
    """In ms, of sorted nanoseconds."""
    if not values:
        return {}
    last = len(values) - 1
    found = {name: values[round(last * share)] / 1e6 for name, share in QUANTILES.items()}
    return {"count": len(values), **{f"{name}_ms": round(ms, 3) for name, ms in found.items()}}


class Spans:
    """The times with a fault, joined."""

    def __init__(self, world):
        self.starts, self.ends = [], []
        for fault in sorted(world.faults, key=lambda fault: fault.t):
            end = world.end_t if fault.heal_t is None else fault.heal_t
            if self.ends and fault.t <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], end)
            else:
                self.starts.append(fault.t)
                self.ends.append(end)

    def touch(self, since, until):
        found = bisect.bisect_right(self.starts, until)
        return found > 0 and self.ends[found - 1] >= since


def deliveries(world):
    """(when received, sent, region of the sender, region of the device) of each first delivery to
    a device that was connected when the message was sent, in the order of reception."""
    found = []
    for connection, t, _, message in world.first_deliveries():
        sent = message.tries[0]
        if sent.t >= connection.ready_t:
            found.append((t, sent.t, sent.connection.region, connection.region))
    found.sort()
    return found


def latencies(world, delivered):
    """{"sin-dub": {"calm": quantiles, "fault": quantiles}}"""
    spans, pairs = Spans(world), {}
    for t, sent_t, source, target in delivered:
        kind = "fault" if spans.touch(sent_t, t) else "calm"
        pair = pairs.setdefault(f"{source}-{target}", {"calm": [], "fault": []})
        pair[kind].append(t - sent_t)
    return {
        pair: {kind: quantiles(sorted(values)) for kind, values in kinds.items()}
        for pair, kinds in sorted(pairs.items())
    }


def silences(world):
    """region (and "" for all) -> the times (since, until) in which somebody wanted something
    accepted, reconnecting included, and nothing was, up to the next accepted; in their order."""
    steps = {"": []}
    for message in world.messages.values():
        first, accepted_t = message.tries[0], message.accepted_t()
        end_t = accepted_t
        if end_t is None:
            end_t = max(attempt.outcome_t or attempt.t for attempt in message.tries)
        for region in ("", first.connection.region):
            rows = steps.setdefault(region, [])
            rows.append((first.t, 1, False))
            rows.append((end_t, -1, accepted_t is not None))
    return {region: _silences(sorted(rows)) for region, rows in steps.items()}


def _silences(steps):
    found, wanting, since = [], 0, 0
    for t, change, is_accepted in steps:
        if wanting == 0:
            since = t
        wanting += change
        if is_accepted:
            found.append((since, t))
            since = t
    return found


def _longest_silence(found, since, until):
    """The longest of those that overlap since..until, without what came before it."""
    start = bisect.bisect_left(found, since, key=lambda silence: silence[1])
    end = bisect.bisect_right(found, until, key=lambda silence: silence[0])
    return max((end - max(begin, since) for begin, end in found[start:end]), default=0)


def accepted_times(world):
    """region (and "" for all) -> sorted times of accepted"""
    found = {"": []}
    for message in world.messages.values():
        for attempt in message.accepts():
            found[""].append(attempt.outcome_t)
            found.setdefault(attempt.connection.region, []).append(attempt.outcome_t)
    for times in found.values():
        times.sort()
    return found


def _waits(world):
    """(when received, when accepted, when the connection was opened) of each first delivery, in the
    order of reception. Who reads slowly on purpose is left out."""
    found = []
    for connection, t, _, message in world.first_deliveries():
        accepted_t = message.accepted_t()
        if accepted_t is not None and not connection.slow:
            found.append((t, accepted_t, connection.open_t))
    found.sort()
    return found


def _between(rows, since, until):
    """The rows whose first member is in since..until."""
    return rows[bisect.bisect_left(rows, (since,)) : bisect.bisect_left(rows, (until + 1,))]


def per_fault(world, delivered):
    """What each fault cost: the longest time without an accepted, how long after the heal the last
    of what waited was there, and the latency of what was on its way."""
    silent, waits = silences(world), _waits(world)
    starts = sorted(fault.t for fault in world.faults)
    rows = []
    for fault in world.faults:
        heal_t = world.end_t if fault.heal_t is None else fault.heal_t
        later = starts[bisect.bisect_right(starts, heal_t) :]
        until = min([*later[:1], world.end_t])  # what comes then is laid to the next one
        without = {
            region or "all": round(_longest_silence(found, fault.t, heal_t) / model.SECOND, 3)
            for region, found in silent.items()
        }
        late = [
            t - max(heal_t, opened)
            for t, at, opened in _between(waits, heal_t + 1, until)
            if at <= heal_t
        ]
        taken = sorted(
            t - sent for t, sent, *_ in _between(delivered, fault.t, until) if sent <= heal_t
        )
        rows.append(
            {
                "id": fault.id,
                "kind": fault.kind,
                "from_s": round((fault.t - world.start_t) / model.SECOND, 3),
                "lasted_s": round((heal_t - fault.t) / model.SECOND, 3),
                "forever": fault.forever,
                "without_accepted_s": without,
                "caught_up_s": round(max(late, default=0) / model.SECOND, 3),
                "latency": quantiles(taken),
            }
        )
    return rows
