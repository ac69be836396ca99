"""After the last fault everything goes on, within a bound."""

from .. import model
from ..events import show
from .base import Violation, cut_off

BOUND_S = 30


def bound_t(world):
    return int(world.settings.get("bound_s", BOUND_S) * model.SECOND)


def liveness(world):
    bound, settled = bound_t(world), world.settled_t()
    homes = world.homes_of()
    for device in world.devices():
        yield from _gets_ready(world, device, settled, bound, homes)
    for message in world.messages.values():
        for attempt in message.tries:
            yield from _is_answered(world, message, attempt, settled, bound, homes)
    yield from _arrives(world, settled, bound, homes)
    for connection in world.connections.values():
        yield from _is_confirmed(world, connection, settled, bound, homes)


def _watched_until(world, connection):
    return connection.close_t if connection.close_t is not None else world.end_t


def _gets_ready(world, device, settled, bound, homes):
    """However often it tries: from the first attempt on, if it does not pause for longer than the
    bound."""
    since, last_t = None, 0
    for connection in device.connections:
        if since is None or connection.open_t > last_t + bound:
            since = connection
        last_t = _watched_until(world, connection)
        due = max(since.open_t, settled) + bound
        ready = connection.ready_t is not None
        reached = connection.ready_t if ready else _watched_until(world, connection)
        cut = world.cut_off(connection.region, *homes.get(device.user, ()))
        if reached > due and not cut:
            text = f"{connection} was not ready in time"
            lines = (connection.open_line, connection.ready_line, connection.close_line)
            yield Violation(text, since.open_line, *lines)
            return
        if ready or cut:
            since = None


def _is_answered(world, message, attempt, settled, bound, homes):
    answered = attempt.outcome in (model.ACCEPTED, model.REJECTED)
    if attempt.t < settled and attempt.outcome == model.UNKNOWN:
        return  # given up while there was a fault
    due = max(attempt.t, settled) + bound
    if answered:
        late = attempt.outcome_t > due
    else:
        late = _watched_until(world, attempt.connection) > due
    region = attempt.connection.region
    if late and not world.cut_off(region, *homes.get(message.to, ())):
        how = f"was {attempt.outcome} too late" if answered else "was not answered"
        yield Violation(f"{message} {how}", attempt.line, attempt.outcome_line)


def _arrives(world, settled, bound, homes):
    for connection, t, line, message in world.first_deliveries():
        accepted_t = message.accepted_t()
        if accepted_t is None or connection.slow:
            continue
        if t <= max(accepted_t, settled, connection.ready_t) + bound:
            continue
        if not cut_off(world, message, homes, connection.region):
            text = f"{message} reached {connection} too late"
            yield Violation(text, message.accepts()[0].outcome_line, line)


def _is_confirmed(world, connection, settled, bound, homes):
    """The first acknowledgement that waits for long."""
    if world.cut_off(connection.region, *homes.get(connection.device.user, ())):
        return
    waiting = None  # (due, cursor, line)
    for kind, t, line, cursor, _ in connection.stream:
        if kind == model.RESYNC:
            waiting = None
        elif kind == model.ACK and waiting is None:
            waiting = (max(t, settled) + bound, cursor, line)
        elif kind == model.ACKED and waiting is not None and cursor >= waiting[1]:
            if t > waiting[0]:
                break
            waiting = None
    if waiting is not None and _watched_until(world, connection) > waiting[0]:
        text = f"{connection}: {show(waiting[1])} was acknowledged, and not confirmed in time"
        yield Violation(text, waiting[2])
