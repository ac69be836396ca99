"""Writes clean histories: users and devices on the relay of relay.py, with faults. clean(seed) is
the history of that seed, always the same."""

import hashlib

from relay import MS, REGIONS, Mailbox, Relay, Simulation

SENDING_MS = 9000
SETTLED_MS = 16000
BOUND_S = 5


class Connection:
    """What one connection of a device sees."""

    def __init__(self, device, number, region, told):
        self.device, self.number, self.region = device, number, region
        self.box, self.relay = device.box, device.relay
        self.simulation = device.simulation
        self.epoch = self.at = self.acked = None  # `at`: the last seq it was told of
        self.ready = self.alive = False
        self.pumping = False
        self.waiting = []  # what was sent and not answered
        self.alive = True
        self.tell("open", region=region, **told)

    def tell(self, event, /, **more):
        names = {"user": self.device.user, "device": self.device.name, "conn": self.number}
        self.simulation.tell(event, **names, **more)

    def reachable(self):
        return not self.relay.blocked(self.region, self.box.home) and self.box.held is None

    def begin(self, cursor, start):
        if not self.alive:
            return
        if not self.reachable():
            self.simulation.after(20, self.begin, cursor, start)
            return
        self.at, resumed, resync = self.relay.begin(self.box, self.device.name, cursor, start)
        self.epoch, self.acked, self.ready = self.box.epoch, self.at, True
        place = f"{self.epoch}:{self.at}"
        self.tell("ready", cursor=place, resumed=resumed, home=self.box.home)
        if resync:
            self.tell("resync", cursor=place, reason="the cursor cannot be honoured")
        self.device.cursor = (self.epoch, self.at)
        self.box.connections.append(self)
        self.simulation.after(self.simulation.random.randint(80, 200), self.acknowledge)
        self.pump()

    def rescued(self):
        """The mailbox is in a higher epoch."""
        self.epoch, self.at = self.box.epoch, min(self.at, self.box.base)
        self.acked = self.at
        self.device.cursor = (self.epoch, self.at)
        self.tell("resync", cursor=f"{self.epoch}:{self.at}", reason="the home was lost")
        self.pump()

    def pump(self):
        if not self.pumping and self.alive and self.ready and self.at < self.box.head:
            self.pumping = True
            wait_ms = self.relay.delay_ms(self.region, self.box.home)
            self.simulation.after(wait_ms, self.deliver)

    def deliver(self):
        self.pumping = False
        if not self.alive or self.at >= self.box.head:
            return
        if not self.reachable():
            self.pumping = True
            self.simulation.after(20, self.deliver)
            return
        for _ in range(8):
            if self.at < self.box.head:
                self.deliver_one()
        self.pump()

    def deliver_one(self):
        seq = self.at + 1
        reason = self.relay.why_out(self.box, seq)
        if reason is not None:
            while self.at < self.box.head and self.relay.why_out(self.box, self.at + 1) == reason:
                self.at += 1
            first, last = f"{self.epoch}:{seq}", f"{self.epoch}:{self.at}"
            self.tell("gap", **{"from": first, "to": last, "reason": reason})
        else:
            self.at = seq
            row = self.box.rows[seq - 1]
            kind = "recv" if row.key else "notice"
            self.tell(kind, cursor=f"{self.epoch}:{seq}", **row.frame)
            if row.key and self.simulation.chance(0.1):
                self.read(row.key[0])
        self.device.cursor = (self.epoch, self.at)

    def read(self, sender):
        self.tell("read", cursor=f"{self.epoch}:{self.at}", **{"from": sender})
        self.simulation.after(5, self.relay.has_read, self.box, sender, self.at)

    def receive_ephemeral(self, message):
        if self.alive and self.ready and self.simulation.chance(0.8):
            frame = {name: message[name] for name in ("from", "id", "hash")}
            self.simulation.after(1, self._ephemeral, frame)

    def _ephemeral(self, frame):
        if self.alive:
            self.tell("recv", **frame)

    def acknowledge(self):
        if not self.alive:
            return
        if self.at > self.acked:
            self.acked = self.at
            self.tell("ack", cursor=f"{self.epoch}:{self.at}")
            self.simulation.after(100, self.confirm, self.epoch, self.at)
        self.simulation.after(self.simulation.random.randint(80, 200), self.acknowledge)

    def confirm(self, epoch, seq):
        if epoch != self.box.epoch:
            return
        if not self.reachable():
            self.simulation.after(20, self.confirm, epoch, seq)
            return
        self.relay.acknowledged(self.box, self.device.name, seq)
        kept = self.box.devices[self.device.name] = max(seq, self.box.devices[self.device.name])
        if self.alive:
            self.tell("acked", cursor=f"{epoch}:{kept}")

    def send(self, message):
        names = ("id", "to", "hash", "size", "ttl", "want", "class")
        self.waiting.append(message)
        self.tell("send", **{name: message[name] for name in names if name in message})
        if self.simulation.chance(self.relay.settings["lose"]):  # with the edge it was sent to
            self.simulation.after(self.simulation.random.randint(1, 50), self.device.drop)
        else:
            self.relay.store(self.region, message, lambda kept: self.answered(message, kept))

    def answered(self, message, kept):
        if not self.alive or message not in self.waiting:
            return
        self.waiting.remove(message)
        names = {"id": message["id"], "to": message["to"]}
        if kept:
            self.tell("accepted", **names)
        else:
            self.tell("rejected", **names, code="busy", retryable=True)
            if self.simulation.chance(0.6):
                self.simulation.after(30, self.device.send, message)

    def close(self, code):
        self.alive = False
        if self in self.box.connections:
            self.box.connections.remove(self)
        self.tell("close", code=code)
        for message in self.waiting:
            self.tell("unknown", id=message["id"], to=message["to"])
            if self.simulation.chance(0.8):
                self.simulation.after(30, self.device.send, message)


class Device:
    def __init__(self, relay, box, name, region, start):
        self.relay, self.box, self.user, self.name = relay, box, box.user, name
        self.simulation, self.region, self.start = relay.simulation, region, start
        self.cursor = self.connection = None
        self.numbers = self.sent = 0
        self.gone = False

    def connect(self):
        if self.gone:
            return
        cursor, told = self.cursor, {}
        if cursor is not None and self.simulation.chance(0.1):
            cursor = (cursor[0], cursor[1] + 100000)  # one that nobody gave out
        elif cursor is not None and self.simulation.chance(0.1):
            cursor = (cursor[0], max(cursor[1] - 5, 0))  # it forgot some
        elif cursor is not None and self.simulation.chance(0.3):
            cursor = None
        if cursor is not None:
            told["cursor"] = f"{cursor[0]}:{cursor[1]}"
        elif self.start == "head":
            told["start"] = "head"
        self.numbers += 1
        region = self.region
        if self.simulation.chance(0.2) and self.relay.settings["forever"] is None:
            region = self.simulation.random.choice(REGIONS)
        self.connection = Connection(self, self.numbers, region, told)
        self.simulation.after(3, self.connection.begin, cursor, self.start)

    def drop(self, code=1006, away_ms=None):
        if self.connection is not None and self.connection.alive:
            self.connection.close(code)
            self.simulation.after(away_ms or self.simulation.random.randint(20, 600), self.connect)

    def send(self, message):
        """At once, or when there is a connection again."""
        if self.connection is not None and self.connection.alive and self.connection.ready:
            self.connection.send(message)
        elif not self.gone:
            self.simulation.after(50, self.send, message)

    def talk(self, users):
        chance, choose = self.simulation.chance, self.simulation.random.choice
        if self.simulation.now > SENDING_MS * MS or self.gone:
            return
        self.sent += 1
        identity = f"{self.name}-{self.sent}"
        message = {"from": self.user, "to": choose(users), "id": identity, "size": 100}
        message["hash"] = hashlib.sha256(f"{self.user} {identity}".encode()).hexdigest()[:16]
        if chance(0.15):
            message["ttl"] = 1
        if chance(0.05):
            message["class"] = "ephemeral"
        elif chance(0.2):
            message["want"] = ["stored", "delivered", "read"]
        self.send(message)
        if chance(0.05):
            self.simulation.after(400, self.send, message)  # once more, though it was answered
        self.simulation.after(self.simulation.random.randint(100, 500), self.talk, users)


class Scenario:
    """One run: who is there, and what goes wrong."""

    def __init__(self, seed):
        self.simulation = Simulation(seed)
        chance, choose = self.simulation.chance, self.simulation.random.choice
        self.settings = {
            "reject": choose([0, 0.03]),
            "lose": choose([0, 0.02]),
            "mailbox_max_messages": choose([15, 10000]),
            "forever": choose([None, None, "iad"]),
        }
        self.relay = Relay(self.simulation, self.settings)
        self.users = [f"user-{number}" for number in range(5)]
        self.devices = []
        for number, user in enumerate(self.users):
            box = self.relay.boxes[user] = Mailbox(user, REGIONS[number % 3])
            for name in ("phone", "desk")[: 1 + number % 2]:
                start = "head" if chance(0.3) else "oldest"
                device = Device(self.relay, box, f"{name}", choose(REGIONS), start)
                self.devices.append(device)
        self.faults, self.for_ever = 0, None

    def run(self):
        simulation = self.simulation
        settings = {
            "mailbox_max_messages": self.settings["mailbox_max_messages"],
            "archive": True,
            "bound_s": BOUND_S,
            "clock_slack_s": 0,
            "move_settle_s": 1,
        }
        simulation.tell("run", format=1, settings=settings)
        self.relay.sample()
        for device in self.devices:
            simulation.after(simulation.random.randint(1, 300), device.connect)
            simulation.after(400, device.talk, self.users)
        for at_ms in range(1200, SENDING_MS, 1800):
            simulation.after(at_ms, self.fault)
            simulation.after(at_ms - 500, self.restless)
        simulation.after(SENDING_MS - 2500, self.move)
        if self.settings["forever"]:
            simulation.after(SENDING_MS - 600, self.fault_for_ever)
        simulation.run(SETTLED_MS)
        self.finish()
        return simulation.events

    def restless(self):
        for device in self.devices:
            if self.simulation.chance(0.5):
                device.drop(away_ms=self.simulation.random.choice([30, 300, 2500]))

    def move(self):
        user = self.simulation.random.choice(self.users)
        self.relay.move(user, self.simulation.random.choice(REGIONS))

    def fault(self):
        self.faults += 1
        name, kind = f"f{self.faults}", self.simulation.random.choice(["hub", "link", "region"])
        region, other = self.simulation.random.sample(REGIONS, 2)
        down = frozenset((region, other)) if kind == "link" else region
        cuts = {"links": [[region, other]]} if kind == "link" else {"regions": [region]}
        self.simulation.tell("fault", id=name, kind=kind, cuts=cuts, disaster=kind == "region")
        self.relay.down.add(down)
        if kind == "region":
            for device in self.devices:
                if device.connection and device.connection.region == region:
                    device.drop()
            for box in self.relay.boxes.values():
                if box.home == region and self.simulation.chance(0.5):
                    self.simulation.after(300, self.relay.rescue, box.user, other)
        self.simulation.after(self.simulation.random.randint(500, 1000), self.heal, name, down)

    def heal(self, name, down):
        if down != self.for_ever:
            self.relay.down.discard(down)
        self.simulation.tell("heal", id=name)

    def fault_for_ever(self):
        region = self.for_ever = self.settings["forever"]
        cuts = {"regions": [region]}
        self.simulation.tell("fault", id="end", kind="region", cuts=cuts, forever=True)
        self.relay.down.add(region)
        for device in self.devices:
            if device.region == region:
                device.gone = True
                if device.connection and device.connection.alive:
                    device.connection.close(1006)

    def finish(self):
        for number, device in enumerate(self.devices):
            connection = device.connection
            if number == 0 and not device.gone:
                device.gone = True  # one that never reads to the end
                if connection.alive:
                    connection.close(1000)
            read = not device.gone and connection.alive and connection.ready
            self.simulation.tell("end", user=device.user, device=device.name, read_to_end=read)
        for box in self.relay.boxes.values():
            for epoch, seq, row in box.archived:
                names = {"sender": row.frame["from"], "id": row.frame["id"]}
                place = {"recipient": box.user, "epoch": epoch, "seq": seq}
                self.simulation.tell("archive", **place, **names, hash=row.frame["hash"])


def clean(seed):
    return Scenario(seed).run()
