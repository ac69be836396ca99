"""What the page of a run tells of its processes; the rest of it is the checker's."""


def rows(peaks, processes):
    """A line of the table for each."""
    for process in processes:
        rss, files = peaks.rss.get(process.name, 0) >> 20, peaks.files.get(process.name, 0)
        restarts, reports = max(0, process.starts - 1), len(process.reports())
        yield f"| {process.name} | {rss} MiB | {files} | {restarts} | {reports} |"


def add_processes(page, seed, peaks, processes):
    """Reports are those of sanitizers, and assertions that failed."""
    lines = [
        "",
        "## Processes",
        "",
        f"The seed was {seed}.",
        "",
        "| Process | Peak RSS | Peak descriptors | Restarts | Reports |",
        "| --- | --- | --- | --- | --- |",
        *rows(peaks, processes),
    ]
    with open(page, "a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def add_commands(page, failed):
    """Of the operator: what was not done although it was said again and again."""
    if not failed:
        return
    lines = ["", "## Commands that were not done", "", *[f"- {words.strip()}" for words in failed]]
    with open(page, "a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(*lines[3:], sep="\n")
