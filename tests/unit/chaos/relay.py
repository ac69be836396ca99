"""A correct relay in play: mailboxes, lanes, homes and a directory on simulated time. It exists to
write clean histories; it is not modelled after the daemons but after what they promise."""

import heapq
import random

MS = 1_000_000
SECOND = 1000 * MS
REGIONS = ["sin", "iad", "dub"]


class Simulation:
    """Time, chance and the history."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now, self.turn, self.due, self.events = 0, 0, [], []

    def at(self, t, action, *arguments):
        self.turn += 1
        heapq.heappush(self.due, (t, self.turn, action, arguments))

    def after(self, ms, action, *arguments):
        self.at(self.now + int(ms * MS), action, *arguments)

    def run(self, until_ms):
        while self.due and self.due[0][0] <= until_ms * MS:
            t, _, action, arguments = heapq.heappop(self.due)
            self.now = max(self.now, t)
            action(*arguments)
        self.now = max(self.now, until_ms * MS)

    def tell(self, event, /, **more):
        self.now += 1  # no two events at one time
        self.events.append({"t": self.now, "ev": event, **more})

    def chance(self, share):
        return self.random.random() < share


class Row:
    """What stands at one place of a mailbox: a message or a notice."""

    def __init__(self, frame, t, ttl_s=0, want=(), key=None):
        self.frame, self.t, self.ttl_s, self.want, self.key = frame, t, ttl_s, want, key
        self.told = set()  # kinds of notices made of it


class Mailbox:
    def __init__(self, user, home):
        self.user, self.home, self.epoch = user, home, 1
        self.rows, self.seen = [], set()
        self.bases = {}  # epoch -> what was there before it rose to that
        self.devices = {}  # name -> confirmed seq, of those that are known
        self.connections = []
        self.told = set()  # (kind, by, id) of the notices in it
        self.archived = []  # (epoch, seq, row)
        self.held = None  # what waits while the mailbox moves
        self.directory = [(0, home, 1)]

    @property
    def head(self):
        return len(self.rows)

    @property
    def base(self):
        return self.bases.get(self.epoch, 0)

    def reach(self, epoch):
        """The last seq of that epoch that is the same place in this one."""
        rises = [base for rise, base in self.bases.items() if rise > epoch]
        return min(rises, default=self.head)


class Relay:
    def __init__(self, simulation, settings):
        self.simulation, self.settings = simulation, settings
        self.boxes, self.lanes, self.stored_t = {}, {}, {}
        self.telling = {}  # (of whom, to whom) -> notices on their way
        self.down = set()  # regions without a hub, and frozensets of regions cut from each other

    def blocked(self, *regions):
        return any(region in self.down for region in regions) or frozenset(regions) in self.down

    def delay_ms(self, one, other):
        return self.simulation.random.uniform(0.5, 2) + (0 if one == other else 40)

    # Sending: stored here, carried there

    def store(self, region, message, answer):
        """Calls answer(True or False) once it is stored, or refused."""
        simulation = self.simulation
        if simulation.chance(self.settings["reject"]):
            simulation.after(1, answer, False)
            return
        if message.get("class") == "ephemeral":
            self._pass_by(region, message)
            simulation.after(1, answer, True)
            return
        t = max(self.stored_t.get(region, 0), simulation.now + simulation.random.randint(1, 4) * MS)
        self.stored_t[region] = t
        simulation.at(t, self._stored, region, message, answer)

    def _stored(self, region, message, answer):
        box = self.boxes[message["to"]]
        self._carry(region, box.home, message)
        answer(True)

    def _carry(self, region, home, message):
        lane = self.lanes.setdefault((region, home), [])
        lane.append((self.simulation.now + self.delay_ms(region, home) * MS, message))
        if len(lane) == 1:
            self._drain(region, home)

    def _drain(self, region, home):
        lane = self.lanes[region, home]
        while lane and lane[0][0] <= self.simulation.now and not self.blocked(region, home):
            self._arrive(home, lane.pop(0)[1])
        if lane:
            self.simulation.after(5, self._drain, region, home)

    def _arrive(self, home, message):
        box = self.boxes[message["to"]]
        if box.home != home:
            self._carry(home, box.home, message)
        elif box.held is not None:
            box.held.append(message)
        else:
            self.append(box, message)

    def append(self, box, message):
        key = (message["from"], message["id"])
        if key in box.seen:
            return
        box.seen.add(key)
        frame = {name: message[name] for name in ("from", "id", "hash")}
        ttl_s, want = message.get("ttl", 0), message.get("want", ())
        row = Row(frame, self.simulation.now, ttl_s, want, key)
        self._add(box, row)
        self._notify(box, "stored", [box.head])

    def _add(self, box, row):
        box.rows.append(row)
        if row.key:
            box.archived.append((box.epoch, box.head, row))
        for connection in list(box.connections):
            connection.pump()

    def _pass_by(self, region, message):
        box = self.boxes[message["to"]]
        if not self.blocked(region, box.home):
            for connection in box.connections:
                connection.receive_ephemeral(message)

    # Notices

    def _notify(self, box, kind, seqs):
        by_sender = {}
        for seq in seqs:
            row = box.rows[seq - 1]
            if row.key and kind in row.want and kind not in row.told:
                row.told.add(kind)
                by_sender.setdefault(row.key[0], []).append((row.key[1], seq))
        for sender, found in by_sender.items():
            notice = {
                "kind": kind,
                "by": box.user,
                "ids": [identity for identity, _ in found],
                "of_cursor": f"{box.epoch}:{found[-1][1]}",
            }
            queue = self.telling.setdefault((box.user, sender), [])
            queue.append(notice)
            self.simulation.after(self.delay_ms(box.home, "?"), self._tell_next, queue, sender)

    def _tell_next(self, queue, sender):
        """Those from one user to one other are told in their order."""
        box = self.boxes[sender]
        if self.blocked(box.home) or box.held is not None:
            self.simulation.after(20, self._tell_next, queue, sender)
        else:
            notice = queue.pop(0)
            keys = {(notice["kind"], notice["by"], identity) for identity in notice["ids"]}
            if not keys & box.told:
                box.told |= keys
                self._add(box, Row(notice, self.simulation.now))

    def acknowledged(self, box, device, seq):
        before = box.devices.get(device, 0)
        self._notify(box, "delivered", range(before + 1, min(seq, box.head) + 1))

    def has_read(self, box, sender, seq):
        if self.blocked(box.home) or box.held is not None:
            self.simulation.after(20, self.has_read, box, sender, seq)
            return
        rows = enumerate(box.rows[:seq], 1)
        seqs = [seq for seq, row in rows if row.key and row.key[0] == sender]
        self._notify(box, "read", seqs)

    # Reading

    def why_out(self, box, seq):
        """The reason of the gap that stands at this place now, or None."""
        kept = self.settings["mailbox_max_messages"]
        row = box.rows[seq - 1]
        if seq <= box.head - kept:
            return "mailbox_full"
        if row.ttl_s and self.simulation.now >= row.t + row.ttl_s * SECOND:
            return "ttl"
        return None

    def begin(self, box, device, cursor, start):
        """(seq, resumed, resync) for a connection that begins; cursor: (epoch, seq) or None."""
        known = device in box.devices
        oldest = max(box.head - self.settings["mailbox_max_messages"], 0)
        if cursor is None and not known:
            seq = box.head if start == "head" else oldest
            box.devices[device] = seq
            return seq, False, False
        if cursor is None:
            return box.devices[device], True, False
        epoch, seq = cursor
        honoured = epoch <= box.epoch and seq <= box.reach(epoch)
        if not honoured:
            seq = box.devices.setdefault(device, oldest)
        box.devices.setdefault(device, seq)
        return seq, honoured, not honoured

    # Homes

    def move(self, user, to):
        """A planned move: the epoch and the places stay."""
        box, simulation = self.boxes[user], self.simulation
        if box.held is not None or self.blocked(box.home) or self.blocked(to):
            return
        simulation.tell("move", user=user, to=to)
        box.held = []
        simulation.after(simulation.random.randint(50, 400), self._moved, box, to)

    def _moved(self, box, to):
        if self.blocked(box.home) or self.blocked(to):
            self.simulation.after(50, self._moved, box, to)
            return
        box.home, held, box.held = to, box.held, None
        box.directory.append((self.simulation.now, to, box.epoch))
        for message in held:  # passed on, after what came straight to the new home
            self.simulation.after(60, self.append, box, message)

    def rescue(self, user, to):
        """The home is gone: another one goes on from the archive, which lags a little."""
        box = self.boxes[user]
        if box.held is not None or box.home == to:
            return
        ahead = min(self.simulation.random.randint(0, 3), box.head - box.base)
        behind = box.rows[box.head - ahead :]
        del box.rows[box.head - ahead :]
        box.archived = [one for one in box.archived if one[2] not in behind]
        old = box.home
        box.epoch, box.home = box.epoch + 1, to
        box.bases[box.epoch] = box.head
        box.seen -= {row.key for row in behind}
        box.devices = {device: min(seq, box.base) for device, seq in box.devices.items()}
        box.directory.append((self.simulation.now, to, box.epoch))
        for connection in list(box.connections):
            connection.rescued()
        self._pass_on_later(box, old, behind)

    def _pass_on_later(self, box, old, rows):
        if self.blocked(old):
            self.simulation.after(50, self._pass_on_later, box, old, rows)
            return
        for row in rows:
            if row.key is None or row.key not in box.seen:
                box.seen.add(row.key)
                self._add(box, row)

    def sample(self):
        """Asks the directory in each region; mirrors are a little behind."""
        for number, region in enumerate(REGIONS):
            seen_t = self.simulation.now - number * 60 * MS
            for user, box in self.boxes.items():
                known = [entry for entry in box.directory if entry[0] <= max(seen_t, 0)]
                _, home, epoch = known[-1]
                self.simulation.tell("home", user=user, home=home, epoch=epoch, at=region)
        self.simulation.after(1000, self.sample)
