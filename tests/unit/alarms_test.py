#!/usr/bin/python3
"""Keeps the table of alarms and docs/operations.md in step: each has the other's."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def in_table():
    code = (ROOT / "region-hub" / "hub_alarms.c").read_text()
    return re.findall(r'\[HUB_ALARM_\w+\] =\s*\{\s*"([a-z0-9_]+)",\s*HUB_(ERROR|WARNING)', code)


def in_page():
    page = (ROOT / "docs" / "operations.md").read_text()
    alarms = page.split("\n## Alarms\n")[1].split("\n## ")[0]
    return re.findall(r"^### (\w+)\n\n\*(Error|Warning)\.\*", alarms, re.M)


class TheAlarms(unittest.TestCase):
    def test_each_has_its_section_and_severity(self):
        table = [(name, severity.capitalize()) for name, severity in in_table()]
        self.assertGreater(len(table), 5)
        self.assertEqual(sorted(table), sorted(in_page()))


if __name__ == "__main__":
    unittest.main()
