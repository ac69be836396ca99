"""The archive, the directory and the notices, where they do not fit what happened."""

from draft import Unfit, moved, seq_of
from relay import SECOND


def must_be_archived(draft):
    ever = any(event.get("forever") for event in draft.of("fault"))

    def fits(_at, event):
        names = {"user": event["sender"], "id": event["id"], "to": event["recipient"]}
        return not ever and draft.find("accepted", **names)

    return fits


def row_missing(draft):
    draft.drop(draft.pick("archive", must_be_archived(draft)))


def row_extra(draft):
    row = draft[draft.pick("archive")]
    draft.add({**row, "id": "made up", "seq": row["seq"] + 5000})


def row_twice(draft):
    row = draft[draft.pick("archive")]
    draft.add({**row, "seq": row["seq"] + draft.random.choice([0, 5000])})


def rows_swapped(draft):
    def is_seen(_at, event):
        place = f"{event['epoch']}:{event['seq']}"
        return draft.find("recv", user=event["recipient"], cursor=place)

    one = draft.pick("archive", is_seen)
    place = {name: draft[one][name] for name in ("recipient", "epoch")}
    other = draft.random.choice([at for at in draft.find("archive", **place)])
    if other == one:
        raise Unfit()
    seqs = draft[one]["seq"], draft[other]["seq"]
    draft.change(one, seq=seqs[1])
    draft.change(other, seq=seqs[0])


def row_altered(draft):
    draft.change(draft.pick("archive"), hash="another")


def row_misplaced(draft):
    at = draft.pick("archive")
    row = draft[at]
    users = {event["user"] for event in draft.of("open")}
    users -= {event["to"] for event in draft.of("send") if event["id"] == row["id"]}
    if not users:
        raise Unfit()
    draft.change(at, recipient=draft.random.choice(sorted(users)), seq=row["seq"] + 5000)


def ephemeral_archived(draft):
    sent = draft[draft.pick("send", lambda _, event: event.get("class") == "ephemeral")]
    row = {
        "recipient": sent["to"],
        "epoch": 1,
        "seq": 9000,
        "sender": sent["user"],
        "id": sent["id"],
    }
    draft.add({"ev": "archive", **row})


# The directory


def home_unmoved(draft):
    """A home changes, and nobody asked for it."""
    at = draft.pick("home", lambda _, event: draft.is_calm(event["user"]) and event["t"] > SECOND)
    if draft.find("move", user=draft[at]["user"]):
        raise Unfit()
    draft.change(at, home="mars")


def epoch_back(draft):
    at = draft.pick("home", lambda _, event: event["epoch"] > 1)
    old = {name: draft[at][name] for name in ("user", "home", "at")}
    draft.add({"ev": "home", **old, "epoch": draft[at]["epoch"] - 1})


def home_back(draft):
    """After a planned move the old home shows again."""
    move = draft[draft.pick("move")]
    samples = [draft[at] for at in draft.find("home", user=move["user"], at="sin")]
    last = samples[-1]
    before = [event for event in samples if event["t"] < move["t"]][-1]
    homes = {event["home"] for event in samples if event["t"] > move["t"]} - {before["home"]}
    if before["epoch"] != last["epoch"] or homes != {move["to"]}:
        raise Unfit()
    draft.add({**last, "home": before["home"]})


# Notices


def copies(draft, notice):
    return draft.find("notice", user=notice["user"], cursor=notice["cursor"])


def notice_of_nothing(draft):
    for at in copies(draft, draft[draft.pick("notice")]):
        draft.change(at, ids=["made up"])


def notice_unasked(draft):
    notice = draft[draft.pick("notice")]
    sends = draft.find("send", user=notice["user"], to=notice["by"], id=notice["ids"][0])
    for at in sends:
        draft.change(at, want=[kind for kind in draft[at]["want"] if kind != notice["kind"]])


def notice_misplaced(draft):
    notice = draft[draft.pick("notice", lambda _, event: event["kind"] == "stored")]
    seen = draft.find("recv", user=notice["by"], id=notice["ids"][0], **{"from": notice["user"]})
    if not seen or not draft.is_calm(notice["by"]):
        raise Unfit()
    for at in copies(draft, notice):
        draft.change(at, of_cursor=moved(notice["of_cursor"], 1))


def notice_twice(draft):
    one = draft[draft.pick("notice")]

    def is_later(_at, event):
        same_epoch = event["cursor"].split(":")[0] == one["cursor"].split(":")[0]
        return event["user"] == one["user"] and same_epoch and event["cursor"] != one["cursor"]

    other = draft[draft.pick("notice", is_later)]
    for at in copies(draft, other):
        draft.change(at, **{name: one[name] for name in ("kind", "by", "ids", "of_cursor")})


def notice_too_far(draft):
    """It says more than was said."""

    def fits(_at, event):
        return event["kind"] != "stored" and draft.is_calm(event["by"])

    notice = draft[draft.pick("notice", fits)]
    for at in copies(draft, notice):
        draft.change(at, of_cursor=moved(notice["of_cursor"], 500))


def notices_swapped(draft):
    """Two of one kind from one user come the other way round."""

    def stays(event):
        return draft.is_calm(event["user"]) and draft.is_calm(event["by"])

    one = draft[draft.pick("notice", lambda _, event: stays(event))]

    def is_another(_at, event):
        same = all(event[name] == one[name] for name in ("user", "by", "kind"))
        return same and event["cursor"] != one["cursor"]

    other = draft[draft.pick("notice", is_another)]
    for to, told in ((one, other), (other, one)):
        for at in copies(draft, to):
            draft.change(at, ids=told["ids"], of_cursor=told["of_cursor"])


def notice_too_early(draft, kind):
    """Told before it happened."""

    def fits(_at, event):
        happened = [
            other
            for other in draft.of("read" if kind == "read" else "ack")
            if other["user"] == event["by"] and other["t"] <= event["t"]
        ]
        presented = [
            other
            for other in draft.of("open")
            if other["user"] == event["by"] and "cursor" in other and other["t"] <= event["t"]
        ]
        seen = draft.find("recv", user=event["by"], id=event["ids"][0], **{"from": event["user"]})
        reached = [seq_of(other["cursor"]) for other in happened + presented]
        return (
            event["kind"] == "stored"
            and seen
            and draft.is_calm(event["by"])
            and max(reached, default=0) < seq_of(event["of_cursor"])
        )

    notice = draft[draft.pick("notice", fits)]
    for at in copies(draft, notice):
        draft.change(at, kind=kind)


def delivered_too_early(draft):
    notice_too_early(draft, "delivered")


def read_too_early(draft):
    notice_too_early(draft, "read")
