"""Messages that come wrong, or not, and outcomes that are not true."""

from clean import BOUND_S
from draft import PLACED, Unfit, connection_of, device_of, is_placed, moved, seq_of
from relay import SECOND


def drop_recv(draft):
    draft.drop(draft.pick("recv", lambda at, event: is_placed(at, event) and draft.is_followed(at)))


def duplicate_recv(draft):
    event = draft[draft.pick("recv", is_placed)]
    draft.add(event, event["t"])


def swap_recvs(draft):
    """Two messages come in the wrong order, each with its own cursor."""

    def has_next(at, event):
        return is_placed(at, event) and any(True for _ in draft.later(at, ("recv",), PLACED[1:]))

    one = draft.pick("recv", has_next)
    other = next(draft.later(one, ("recv",), PLACED[1:]))
    if "cursor" not in draft[other]:
        raise Unfit()
    times = draft[one]["t"], draft[other]["t"]
    draft.change(one, t=times[1])
    draft.change(other, t=times[0])
    draft.events[one], draft.events[other] = draft.events[other], draft.events[one]


CONTENT = ("from", "id", "hash")


def swap_at_one_device(draft):
    """One device sees two messages the other way round than the other device."""

    def is_seen_twice(_at, event):
        same = draft.find("recv", user=event["user"], cursor=event.get("cursor"))
        return "cursor" in event and len({draft[at]["device"] for at in same}) == 2

    one = draft.pick("recv", is_seen_twice)
    content = {name: draft[one][name] for name in CONTENT}

    def is_other(at, event):
        return (
            is_seen_twice(at, event)
            and event["device"] == draft[one]["device"]
            and event["user"] == draft[one]["user"]
            and all(draft[send]["t"] < draft[one]["t"] for send in draft.sends(event))
            and any(event[name] != content[name] for name in ("from", "id"))
        )

    other = draft.pick("recv", is_other)
    draft.change(one, **{name: draft[other][name] for name in CONTENT})
    draft.change(other, **content)


def swap_everywhere(draft):
    """Two messages of one sender stand in the mailbox the other way round, for everybody."""

    def rows(event):
        return draft.find("recv", user=event["user"], id=event["id"], **{"from": event["from"]})

    def sent_once(event):
        sends = draft.sends(event)
        return draft[sends[0]] if len(sends) == 1 else None

    def is_first(_at, event):
        return "cursor" in event and draft.is_calm(event["user"]) and sent_once(event)

    one = draft.pick("recv", is_first)
    first = sent_once(draft[one])
    outcomes = draft.find("accepted", user=first["user"], id=first["id"], to=first["to"])

    def is_second(_at, event):
        second = sent_once(event) if "cursor" in event else None
        return (
            second is not None
            and (event["user"], event["from"]) == (first["to"], first["user"])
            and (
                connection_of(first) == connection_of(second)
                and first["t"] < second["t"]
                and second["t"] < min(draft[at]["t"] for at in rows(draft[one]))
            )
        )

    other = draft.pick("recv", is_second)
    if not outcomes:
        raise Unfit()
    contents = [{name: draft[at][name] for name in CONTENT} for at in (one, other)]
    places = rows(draft[one]), rows(draft[other])
    for positions, content in zip(places, reversed(contents)):
        for position in positions:
            draft.change(position, **content)


def change_body(draft):
    draft.change(draft.pick("recv"), hash="another")


def never_sent(draft):
    draft.change(draft.pick("recv"), id="made up")


def wrong_mailbox(draft):
    at = draft.pick("recv", is_placed)
    user, t = draft[at]["user"], draft[at]["t"]

    def is_for_another(_at, event):
        return (
            event["to"] != user
            and event["t"] < t
            and not draft.find("send", user=event["user"], id=event["id"], to=user)
        )

    sent = draft[draft.pick("send", is_for_another)]
    draft.change(at, **{"from": sent["user"], "id": sent["id"], "hash": sent["hash"]})


def cursor_reused(draft):
    """The cursor of what came before it on the same connection."""
    at = draft.pick("recv", lambda at, event: is_placed(at, event) and draft.is_followed(at))
    other = next(draft.later(at))
    if draft[other]["ev"] != "recv":
        raise Unfit()
    draft.change(other, cursor=draft[at]["cursor"])


def cursor_skipped(draft):
    at = draft.pick("recv", is_placed)
    for other in [at, *draft.later(at, until=("resync", "gap"))]:
        draft.change(other, cursor=moved(draft[other]["cursor"], 1))


def delivered_twice(draft):
    """A repeat of an id gets a second cursor."""

    def repeats(at, event):
        """Later messages of its connection, in the same epoch."""
        for other in draft.later(at, ("recv",)):
            later = draft[other]
            same_epoch = later.get("cursor", ":").split(":")[0] == event["cursor"].split(":")[0]
            if same_epoch and later["id"] != event["id"]:
                yield other

    one = draft.pick("recv", lambda at, event: is_placed(at, event) and any(repeats(at, event)))
    other = next(repeats(one, draft[one]))
    draft.change(other, **{name: draft[one][name] for name in CONTENT})


def lose_the_last(draft):
    """A device that read to the end never gets the last message."""
    end = draft[draft.pick("end", lambda _, event: event["read_to_end"])]
    number = draft.last_connection(*device_of(end))
    stream = draft.streams[end["user"], end["device"], number]
    placed = [at for at in stream if draft[at]["ev"] in PLACED]
    last = placed[-1] if placed else None
    if last is None or draft[last]["ev"] != "recv":
        raise Unfit()
    sends = draft.sends(draft[last])
    names = {"user": draft[last]["from"], "id": draft[last]["id"], "to": end["user"]}
    again = [at for at in draft.find("recv", **names_of(draft[last])) if at != last]
    seen = [at for at in again if device_of(draft[at]) == device_of(end)]
    if seen or not draft.find("accepted", **names) or not draft.is_calm(end["user"]) or not sends:
        raise Unfit()
    began = draft.find("ready", user=end["user"], device=end["device"])
    if any(seq_of(draft[at]["cursor"]) >= seq_of(draft[last]["cursor"]) for at in began):
        raise Unfit()  # it had begun behind it, and needed not get it
    draft.drop(last)


def names_of(recv):
    return {"user": recv["user"], "id": recv["id"], "from": recv["from"]}


def lose_everywhere(draft):
    """The relay forgets an accepted message altogether: all later cursors are one lower."""
    at = draft.pick("archive", lambda _, event: draft.is_calm(event["recipient"]))
    user, lost = draft[at]["recipient"], draft[at]["seq"]
    names = {"user": draft[at]["sender"], "id": draft[at]["id"], "to": user}
    ends = [event for event in draft.of("end") if event["user"] == user and event["read_to_end"]]
    begins = [seq_of(event["cursor"]) for event in draft.of("ready") if event["user"] == user]
    gaps = [event for event in draft.of("gap") if event["user"] == user]
    covered = any(seq_of(gap["from"]) <= lost <= seq_of(gap["to"]) for gap in gaps)
    first = [event for event in draft.of("ready") if event["user"] == user and event["conn"] == 1]
    late = any(seq_of(event["cursor"]) >= lost for event in first)
    if not ends or covered or late or not begins or not draft.find("accepted", **names):
        raise Unfit()
    draft.drop(at)
    for position, event in enumerate(draft.events):
        if event is None:
            continue
        if event["ev"] == "archive" and event["recipient"] == user and event["seq"] > lost:
            draft.change(position, seq=event["seq"] - 1)
        if event.get("user") != user:
            continue
        if event["ev"] == "recv" and event.get("cursor") == f"1:{lost}":
            draft.drop(position)
            continue
        for name in ("cursor", "to", "from"):
            if (name == "cursor" or event["ev"] == "gap") and name in event:
                if seq_of(event[name]) >= lost and event["ev"] != "home":
                    draft.change(position, **{name: moved(event[name], -1)})


# Outcomes


def rejected_seen(draft):
    def is_seen_once(_at, event):
        names = {"user": event["to"], "id": event["id"], "from": event["user"]}
        sends = draft.find("send", user=event["user"], id=event["id"], to=event["to"])
        return len(sends) == 1 and draft.find("recv", **names)

    draft.change(draft.pick("accepted", is_seen_once), ev="rejected", code="busy")


def answer_to_nothing(draft):
    draft.change(draft.pick("accepted"), id="made up")


def answered_twice(draft):
    at = draft.pick("accepted")
    draft.add(draft[at], draft[at]["t"])


def is_open_to_the_end(draft, event):
    stream = draft.streams[connection_of(event)]
    return all(draft[at]["ev"] != "close" for at in stream)


def due(draft, t):
    return max(t, draft.settled()) + BOUND_S * SECOND


def in_time(draft):
    def fits(_at, event):
        calm = draft.is_calm(event["to"]) and draft.is_calm(event["user"])
        room = due(draft, event["t"]) + SECOND < draft.end()
        return calm and room and is_open_to_the_end(draft, event)

    return fits


def accepted_late(draft):
    at = draft.pick("accepted", in_time(draft))
    draft.change(at, t=due(draft, draft[at]["t"]) + SECOND // 2)


def unanswered(draft):
    draft.drop(draft.pick("accepted", in_time(draft)))


def received_late(draft):
    """The last that a connection gets comes too late."""

    def fits(at, event):
        if "cursor" not in event or not is_open_to_the_end(draft, event):
            return False
        names = {"user": event["from"], "id": event["id"], "to": event["user"]}
        again = draft.find("recv", device=event["device"], **names_of(event))
        return (
            draft.is_calm(event["user"])
            and draft.is_calm(event["from"])
            and again[0] == at
            and draft.find("accepted", **names)
            and next(draft.later(at), None) is None
            and due(draft, event["t"]) + SECOND < draft.end()
        )

    at = draft.pick("recv", fits)
    draft.change(at, t=due(draft, draft[at]["t"]) + SECOND // 2)


def never_ready(draft):
    if any(event.get("forever") for event in draft.of("fault")):
        raise Unfit()
    t = draft.random.randint(SECOND, 9 * SECOND)
    user = draft[draft.pick("open")]["user"]
    draft.add({"ev": "open", "user": user, "device": "ghost", "conn": 1, "region": "sin"}, t)


def turned_away(draft):
    """A device tries again and again, and is never let in."""
    if any(event.get("forever") for event in draft.of("fault")):
        raise Unfit()
    user = draft[draft.pick("open")]["user"]
    names = {"user": user, "device": "ghost"}
    start, end = draft.settled(), draft.settled() + BOUND_S * SECOND + SECOND
    for number, t in enumerate(range(start, end, SECOND // 2), 1):
        draft.add({"ev": "open", **names, "conn": number, "region": "sin"}, t)
        draft.add({"ev": "close", **names, "conn": number}, t + SECOND // 4)


def never_confirmed(draft):
    """From some acknowledgement on, on a connection that stays."""
    fits = in_time(draft)
    at = draft.pick("ack", lambda at, event: fits(at, {**event, "to": event["user"]}))
    for other in list(draft.later(at, ("acked",))):
        draft.drop(other)
