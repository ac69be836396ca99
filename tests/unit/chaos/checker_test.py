#!/usr/bin/python3
"""The checker of tests/chaos finds what is wrong, and nothing else: on clean histories of a relay
in play, on hundreds of broken ones, and on small ones by hand."""

import contextlib
import io
import json
import pathlib
import random
import sys
import tempfile
import unittest
from xml.etree import ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "chaos")]

import mutants  # noqa: E402
from checker.__main__ import main  # noqa: E402
from checker.events import EPOCH_MAX, SEQ_MAX, HistoryError  # noqa: E402
from checker.judge import judge_lines  # noqa: E402
from checker.properties import PROPERTIES  # noqa: E402
from clean import clean  # noqa: E402
from draft import Draft, Unfit  # noqa: E402

CLEAN = 20
MUTANTS_EACH = 4
SECOND = 1_000_000_000


def judged(events):
    """{property: (statement, count, violations)} of those that were broken"""
    _, found = judge_lines([json.dumps(event) for event in events])
    return {name: one for name, one in found.items() if one[1]}


class OnARelayInPlay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.histories = [clean(seed) for seed in range(2 * CLEAN)]

    def test_clean_histories_are_clean(self):
        kinds = set()
        for seed, events in enumerate(self.histories[:CLEAN]):
            with self.subTest(seed=seed):
                self.assertEqual(judged(events), {})
            kinds |= {event["ev"] for event in events}
            kinds |= {event["reason"] for event in events if event["ev"] == "gap"}
        wanted = {"gap", "resync", "rejected", "unknown", "move", "notice", "archive", "read"}
        self.assertLessEqual(wanted | {"ttl", "mailbox_full"}, kinds)

    def mutants(self, operator):
        """Histories that the operator broke, each at another place."""
        chance, made = random.Random(operator.__name__), 0
        for attempt in range(20 * len(self.histories)):
            draft = Draft(self.histories[attempt % len(self.histories)], chance)
            with contextlib.suppress(Unfit):
                operator(draft)
                made += 1
                yield draft.written()
            if made == MUTANTS_EACH:
                return
        self.fail(f"{operator.__name__} found no place")

    def test_every_violation_is_found_by_its_property(self):
        count = 0
        for operator, name in mutants.OPERATORS:
            for number, events in enumerate(self.mutants(operator)):
                with self.subTest(operator=operator.__name__, number=number):
                    found = judged(events)
                    self.assertIn(name, found)
                    self.assertTrue(all(one.lines for one in found[name][2]))
                count += 1
        self.assertGreaterEqual(count, 200)

    def test_every_property_has_its_violations(self):
        self.assertEqual({name for _, name in mutants.OPERATORS}, {name for name, *_ in PROPERTIES})


class Small:
    """A small history by hand: alice sends, bob's device receives; a second between events."""

    def __init__(self, **settings):
        self.events, self.t = [], 0
        self.add("run", format=1, settings=settings)

    def add(self, event, /, after_s=1, **members):
        self.t += int(after_s * SECOND)
        self.events.append({"t": self.t, "ev": event, **members})
        return self

    def on(self, who, event, /, conn=1, after_s=1, **members):
        user, _, device = who.partition("/")
        return self.add(event, after_s, user=user, device=device or "d", conn=conn, **members)

    def connect(self, who, conn=1, region="sin", home="sin", cursor="1:0", **told):
        self.on(who, "open", conn, region=region, **told)
        return self.on(who, "ready", conn, cursor=cursor, resumed="cursor" in told, home=home)

    def send(self, identity, conn=1, outcome="accepted", **more):
        self.on("alice", "send", conn, id=identity, to="bob", hash=identity, **more)
        return self.on("alice", outcome, conn, id=identity, to="bob") if outcome else self

    def recv(self, identity, seq, who="bob", **more):
        names = {"from": "alice", "id": identity, "hash": identity}
        return self.on(who, "recv", cursor=f"1:{seq}", **names, **more)

    def end(self, who="bob", read_to_end=True):
        user, _, device = who.partition("/")
        return self.add("end", user=user, device=device or "d", read_to_end=read_to_end)

    def found(self):
        return {name: one[1] for name, one in judged(self.events).items()}


def both():
    return Small().connect("alice").connect("bob")


class ByHand(unittest.TestCase):
    def test_an_unknown_one_may_be_seen_or_not(self):
        history = both().send("m1", outcome="unknown").send("m2", outcome="unknown")
        self.assertEqual(history.recv("m2", 1).end().found(), {})

    def test_a_retry_with_the_same_id_is_one_message(self):
        history = both().send("m1", outcome=None).on("alice", "close")
        history.on("alice", "unknown", id="m1", to="bob").connect("alice", 2)
        history.send("m1", 2).recv("m1", 1)
        self.assertEqual(history.end().found(), {})
        self.assertEqual(history.recv("m1", 2).found(), {"one_cursor": 1})

    def test_a_late_answer_to_what_was_given_up_counts(self):
        history = both().send("m1", outcome="unknown")
        history.on("alice", "accepted", id="m1", to="bob")
        self.assertEqual(history.end().found(), {"no_loss": 1})

    def test_a_rejected_one_may_be_seen_once_it_was_sent_again(self):
        history = both().send("m1", outcome="rejected").send("m1", outcome="unknown")
        self.assertEqual(history.recv("m1", 1).found(), {})
        history = both().send("m1", outcome="rejected").recv("m1", 1).send("m1")
        self.assertEqual(history.found(), {"rejected_never_seen": 1})

    def cut_for_ever(self, regions, **more):
        history = Small().connect("alice", region="iad").connect("bob").send("m1")
        return history.add("fault", id="f", kind="region", cuts={"regions": regions}, **more).end()

    def test_what_is_cut_off_for_ever_is_excused(self):
        self.assertEqual(self.cut_for_ever(["iad"], forever=True).found(), {})
        self.assertEqual(self.cut_for_ever(["sin"], forever=True).found(), {})
        self.assertEqual(self.cut_for_ever(["dub"], forever=True).found(), {"no_loss": 1})
        with self.assertRaisesRegex(HistoryError, "no heal"):
            self.cut_for_ever(["iad"]).found()

    def test_a_link_cut_for_ever_excuses_what_crosses_it(self):
        for links, found in (([["iad", "sin"]], {}), ([["iad", "dub"]], {"no_loss": 1})):
            history = Small().connect("alice", region="iad").connect("bob").send("m1")
            history.add("fault", id="f", kind="link", cuts={"links": links}, forever=True)
            self.assertEqual(history.end().found(), found)

    def test_a_device_that_does_not_read_to_the_end_is_owed_nothing(self):
        for read_to_end, found in ((False, {}), (True, {"no_loss": 1})):
            history = both().send("m1").end(read_to_end=read_to_end)
            self.assertEqual(history.found(), found)
        with self.assertRaisesRegex(HistoryError, "not connected"):
            both().on("bob", "close").end().found()

    def test_a_device_that_begins_at_the_head_is_owed_what_comes_behind(self):
        history = both().send("m1").recv("m1", 1)
        history.connect("bob/new", cursor="1:1", start="head").send("m2").recv("m2", 2)
        self.assertEqual(history.end("bob/new").found(), {"no_loss": 1})
        self.assertEqual(history.recv("m2", 2, "bob/new").found(), {})

    def test_a_gap_stands_for_as_many_as_it_covers(self):
        for ttls, lost in (((1,), 0), ((1, 1), 1), ((1, 0), 1)):
            history = both()
            for number, ttl in enumerate(ttls):
                history.send(f"m{number}", ttl=ttl)
            history.on("bob", "gap", **{"from": "1:1", "to": "1:1", "reason": "ttl"})
            self.assertEqual(history.end().found(), {"no_loss": lost} if lost else {})

    def test_a_gap_for_retention_or_a_full_mailbox_needs_the_limit(self):
        reasons = {"retention": "retention_s", "mailbox_full": "mailbox_max_messages"}
        for reason, name in reasons.items():
            for settings, found in (({name: 2}, {}), ({name: 900}, {"gaps_are_true": 1})):
                history = Small(**settings).connect("alice").connect("bob")
                history.send("m1").send("m2").send("m3")
                history.on("bob", "gap", **{"from": "1:1", "to": "1:1", "reason": reason})
                kinds = set(history.recv("m2", 2).recv("m3", 3).end().found())
                self.assertEqual(kinds, set(found))

    def test_lost_is_a_true_reason_only_after_a_disaster(self):
        for disaster, found in ((True, {}), (False, {"gaps_are_true": 1})):
            history = both().send("m1").add("fault", id="f", kind="disks", disaster=disaster)
            history.add("heal", id="f")
            history.on("bob", "gap", **{"from": "1:1", "to": "1:1", "reason": "lost"})
            self.assertEqual(history.end().found(), found)

    def test_the_bound_counts_from_the_last_heal(self):
        for after_s, found in ((30, {}), (30.001, {"liveness": 1})):
            history = both().send("m1", outcome=None).add("fault", id="f", kind="hub", after_s=90)
            history.add("heal", id="f")
            history.on("alice", "accepted", after_s=after_s, id="m1", to="bob")
            self.assertEqual(history.recv("m1", 1).end().found(), found)
            history = both().send("m1").add("fault", id="f", kind="hub", after_s=90)
            history.add("heal", id="f").recv("m1", 1, after_s=after_s)
            self.assertEqual(history.end().found(), found)

    def test_a_device_that_is_turned_away_again_and_again_is_not_served(self):
        for tries, found in ((15, {}), (16, {"liveness": 1})):
            history = Small().connect("alice").on("alice", "close")
            for number in range(2, 2 + tries):
                history.on("alice", "open", number, region="sin").on("alice", "close", number)
            self.assertEqual(history.found(), found)
        history.on("alice", "open", 80, after_s=31, region="sin").on("alice", "close", 80)
        self.assertEqual(history.connect("alice", 90).found(), found)

    def test_a_slow_reader_is_not_waited_for(self):
        for told, found in (({"slow": True}, {}), ({}, {"liveness": 1})):
            history = Small().connect("alice").connect("bob", **told).send("m1")
            self.assertEqual(history.recv("m1", 1, after_s=31).end().found(), found)

    def test_order_holds_through_a_region_and_not_across_two(self):
        for region, found in (("sin", {"sender_order": 1}), ("dub", {})):
            history = both().send("m1").connect("alice", 2, region=region).send("m2", 2)
            self.assertEqual(history.recv("m2", 1).recv("m1", 2).found(), found)

    def test_a_repeated_one_has_no_place_in_the_order_of_its_connection(self):
        history = both().send("m1", outcome=None).send("m2", outcome=None)
        history.send("m1", outcome=None).recv("m2", 1).recv("m1", 2)
        self.assertEqual(history.found(), {})

    def test_a_planned_move_keeps_the_epoch_and_must_be_asked_for(self):
        for asked, found in ((True, {}), (False, {"directory_forward": 1})):
            history = Small().add("home", user="bob", home="sin", epoch=1)
            if asked:
                history.add("move", user="bob", to="dub")
            self.assertEqual(history.add("home", user="bob", home="dub", epoch=1).found(), found)
        history.add("home", user="bob", home="sin", epoch=2)
        self.assertEqual(history.found(), {"directory_forward": 1})

    def test_what_answers_as_one_of_several_copies_may_be_behind(self):
        for copies, found in ((["sin"], {}), ([], {"directory_forward": 2})):
            history = Small(copies=copies).add("home", user="bob", home="sin", epoch=1, at="sin")
            history.add("move", user="bob", to="dub")
            for home, epoch in (("dub", 1), ("sin", 1), ("dub", 2), ("dub", 1)):
                history.add("home", user="bob", home=home, epoch=epoch, at="sin")
            self.assertEqual(history.found(), found)
        history = Small(copies=["sin"]).add("home", user="bob", home="sin", epoch=1, at="sin")
        history.add("home", user="bob", home="mars", epoch=1, at="sin")
        self.assertEqual(history.found(), {"directory_forward": 1})

    def test_in_a_higher_epoch_a_message_may_have_its_place_again(self):
        for epoch, found in ((2, {}), (1, {"one_cursor": 1})):
            history = both().send("m1").recv("m1", 1)
            history.add("home", user="bob", home="sin", epoch=1)
            history.add("home", user="bob", home="sin", epoch=epoch)
            history.connect("bob/new", cursor="2:0")
            history.on(
                "bob/new", "recv", cursor="2:1", **{"from": "alice", "id": "m1", "hash": "m1"}
            )
            self.assertEqual(history.end("bob/new").found(), found)


class WhatCannotBeJudged(unittest.TestCase):
    def assert_wrong(self, why, *events):
        with self.assertRaisesRegex(HistoryError, why):
            judge_lines(
                [event if isinstance(event, str) else json.dumps(event) for event in events]
            )

    def test_is_said_and_not_skipped(self):
        run = {"t": 1, "ev": "run", "format": 1}
        opened = {"t": 2, "ev": "open", "user": "a", "device": "d", "conn": 1, "region": "sin"}
        ready = {**opened, "t": 3, "ev": "ready", "cursor": "1:0", "resumed": False}
        send = {**opened, "t": 4, "ev": "send", "id": "m", "to": ["b"], "hash": "h"}
        self.assert_wrong("empty")
        self.assert_wrong("no JSON", run, "{")
        self.assert_wrong("no JSON object", "[]")
        self.assert_wrong("format 2", {**run, "format": 2})
        self.assert_wrong("no setting", {**run, "settings": {"bound": 1}})
        self.assert_wrong("'bound_s' must be", {**run, "settings": {"bound_s": "1"}})
        self.assert_wrong("'bound_s' must be", {**run, "settings": {"bound_s": -1}})
        fault = {"t": 2, "ev": "fault", "id": "f", "kind": "link"}
        self.assert_wrong("regions and links", run, {**fault, "cuts": {"link": []}})
        self.assert_wrong("two regions", run, {**fault, "cuts": {"links": [["sin"]]}})
        self.assert_wrong("'bound_s' must be", {**run, "settings": {"bound_s": True}})
        home = {"t": 2, "ev": "home", "user": "a", "home": "sin", "epoch": 0}
        self.assert_wrong("out of range", run, home)
        self.assert_wrong("'epoch' of home", run, {**home, "epoch": -1})
        self.assert_wrong("first event is run", opened)
        self.assert_wrong("once", run, {**run, "t": 2})
        self.assert_wrong("no kind", run, {"t": 2, "ev": "sent"})
        self.assert_wrong("no kind", run, {"t": 2, "ev": ["open"]})
        self.assert_wrong("nanoseconds", run, {**opened, "t": 2.5})
        self.assert_wrong("nanoseconds", {**run, "t": -1})
        self.assert_wrong("goes back", run, {**opened, "t": 0})
        self.assert_wrong("'region' of open", run, {**opened, "region": None})
        self.assert_wrong("'conn' of open", run, {**opened, "conn": True})
        self.assert_wrong("earlier one", run, opened, opened)
        self.assert_wrong("not opened", run, ready)
        self.assert_wrong("ready already", run, opened, ready, ready)
        self.assert_wrong("not ready", run, opened, {**ready, "ev": "ack"})
        self.assert_wrong("names somebody twice", run, opened, ready, {**send, "to": ["b", "b"]})
        self.assert_wrong("'to' of send", run, opened, ready, {**send, "to": []})
        self.assert_wrong("another body", run, opened, ready, send, {**send, "hash": "x"})
        self.assert_wrong("heal of no fault", run, {"t": 2, "ev": "heal", "id": "f"})

    def test_cursors_have_limits(self):
        def begins(cursor):
            return Small().connect("bob", cursor=cursor).events

        self.assertEqual(judged(begins(f"{EPOCH_MAX}:{SEQ_MAX}")), {})
        for cursor in (
            f"{EPOCH_MAX + 1}:0",
            f"1:{SEQ_MAX + 1}",
            "0:1",
            "1",
            "1:",
            ":1",
            "1:-1",
            "1:²",
        ):
            with self.assertRaisesRegex(HistoryError, "cursor"):
                judged(begins(cursor))


class TheCommand(unittest.TestCase):
    def run_on(self, events):
        """(exit code, what it printed, report.json, report.md, the plots)"""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            history = folder / "history.jsonl"
            history.write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = main([str(history), "--report", str(folder / "report")])
            if code == 2:
                return code, said.getvalue()
            files = {path.name: path.read_text("utf-8") for path in (folder / "report").iterdir()}
            return code, said.getvalue(), files

    def test_a_clean_history_gets_its_figures(self):
        code, said, files = self.run_on(clean(1))
        self.assertEqual(code, 0)
        self.assertTrue(said.startswith("clean: "))
        report = json.loads(files["report.json"])
        self.assertTrue(report["clean"])
        counts = report["counts"]
        self.assertEqual((counts["lost"], counts["repeats"], counts["order_breaks"]), (0, 0, 0))
        answered = (
            counts["accepted"] + counts["rejected"] + counts["unknown"] + counts["unanswered"]
        )
        self.assertEqual(answered, counts["sends"])
        self.assertLessEqual(counts["received_first"], counts["received"])
        self.assertGreater(counts["ephemerals"], 0)
        self.assertEqual(len(report["faults"]), 5)
        self.assertTrue(all(fault["without_accepted_s"]["all"] >= 0 for fault in report["faults"]))
        self.assertIn("p99_ms", report["latency"]["sin-sin"]["calm"])
        for name in ("latency.svg", "accepted.svg"):
            self.assertIn(name, files["report.md"])
            shades = [
                one for one in ElementTree.fromstring(files[name]).iter() if "title" in one.tag
            ]
            self.assertEqual(len(shades), 5)

    def test_a_fault_costs_the_time_in_which_somebody_waited(self):
        history = both().send("m1").add("fault", id="f", kind="hub", after_s=50)
        history.send("m2", outcome=None).on("alice", "close").on(
            "alice", "unknown", id="m2", to="bob"
        )
        history.connect("alice", 2).send("m2", 2, outcome=None).add("heal", id="f")
        history.on("alice", "accepted", 2, id="m2", to="bob")
        history.recv("m1", 1, after_s=3).recv("m2", 2, after_s=4)
        report = json.loads(self.run_on(history.events)[2]["report.json"])
        (fault,) = report["faults"]
        self.assertEqual(fault["without_accepted_s"], {"all": 7, "sin": 7})
        self.assertEqual((fault["lasted_s"], fault["caught_up_s"]), (7, 4))
        self.assertEqual(report["latency"]["sin-sin"]["fault"]["max_ms"], 62000)

    def test_a_violation_is_shown_with_its_events(self):
        history = both().send("m1").recv("m1", 2)
        code, said, files = self.run_on(history.events)
        self.assertEqual(code, 1)
        self.assertIn('8: {"t": 8000000000, "ev": "recv", "user": "bob"', said)
        self.assertIn("NOT CLEAN", files["report.md"])

    def test_what_cannot_be_judged_has_a_code_of_its_own(self):
        code, said = self.run_on([{"t": 1, "ev": "open"}])
        self.assertEqual(code, 2)
        self.assertIn("line 1: 'user' of open must be text", said)


if __name__ == "__main__":
    unittest.main()
