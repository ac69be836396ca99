"""The report of a judged history: report.json, report.md and its plots."""

import json
import pathlib

from . import figures, model, svg

KEPT = 20  # violations of a property that a report shows


def summary(world, judged):
    """Everything, as one object for JSON. judged: property name -> (statement, count, the first
    violations)."""
    found = {name: count for name, (_, count, _) in judged.items()}
    delivered = figures.deliveries(world)
    return {
        "clean": not any(found.values()),
        "name": world.settings.get("name", ""),
        "duration_s": round((world.end_t - world.start_t) / model.SECOND, 3),
        "settings": world.settings,
        "counts": figures.counts(world, found),
        "properties": {
            name: {
                "statement": statement,
                "violations": count,
                "first": [{"text": one.text, "lines": one.lines} for one in kept],
            }
            for name, (statement, count, kept) in judged.items()
        },
        "faults": figures.per_fault(world, delivered),
        "latency": figures.latencies(world, delivered),
    }


def write(folder, history, world, judged):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    said = summary(world, judged)
    (folder / "report.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    for name, plot in plots(world).items():
        (folder / name).write_text(plot, encoding="utf-8")
    (folder / "report.md").write_text(markdown(said, history), encoding="utf-8")
    return said


# Plots


def _percentile(share):
    def reduce(values):
        values.sort()
        return values[round((len(values) - 1) * share)]

    return reduce


def plots(world):
    duration_s = max((world.end_t - world.start_t) / model.SECOND, 1e-9)

    def second(t):
        return (t - world.start_t) / model.SECOND

    delays = svg.Plot("From send to delivery, connected devices", "ms", duration_s, True)
    pairs = [(second(t), (t - sent) / 1e6) for t, sent, *_ in figures.deliveries(world)]
    for name, share in (("p50", 0.5), ("p99", 0.99), ("longest", 1.0)):
        delays.line(name, svg.by_step(pairs, duration_s, _percentile(share)))
    rates = svg.Plot("Accepted in a second", "1/s", duration_s)
    step_s = duration_s / svg.STEPS
    for region, times in sorted(figures.accepted_times(world).items()):
        points = svg.by_step([(second(t), 1) for t in times], duration_s, len)
        rates.line(region or "all", [(at, (count or 0) / step_s) for at, count in points])
    for plot in (delays, rates):
        for fault in world.faults:
            end = world.end_t if fault.heal_t is None else fault.heal_t
            plot.shade(second(fault.t), second(end), f"{fault.id}: {fault.kind}")
    return {"latency.svg": delays.render(), "accepted.svg": rates.render()}


# Markdown


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return lines + [""]


def _events(history, wanted):
    """line number -> text of the history, of the lines wanted."""
    if not wanted:
        return {}
    last, found = max(wanted), {}
    with open(history, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            if number in wanted:
                found[number] = text.strip()
            if number == last:
                break
    return found


def violations(said, history):
    """The violations with the events they name, as lines of text."""
    wanted = {
        line
        for one in said["properties"].values()
        for violation in one["first"]
        for line in violation["lines"]
    }
    events = _events(history, wanted)
    for name, one in said["properties"].items():
        if not one["violations"]:
            continue
        yield f"{name}: {one['violations']} found; the first {len(one['first'])}:"
        for violation in one["first"]:
            yield f"- {violation['text']}"
            for line in violation["lines"]:
                yield f"    {line}: {events.get(line, '?')}"


def _latency_rows(said):
    for pair, kinds in said["latency"].items():
        for kind, values in kinds.items():
            if values:
                cells = (values["count"], values["p50_ms"], values["p99_ms"], values["max_ms"])
                yield (pair, kind, *cells)


def _fault_rows(said):
    for fault in said["faults"]:
        silences = dict(fault["without_accepted_s"])
        everywhere = silences.pop("all", "")
        worst = max(silences.items(), key=lambda item: item[1], default=("", ""))
        lasted = "for ever" if fault["forever"] else fault["lasted_s"]
        yield (
            fault["id"],
            fault["kind"],
            fault["from_s"],
            lasted,
            everywhere,
            f"{worst[0]} {worst[1]}",
            fault["caught_up_s"],
            fault["latency"].get("p99_ms", ""),
        )


def markdown(said, history):
    counts = dict(said["counts"])
    gaps = counts.pop("gaps")
    lines = [
        f"# {said['name'] or 'A chaos run'}: {'clean' if said['clean'] else 'NOT CLEAN'}",
        "",
        f"{said['duration_s']} s, {counts['events']} events.",
        "",
        "## What was held against it",
        "",
        *_table(
            ("Property", "Found", "Nothing found means"),
            [
                (name, one["violations"], one["statement"])
                for name, one in said["properties"].items()
            ],
        ),
    ]
    if not said["clean"]:
        lines += ["## What was found", "", "```", *violations(said, history), "```", ""]
    lines += ["## Counts", ""]
    lines += _table(
        ("What", "How many"), [*counts.items(), *(("gaps: " + k, n) for k, n in gaps.items())]
    )
    if said["faults"]:
        head = ("Fault", "Kind", "At s", "Lasted s", "None accepted s", "Worst region s")
        lines += ["## Faults", "", *_table((*head, "Caught up s", "p99 ms"), _fault_rows(said))]
    lines += ["## From send to delivery", "", "Devices that were connected when it was sent.", ""]
    lines += _table(
        ("From-to", "While", "Count", "p50 ms", "p99 ms", "Longest ms"), _latency_rows(said)
    )
    lines += ["![latency](latency.svg)", "", "![accepted](accepted.svg)", ""]
    return "\n".join(lines)
