"""docs/attacks.md tells which test proves each row: here it is held to that."""

import re

from lab.cluster import ROOT

ROW = re.compile(r"^\| (A\d+) \|(.*)\|$", re.M)
TEST = re.compile(r"`(tests/[\w/-]+\.(?:py|c))`(?: `(\w+)`)?")


def test_every_attack_has_a_row_and_its_test_is_there():
    table = (ROOT / "docs" / "attacks.md").read_text().partition("\n## Measured\n")[0]
    rows = ROW.findall(table)
    assert [number for number, _ in rows] == [f"A{n}" for n in range(1, 33)]
    for number, row in rows:
        named = TEST.findall(row)
        assert named, f"{number} names no test"
        for path, test in named:
            text = (ROOT / path).read_text()
            assert not test or re.search(rf"\b{test}\(", text), f"{number}: {path} has no {test}"


def test_every_attack_of_here_is_in_the_table():
    page = (ROOT / "docs" / "attacks.md").read_text()
    for source in sorted((ROOT / "tests" / "attack").glob("*_test.py")):
        assert f"`tests/attack/{source.name}`" in page, source.name
