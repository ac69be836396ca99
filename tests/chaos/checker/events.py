"""The lines of a history: one JSON object each, checked for form. The contract is
docs/chaos-history.md; what is not understood is an error and never skipped."""

import json

FORMAT = 1
SEQ_BITS = 44  # a cursor is one number here: epoch above, seq below, so cursors compare as numbers
SEQ_MAX = (1 << SEQ_BITS) - 1
EPOCH_MAX = (1 << 32) - 1

TEXT, FLAG, LIST, TABLE = "text", "true or false", "a list of texts", "an object"
NUMBER = "a number, not below 0"
SECONDS = "a number of seconds"
TYPES = {
    TEXT: str,
    NUMBER: int,
    FLAG: bool,
    LIST: list,  # of texts
    TABLE: dict,
    SECONDS: (int, float),
}
CONNECTION = {"user": TEXT, "device": TEXT, "conn": NUMBER}
SENDING = {**CONNECTION, "id": TEXT, "to": TEXT}

# kind -> what it must have, what it may have
KINDS = {
    "run": ({"format": NUMBER}, {"settings": TABLE}),
    "open": (
        {**CONNECTION, "region": TEXT},
        {"cursor": TEXT, "start": TEXT, "edge": TEXT, "slow": FLAG},
    ),
    "ready": ({**CONNECTION, "cursor": TEXT, "resumed": FLAG}, {"home": TEXT, "edge": TEXT}),
    "send": (
        {**CONNECTION, "id": TEXT, "hash": TEXT},
        {"size": NUMBER, "ttl": NUMBER, "class": TEXT, "want": LIST},
    ),  # and "to", a text or a list of texts
    "accepted": (SENDING, {}),
    "rejected": (SENDING, {"code": TEXT, "retryable": FLAG}),
    "unknown": (SENDING, {}),
    "recv": ({**CONNECTION, "from": TEXT, "id": TEXT, "hash": TEXT}, {"cursor": TEXT}),
    "notice": (
        {**CONNECTION, "cursor": TEXT, "kind": TEXT},
        {"by": TEXT, "ids": LIST, "of_cursor": TEXT},
    ),
    "ack": ({**CONNECTION, "cursor": TEXT}, {}),
    "acked": ({**CONNECTION, "cursor": TEXT}, {}),
    "read": ({**CONNECTION, "from": TEXT, "cursor": TEXT}, {}),
    "gap": ({**CONNECTION, "from": TEXT, "to": TEXT, "reason": TEXT}, {}),
    "resync": ({**CONNECTION, "cursor": TEXT}, {"reason": TEXT}),
    "close": (CONNECTION, {"code": NUMBER, "reason": TEXT}),
    "end": ({"user": TEXT, "device": TEXT, "read_to_end": FLAG}, {}),
    "fault": (
        {"id": TEXT, "kind": TEXT},
        {"cuts": TABLE, "forever": FLAG, "disaster": FLAG, "note": TEXT},
    ),
    "heal": ({"id": TEXT}, {}),
    "move": ({"user": TEXT, "to": TEXT}, {}),
    "home": ({"user": TEXT, "home": TEXT, "epoch": NUMBER}, {"at": TEXT}),
    "archive": (
        {"recipient": TEXT, "epoch": NUMBER, "seq": NUMBER, "sender": TEXT, "id": TEXT},
        {"hash": TEXT},
    ),
}

SETTINGS = {
    "name": TEXT,
    "bound_s": SECONDS,
    "archive": FLAG,
    "retention_s": SECONDS,
    "mailbox_max_messages": NUMBER,
    "mailbox_max_bytes": NUMBER,
    "devices_max": NUMBER,
    "clock_slack_s": SECONDS,
    "move_settle_s": SECONDS,
    "copies": LIST,
}


class HistoryError(Exception):
    """The history itself is wrong: nothing can be said of the relay."""

    def __init__(self, line, why):
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line


def pack(epoch, seq):
    return epoch << SEQ_BITS | seq


def epoch_of(cursor):
    return cursor >> SEQ_BITS


def seq_of(cursor):
    return cursor & SEQ_MAX


def show(cursor):
    return "none" if cursor is None else f"{cursor >> SEQ_BITS}:{cursor & SEQ_MAX}"


def parse_cursor(text, line):
    epoch, colon, seq = text.partition(":")
    if not (colon and epoch.isdecimal() and seq.isdecimal() and text.isascii()):
        raise HistoryError(line, f"no cursor: {text!r}")
    epoch, seq = int(epoch), int(seq)
    if not 1 <= epoch <= EPOCH_MAX or seq > SEQ_MAX:
        raise HistoryError(line, f"a cursor out of range: {text!r}")
    return epoch << SEQ_BITS | seq


def _is(value, kind):
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind is not FLAG):
        return False
    if kind is LIST:
        return all(isinstance(part, str) for part in value)
    return kind not in (NUMBER, SECONDS) or value >= 0


def _check_epoch(event, line):
    if not 1 <= event["epoch"] <= EPOCH_MAX or event.get("seq", 1) not in range(1, SEQ_MAX + 1):
        raise HistoryError(line, "an epoch or a seq is out of range")


def _check_run(event, line):
    for name, value in event.get("settings", {}).items():
        if name not in SETTINGS:
            raise HistoryError(line, f"no setting: {name!r}")
        if not _is(value, SETTINGS[name]):
            raise HistoryError(line, f"the setting '{name}' must be {SETTINGS[name]}")


def _check_fault(event, line):
    cuts = event.get("cuts", {})
    links = cuts.get("links", [])
    if not set(cuts) <= {"regions", "links"} or not _is(cuts.get("regions", []), LIST):
        raise HistoryError(line, "'cuts' names regions and links")
    if not isinstance(links, list) or not all(_is(link, LIST) and len(link) == 2 for link in links):
        raise HistoryError(line, "a link of 'cuts' is a list of two regions")


def _check_send(event, line):
    to = event.get("to")
    names = to if isinstance(to, list) else [to]
    if not names or not all(isinstance(name, str) for name in names):
        raise HistoryError(line, "'to' of send is a text or a list of texts")
    if len(set(names)) != len(names):
        raise HistoryError(line, "'to' of send names somebody twice")


MORE = {
    "run": _check_run,
    "fault": _check_fault,
    "send": _check_send,
    "home": _check_epoch,
    "archive": _check_epoch,
}


def check(event, line):
    """Raises HistoryError unless the event has what its kind must have, in the right types."""
    kind = event.get("ev")
    rules = KINDS.get(kind) if isinstance(kind, str) else None
    if rules is None:
        raise HistoryError(line, f"no kind of event: {kind!r}")
    if not _is(event.get("t"), NUMBER):
        raise HistoryError(line, "'t' is a number of nanoseconds")
    must, may = rules
    for name, wanted in must.items():
        if not _is(event.get(name), wanted):
            raise HistoryError(line, f"'{name}' of {kind} must be {wanted}")
    for name, wanted in may.items():
        if name in event and not _is(event[name], wanted):
            raise HistoryError(line, f"'{name}' of {kind} must be {wanted}")
    more = MORE.get(kind)
    if more is not None:
        more(event, line)


def read(lines):
    """(line number, event) of each line, checked, in the order of one clock."""
    last = 0
    for number, text in enumerate(lines, 1):
        try:
            event = json.loads(text)
        except ValueError as error:
            raise HistoryError(number, f"no JSON: {error}") from None
        if not isinstance(event, dict):
            raise HistoryError(number, "no JSON object")
        check(event, number)
        if event["t"] < last:
            raise HistoryError(number, "the clock goes back; merge the files by time first")
        last = event["t"]
        yield number, event
