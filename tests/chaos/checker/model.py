"""What a history says, in tables. load.py fills them, the properties read them; nothing here
judges."""

import dataclasses

SECOND = 1_000_000_000

# What a device was told on a connection, in order: (kind, t, line, cursor, more)
RECV, NOTICE, GAP, RESYNC, ACK, ACKED = range(6)

ACCEPTED, REJECTED, UNKNOWN = "accepted", "rejected", "unknown"


class Try:
    """One send of a message to one recipient on one connection."""

    __slots__ = ("t", "line", "connection", "outcome", "outcome_t", "outcome_line")

    def __init__(self, t, line, connection):
        self.t, self.line, self.connection = t, line, connection
        self.outcome = self.outcome_t = self.outcome_line = None


class Message:
    """What one sender sent to one recipient under one id, however often."""

    __slots__ = (
        "number sender to id hash size ttl_s want ephemeral tries cursor line more seen_t "
        "archived"
    ).split()

    def __init__(self, number, sender, to, event):
        self.number, self.sender, self.to, self.id = number, sender, to, event["id"]
        self.hash, self.size = event["hash"], event.get("size", 0)
        self.ttl_s, self.want = event.get("ttl", 0), event.get("want", ())
        self.ephemeral = event.get("class") == "ephemeral"
        self.tries = []
        self.cursor = self.line = self.seen_t = None  # where a device saw it first
        self.more = ()  # (cursor, line) of other cursors it was seen at
        self.archived = ()  # (cursor, line) of its rows

    def accepts(self):
        return [attempt for attempt in self.tries if attempt.outcome == ACCEPTED]

    def accepted_t(self):
        """When it was accepted first, or None."""
        return min((attempt.outcome_t for attempt in self.accepts()), default=None)

    def places(self):
        """Every cursor that anybody saw it at, with a line that says so."""
        found = [] if self.cursor is None else [(self.cursor, self.line)]
        return found + list(self.more) + list(self.archived)

    def __str__(self):
        return f"{self.id!r} from {self.sender} to {self.to}"


class Connection:
    __slots__ = (
        "device number region slow open_t open_line presented start ready_t ready_line cursor "
        "resumed home close_t close_line close_code stream expected"
    ).split()

    def __init__(self, device, event, line, presented):
        self.device, self.number, self.region = device, event["conn"], event["region"]
        self.slow = event.get("slow", False)
        self.open_t, self.open_line = event["t"], line
        self.presented, self.start = presented, event.get("start", "oldest")
        self.ready_t = self.ready_line = self.cursor = self.resumed = self.home = None
        self.close_t = self.close_line = self.close_code = None
        self.stream = []
        self.expected = {}  # (id, to) -> the tries that no outcome came for

    def __str__(self):
        return f"{self.device}, connection {self.number}"


class Device:
    __slots__ = ("user", "name", "connections", "got", "gaps", "end_t", "end_line", "read_to_end")

    def __init__(self, user, name):
        self.user, self.name = user, name
        self.connections = []
        self.got = set()  # numbers of messages
        self.gaps = []  # (from, to, reason, line, t)
        self.end_t = self.end_line = None
        self.read_to_end = False

    def base(self):
        """The cursor behind which it wants everything, or None: it was never ready. A device that
        the relay took for a new one begins anew."""
        base = None
        for connection in self.connections:
            if connection.ready_t is None:
                continue
            if base is None or (connection.presented is None and not connection.resumed):
                base = connection.cursor
        return base

    def __str__(self):
        return f"{self.user}/{self.name}"


class User:
    __slots__ = ("name", "devices", "messages", "positions", "reads")

    def __init__(self, name):
        self.name = name
        self.devices = {}
        self.messages = []  # to this user
        self.positions = {}  # cursor -> (what is there, line of who saw it first)
        self.reads = {}  # sender -> [(t, the highest cursor read so far)]


@dataclasses.dataclass
class Notice:
    user: str
    cursor: int
    kind: str
    by: str
    ids: tuple
    of_cursor: int
    t: int
    line: int

    def content(self):
        return ("$meridian", self.kind, self.by, self.ids, self.of_cursor)


@dataclasses.dataclass
class Fault:
    id: str
    kind: str
    t: int
    line: int
    regions: frozenset
    links: frozenset  # of frozensets of two regions
    forever: bool
    disaster: bool
    heal_t: int = None
    heal_line: int = None

    def cuts(self, *regions):
        """True when this stands between two of the regions, or in one of them."""
        regions = {region for region in regions if region}
        return bool(regions & self.regions) or any(link <= regions for link in self.links)


@dataclasses.dataclass
class Stray:
    """A message that was seen and that its sender did not send to this user."""

    sender: str
    to: str
    id: str
    line: int


class World:
    def __init__(self):
        self.settings = {}
        self.users = {}
        self.messages = {}  # (sender, to, id) -> Message
        self.connections = {}
        self.faults = []
        self.homes = []  # (t, line, user, home, epoch, at)
        self.moves = []  # (t, line, user, to)
        self.notices = []
        self.archive_rows = []  # (cursor, line, Message or None, recipient)
        self.strays = []
        self.archive_strays = []
        self.altered = []  # (Message, line): seen with another body
        self.clashes = []  # (user, cursor, line, line): two messages at one cursor
        self.answers_to_nothing = []  # (text, line)
        self.ephemerals = 0  # received
        self.start_t = self.end_t = 0
        self.events = 0

    def devices(self):
        for user in self.users.values():
            yield from user.devices.values()

    def first_deliveries(self):
        """(connection, t, line, message) where a device got a message for the first time; without
        ephemeral ones."""
        for device in self.devices():
            first = set()
            for connection in device.connections:
                for kind, t, line, _, message in connection.stream:
                    if kind == RECV and message is not None and message.number not in first:
                        first.add(message.number)
                        yield connection, t, line, message

    def homes_of(self):
        """user -> all the regions that were ever said to be its home"""
        found = {}
        for _, _, user, home, *_ in self.homes:
            found.setdefault(user, set()).add(home)
        for connection in self.connections.values():
            if connection.home:
                found.setdefault(connection.device.user, set()).add(connection.home)
        return found

    def epochs_of(self):
        """user -> the highest epoch that the directory was seen with"""
        found = {}
        for _, _, user, _, epoch, _ in self.homes:
            found[user] = max(epoch, found.get(user, 0))
        return found

    def settled_t(self):
        """When the last fault was over: from then on everything is due."""
        ends = [fault.t if fault.forever else fault.heal_t for fault in self.faults]
        return max(ends, default=self.start_t)

    def cut_off(self, *regions):
        return any(fault.forever and fault.cuts(*regions) for fault in self.faults)

    def had_disaster(self, t):
        return any(fault.disaster and fault.t <= t for fault in self.faults)
