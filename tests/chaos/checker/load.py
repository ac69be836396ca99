"""Fills the tables of model.py from the events of a history, in one pass."""

import sys

from . import model
from .events import FORMAT, HistoryError, pack, parse_cursor, read

intern = sys.intern


class Loader:
    def __init__(self):
        self.world = model.World()
        self.open_faults = {}
        self.fault_ids = set()

    def load(self, lines):
        world = self.world
        handlers = {
            name.removeprefix("on_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("on_")
        }
        event = None
        for line, event in read(lines):
            if line == 1:
                if event["ev"] != "run":
                    raise HistoryError(line, "the first event is run")
                world.start_t = event["t"]
            handlers[event["ev"]](event, line)
            world.events = line
        if event is None:
            raise HistoryError(0, "the history is empty")
        world.end_t = event["t"]
        self._finish()
        return world

    def _finish(self):
        for fault in self.open_faults.values():
            if not fault.forever:
                raise HistoryError(fault.line, f"fault {fault.id} has no heal and is not 'forever'")
        for device in self.world.devices():
            last = device.connections[-1] if device.connections else None
            if device.read_to_end and (
                last is None
                or last.ready_t is None
                or (last.close_t is not None and last.close_t < device.end_t)
            ):
                raise HistoryError(
                    device.end_line, f"{device} read to the end, but was not connected at its end"
                )

    # The run and what is done to the relay

    def on_run(self, event, line):
        if line != 1:
            raise HistoryError(line, "run is the first event, once")
        if event["format"] != FORMAT:
            raise HistoryError(line, f"format {event['format']}, and this reads {FORMAT}")
        self.world.settings = event.get("settings", {})

    def on_fault(self, event, line):
        if event["id"] in self.fault_ids:
            raise HistoryError(line, f"a second fault {event['id']}")
        cuts = event.get("cuts", {})
        fault = model.Fault(
            event["id"],
            event["kind"],
            event["t"],
            line,
            frozenset(cuts.get("regions", ())),
            frozenset(frozenset(link) for link in cuts.get("links", ())),
            event.get("forever", False),
            event.get("disaster", False),
        )
        self.fault_ids.add(fault.id)
        self.open_faults[fault.id] = fault
        self.world.faults.append(fault)

    def on_heal(self, event, line):
        fault = self.open_faults.pop(event["id"], None)
        if fault is None or fault.forever:
            raise HistoryError(line, f"a heal of no fault: {event['id']}")
        fault.heal_t, fault.heal_line = event["t"], line

    def on_home(self, event, line):
        self.world.homes.append(
            (event["t"], line, event["user"], event["home"], event["epoch"], event.get("at", ""))
        )

    def on_move(self, event, line):
        self.world.moves.append((event["t"], line, event["user"], event["to"]))

    # Connections

    def _user(self, name):
        user = self.world.users.get(name)
        if user is None:
            user = self.world.users[name] = model.User(intern(name))
        return user

    def _device(self, event):
        user = self._user(event["user"])
        device = user.devices.get(event["device"])
        if device is None:
            device = user.devices[event["device"]] = model.Device(user.name, event["device"])
        return device

    def _connection(self, event, line, ready=True, closed=False):
        found = self.world.connections.get((event["user"], event["device"], event["conn"]))
        if found is None:
            raise HistoryError(line, "a connection that was not opened")
        if found.close_t is not None and not closed:
            raise HistoryError(line, "a connection that is closed")
        if ready and found.ready_t is None:
            raise HistoryError(line, "a connection that is not ready")
        return found

    def on_open(self, event, line):
        key = (event["user"], event["device"], event["conn"])
        if key in self.world.connections:
            raise HistoryError(line, "a connection with the number of an earlier one")
        presented = parse_cursor(event["cursor"], line) if "cursor" in event else None
        device = self._device(event)
        if device.end_t is not None:
            raise HistoryError(line, f"{device} has ended")
        connection = model.Connection(device, event, line, presented)
        device.connections.append(connection)
        self.world.connections[key] = connection

    def on_ready(self, event, line):
        connection = self._connection(event, line, ready=False)
        if connection.ready_t is not None:
            raise HistoryError(line, "a connection that is ready already")
        connection.ready_t, connection.ready_line = event["t"], line
        connection.cursor = parse_cursor(event["cursor"], line)
        connection.resumed, connection.home = event["resumed"], event.get("home")

    def on_close(self, event, line):
        connection = self._connection(event, line, ready=False)
        connection.close_t, connection.close_line = event["t"], line
        connection.close_code = event.get("code")

    def on_end(self, event, line):
        device = self._device(event)
        if device.end_t is not None:
            raise HistoryError(line, f"a second end of {device}")
        device.end_t, device.end_line = event["t"], line
        device.read_to_end = event["read_to_end"]

    # Sending

    def on_send(self, event, line):
        connection = self._connection(event, line, ready=False)
        world, sender = self.world, intern(event["user"])
        to = event["to"]
        for name in to if isinstance(to, list) else (to,):
            key = (sender, name, event["id"])
            message = world.messages.get(key)
            if message is None:
                user = self._user(name)
                message = model.Message(len(world.messages), sender, user.name, event)
                world.messages[key] = message
                user.messages.append(message)
            elif message.hash != event["hash"]:
                raise HistoryError(line, f"{message} is sent again with another body")
            attempt = model.Try(event["t"], line, connection)
            message.tries.append(attempt)
            connection.expected.setdefault((event["id"], name), []).append(attempt)

    def _outcome(self, event, line, outcome):
        connection = self._connection(event, line, False, closed=outcome == model.UNKNOWN)
        key = (event["id"], event["to"])
        waiting = connection.expected.get(key, ())
        if not waiting:
            text = f"{outcome} for {key[0]!r} to {key[1]}, which was not waiting on {connection}"
            self.world.answers_to_nothing.append((text, line))
            return
        # What was given up can still be answered; what was not is answered first.
        attempt = next((one for one in waiting if one.outcome is None), waiting[0])
        attempt.outcome, attempt.outcome_t, attempt.outcome_line = outcome, event["t"], line
        if outcome != model.UNKNOWN:
            waiting.remove(attempt)
            if not waiting:
                del connection.expected[key]

    def on_accepted(self, event, line):
        self._outcome(event, line, model.ACCEPTED)

    def on_rejected(self, event, line):
        self._outcome(event, line, model.REJECTED)

    def on_unknown(self, event, line):
        self._outcome(event, line, model.UNKNOWN)

    # Receiving

    def _occupy(self, user, cursor, what, line):
        there = user.positions.get(cursor)
        if there is None:
            user.positions[cursor] = (what, line)
        elif there[0] != what:
            self.world.clashes.append((user.name, cursor, there[1], line))

    def on_recv(self, event, line):
        connection = self._connection(event, line)
        world, user = self.world, self._user(event["user"])
        cursor = parse_cursor(event["cursor"], line) if "cursor" in event else None
        message = world.messages.get((event["from"], event["user"], event["id"]))
        if message is None:
            world.strays.append(model.Stray(event["from"], user.name, event["id"], line))
        else:
            self._saw(message, event, line, cursor)
            connection.device.got.add(message.number)
        if cursor is None:
            world.ephemerals += 1
        else:
            what = message or ("stray", event["from"], event["id"])
            self._occupy(user, cursor, what, line)
            connection.stream.append((model.RECV, event["t"], line, cursor, message))

    def _saw(self, message, event, line, cursor):
        if event["hash"] != message.hash:
            self.world.altered.append((message, line))
        if message.seen_t is None:
            message.seen_t = event["t"]
            message.cursor, message.line = cursor, line
        elif message.cursor != cursor and all(cursor != other for other, _ in message.more):
            message.more += ((cursor, line),)

    def on_notice(self, event, line):
        connection = self._connection(event, line)
        user, cursor = self._user(event["user"]), parse_cursor(event["cursor"], line)
        of_cursor = parse_cursor(event["of_cursor"], line) if "of_cursor" in event else None
        notice = model.Notice(
            user.name,
            cursor,
            event["kind"],
            event.get("by", ""),
            tuple(event.get("ids", ())),
            of_cursor,
            event["t"],
            line,
        )
        if cursor not in user.positions:
            self.world.notices.append(notice)
        self._occupy(user, cursor, notice.content(), line)
        connection.stream.append((model.NOTICE, event["t"], line, cursor, None))

    def on_gap(self, event, line):
        connection = self._connection(event, line)
        first, last = parse_cursor(event["from"], line), parse_cursor(event["to"], line)
        gap = (first, last, event["reason"], line, event["t"])
        connection.device.gaps.append(gap)
        connection.stream.append((model.GAP, event["t"], line, first, last))

    def on_resync(self, event, line):
        self._told(event, line, model.RESYNC)

    def on_ack(self, event, line):
        self._told(event, line, model.ACK)

    def on_acked(self, event, line):
        self._told(event, line, model.ACKED)

    def _told(self, event, line, kind):
        connection = self._connection(event, line)
        cursor = parse_cursor(event["cursor"], line)
        connection.stream.append((kind, event["t"], line, cursor, None))

    def on_read(self, event, line):
        self._connection(event, line)
        reads = self._user(event["user"]).reads.setdefault(event["from"], [])
        highest = reads[-1][1] if reads else 0
        reads.append((event["t"], max(highest, parse_cursor(event["cursor"], line))))

    # The archive

    def on_archive(self, event, line):
        world, recipient = self.world, intern(event["recipient"])
        cursor = pack(event["epoch"], event["seq"])
        message = world.messages.get((event["sender"], recipient, event["id"]))
        if message is None:
            stray = model.Stray(event["sender"], recipient, event["id"], line)
            world.archive_strays.append(stray)
        else:
            message.archived += ((cursor, line),)
            if event.get("hash", message.hash) != message.hash:
                world.altered.append((message, line))
        world.archive_rows.append((cursor, line, message, recipient))


def load(lines):
    return Loader().load(lines)
