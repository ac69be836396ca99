"""A clean history that is about to be broken. An operator gets a Draft and makes one change at a
random place, or raises Unfit: this history has no such place. The functions of the files break_*.py
are such operators, and each makes a change that is surely a violation."""

import collections

PLACED = ("recv", "notice", "gap")


class Unfit(Exception):
    pass


class Draft:
    """A history to be changed: events by kind, by connection and by device."""

    def __init__(self, events, random):
        self.events, self.random = list(events), random
        self.by_kind = collections.defaultdict(list)  # kind -> positions
        self.by_id = collections.defaultdict(list)  # kind, id -> positions
        self.streams = collections.defaultdict(list)  # connection -> positions
        for position, event in enumerate(events):
            self.by_kind[event["ev"]].append(position)
            self.by_id[event["ev"], event.get("id")].append(position)
            if "conn" in event:
                self.streams[connection_of(event)].append(position)

    def __getitem__(self, position):
        return self.events[position]

    def pick(self, kind, condition=lambda position, event: True):
        """A random event of the kind for which the condition holds: its position."""
        positions = list(self.by_kind[kind])
        self.random.shuffle(positions)
        for position in positions:
            if condition(position, self.events[position]):
                return position
        raise Unfit()

    def find(self, kind, **wanted):
        """The positions of the events with these members, in order."""
        positions = self.by_id[kind, wanted["id"]] if "id" in wanted else self.by_kind[kind]
        return [
            position
            for position in positions
            if all(self.events[position].get(name) == value for name, value in wanted.items())
        ]

    def change(self, position, **members):
        self.events[position] = {**self.events[position], **members}

    def drop(self, position):
        self.events[position] = None

    def add(self, event, t=None):
        """At the end, or at a time."""
        self.events.append({**event, "t": self.end() if t is None else t})

    def end(self):
        return max(event["t"] for event in self.events if event)

    def written(self):
        return sorted((event for event in self.events if event), key=lambda event: event["t"])

    # What the history says

    def later(self, position, kinds=PLACED, until=None):
        """What comes behind it on its connection, of these kinds; `until` ends it."""
        stream = self.streams[connection_of(self.events[position])]
        for other in stream[stream.index(position) + 1 :]:
            if until and self.events[other]["ev"] in until:
                return
            if self.events[other]["ev"] in kinds:
                yield other

    def is_followed(self, position):
        """True when the cursor after it shows on its connection."""
        return next(self.later(position, until=("resync",)), None) is not None

    def sends(self, recv):
        """The positions of the sends of what was received or archived."""
        sender, to = recv.get("from") or recv["sender"], recv.get("recipient") or recv["user"]
        return self.find("send", user=sender, to=to, id=recv["id"])

    def settled(self):
        heals = [self.events[position]["t"] for position in self.by_kind["heal"]]
        ever = [event["t"] for event in self.of("fault") if event.get("forever")]
        return max(heals + ever)

    def of(self, kind):
        return [self.events[position] for position in self.by_kind[kind] if self.events[position]]

    def has_disaster(self):
        return any(event.get("disaster") for event in self.of("fault"))

    def is_calm(self, user):
        """True when the user's home was the same all the time, nobody wanted to move it, and
        nothing is cut off for ever."""
        homes = {
            (event["home"], event["epoch"]) for event in self.of("home") if event["user"] == user
        }
        still = len(homes) == 1 and not self.find("move", user=user)
        return still and not any(event.get("forever") for event in self.of("fault"))

    def last_connection(self, user, device):
        numbers = [event["conn"] for event in self.of("open") if device_of(event) == (user, device)]
        return max(numbers)


def connection_of(event):
    return event["user"], event["device"], event["conn"]


def device_of(event):
    return event["user"], event["device"]


def seq_of(cursor):
    return int(cursor.split(":")[1])


def moved(cursor, by):
    epoch, seq = cursor.split(":")
    return f"{epoch}:{max(int(seq) + by, 0)}"


def is_placed(_position, event):
    return "cursor" in event
