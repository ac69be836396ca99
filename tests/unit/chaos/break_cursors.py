"""Cursors that are not what was promised: resumed, confirmed, skipped by gaps."""

from draft import Unfit, connection_of, device_of, moved, seq_of
from relay import SECOND


def is_resumed(draft):
    opens = {connection_of(event): event for event in draft.of("open")}
    return lambda _at, event: event["resumed"] and "cursor" in opens[connection_of(event)]


def resumed_ahead(draft):
    at = draft.pick("ready", is_resumed(draft))
    draft.change(at, cursor=moved(draft[at]["cursor"], 1))


def resumed_behind(draft):
    resumed = is_resumed(draft)
    at = draft.pick("ready", lambda at, event: resumed(at, event) and seq_of(event["cursor"]) > 0)
    draft.change(at, cursor=moved(draft[at]["cursor"], -1))


def resync_unsaid(draft):
    at = draft.pick("resync", lambda at, event: draft.is_followed(at))
    stream = draft.streams[connection_of(draft[at])]
    ready = next(other for other in stream if draft[other]["ev"] == "ready")
    if draft[ready]["cursor"] != draft[at]["cursor"] or draft[ready]["resumed"]:
        raise Unfit()
    draft.drop(at)


def needless_resync(draft):
    if draft.has_disaster():
        raise Unfit()
    at = draft.pick("ready", is_resumed(draft))
    draft.change(at, resumed=False)
    event = {name: draft[at][name] for name in ("user", "device", "conn", "cursor")}
    draft.add({"ev": "resync", **event}, draft[at]["t"])


def confirmed_before(draft, event):
    """The highest that its device saw confirmed before its connection was opened."""
    stream = draft.streams[connection_of(event)]
    opened = draft[stream[0]]
    confirmed = [
        seq_of(other["cursor"])
        for other in draft.of("acked")
        if device_of(other) == device_of(event) and other["t"] < opened["t"]
    ]
    return opened, max(confirmed, default=0)


def begins_below_confirmed(draft):
    def fits(_at, event):
        opened, confirmed = confirmed_before(draft, event)
        return "cursor" not in opened and confirmed and draft.is_calm(event["user"])

    at = draft.pick("ready", fits)
    _, confirmed = confirmed_before(draft, draft[at])
    draft.change(at, cursor=f"1:{confirmed - 1}")


def begins_above_acknowledged(draft):
    def fits(_at, event):
        opened, _ = confirmed_before(draft, event)
        return "cursor" not in opened and event["resumed"]

    at = draft.pick("ready", fits)
    draft.change(at, cursor=moved(draft[at]["cursor"], 1000))


def comes_again(draft):
    """After it was confirmed, on the same connection."""

    def fits(at, event):
        return any(draft[other]["cursor"] == event["cursor"] for other in earlier(at, event))

    def earlier(at, event):
        stream = draft.streams[connection_of(event)]
        began = [other for other in stream if draft[other]["ev"] in ("open", "resync")]
        if len(began) > 1 or "cursor" in draft[began[0]]:
            return []
        return [
            other
            for other in stream
            if other < at and draft[other]["ev"] == "recv" and "cursor" in draft[other]
        ]

    at = draft.pick("acked", fits)
    again = next(
        draft[other]
        for other in earlier(at, draft[at])
        if draft[other]["cursor"] == draft[at]["cursor"]
    )
    draft.add(again, draft[at]["t"] + 1)


def confirmed_back(draft):
    def fits(at, event):
        return seq_of(event["cursor"]) > 0 and any(
            True for _ in draft.later(at, ("acked",), ("resync",))
        )

    at = draft.pick("acked", fits)
    other = next(draft.later(at, ("acked",), ("resync",)))
    draft.change(other, cursor=moved(draft[at]["cursor"], -1))


def confirmed_unasked(draft):
    at = draft.pick("acked")
    draft.change(at, cursor=moved(draft[at]["cursor"], 100))


def ack_unsaid(draft):
    """Confirmed on a first connection, where nothing was acknowledged."""

    def fits(_at, event):
        return event["conn"] == 1 and "cursor" not in confirmed_before(draft, event)[0]

    at = draft.pick("acked", fits)
    for other in draft.streams[connection_of(draft[at])]:
        if draft[other]["ev"] == "ack" and draft[other]["t"] < draft[at]["t"]:
            draft.drop(other)


# Gaps


def gap_too_short(draft):
    def fits(at, event):
        return event["from"] != event["to"] and draft.is_followed(at)

    at = draft.pick("gap", fits)
    draft.change(at, to=moved(draft[at]["to"], -1))


def gap_too_long(draft):
    at = draft.pick("gap")
    draft.change(at, to=moved(draft[at]["to"], 5000))


def gap_made_up(draft):
    draft.change(draft.pick("gap"), reason="bad weather")


def gap_untrue(draft):
    at = draft.pick("gap", lambda _, event: event["reason"] == "ttl")
    reasons = ["retention"] if draft.has_disaster() else ["retention", "lost"]
    if draft[0]["settings"]["mailbox_max_messages"] > 1000:
        reasons.append("mailbox_full")
    draft.change(at, reason=draft.random.choice(reasons))


def gap_for_message(draft, condition):
    def fits(_at, event):
        return "cursor" in event and condition(event, draft[draft.sends(event)[0]])

    at = draft.pick("recv", fits)
    event = {name: draft[at][name] for name in ("user", "device", "conn", "t", "cursor")}
    cursor = event.pop("cursor")
    draft.events[at] = {"ev": "gap", **event, "from": cursor, "to": cursor, "reason": "ttl"}


def gap_without_ttl(draft):
    gap_for_message(draft, lambda event, sent: "ttl" not in sent)


def gap_before_ttl(draft):
    gap_for_message(
        draft, lambda event, sent: "ttl" in sent and event["t"] < sent["t"] + sent["ttl"] * SECOND
    )
