#!/usr/bin/python3
"""The meridian-geo command, run as people run it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.environ["MERIDIAN_GEO"]
CITY = ROOT / "tests/support/mmdb/GeoIP2-City-Test.mmdb"


def run(*arguments):
    command = [PROGRAM, "--catalogue", ROOT / "config/regions.yaml", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class TheCommand(unittest.TestCase):
    def test_locates(self):
        done = run("locate", "81.2.69.142", "--database", CITY)
        self.assertEqual(done.returncode, 0, done.stderr)
        place = json.loads(done.stdout)
        self.assertEqual((place["country"], place["continent"]), ("GB", "EU"))
        self.assertEqual(run("locate", "10.0.0.1", "--database", CITY).returncode, 1)

    def test_ranks(self):
        done = run("rank", "81.2.69.142", "--database", CITY)
        self.assertEqual(done.returncode, 0, done.stderr)
        ranking = json.loads(done.stdout)
        self.assertEqual([c["region"] for c in ranking["candidates"]], ["dub", "iad", "sin"])
        down = json.loads(run("rank", "81.2.69.142", "--database", CITY, "--down", "dub").stdout)
        self.assertEqual([c["region"] for c in down["candidates"]], ["iad", "sin", "dub"])
        drained = run("rank", "81.2.69.142", "--database", CITY, "--drain", "dub, iad").stdout
        self.assertEqual(json.loads(drained)["candidates"][0]["region"], "sin")

    def test_explains(self):
        done = run("explain", "175.16.199.1", "--database", CITY)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("decided by: distance\n1. sin", done.stdout)
        self.assertIn("a private address", run("explain", "10.0.0.1", "--database", CITY).stdout)
        self.assertIn("order of the catalogue", run("explain", "8.8.8.8").stdout)

    def test_checks(self):
        done = run("check", "--database", CITY, "--known", "81.2.69.142=GB")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(run("check", "--database", CITY).returncode, 1)
        self.assertEqual(run("check").returncode, 1)

    def test_renders_what_it_can_and_says_what_it_cannot(self):
        damaged = 0
        for database in sorted(CITY.parent.glob("*.mmdb")):
            with tempfile.TemporaryDirectory() as folder:
                options = ("--zone", "a.test", "--listen", "127.0.0.1:53", "--out", folder)
                done = run("render", "gdnsd", *options, "--database", database)
                written = pathlib.Path(folder, "geoip", "meridian.nets").exists()
            self.assertIn(done.returncode, (0, 1), f"{database}: {done.stderr}")
            self.assertEqual(written, done.returncode == 0, database)
            self.assertEqual(done.stderr == "", written, done.stderr)
            damaged += done.returncode
        self.assertGreaterEqual(damaged, 3)

    def test_renders_variables_that_terraform_takes(self):
        catalogue = (ROOT / "config/regions.yaml").read_text()
        pins = "[{country: RU, regions: 'dub, iad'}, {continent: OC, regions: sin},"
        pins += " {network: 192.0.2.0/24, regions: sin}]"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "regions.yaml")
            path.write_text(catalogue.replace("pins: []", f"pins: {pins}"))
            options = ("--zone", "edge.example.com", "--out", folder, "--catalogue", path)
            done = run("render", "route53", *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("1 pins of networks or tenants are left out", done.stderr)
            said = json.loads(pathlib.Path(folder, "meridian.auto.tfvars.json").read_text())
            self.assertEqual(said["meridian_zone"], "edge.example.com")
            self.assertEqual(said["meridian_health"]["port"], 24080)
            sin = said["meridian_regions"]["sin"]
            self.assertEqual(sin["a"], ["127.0.1.21", "127.0.1.22"])
            self.assertEqual((sin["aaaa"], sin["bias"], sin["drain"]), ([], 0, False))
            self.assertEqual((sin["latitude"], sin["longitude"]), ("1.35", "103.82"))
            pinned = {"countries": {"RU": ["dub", "iad"]}, "continents": {"OC": ["sin"]}}
            self.assertEqual(said["meridian_pins"], pinned)
            if shutil.which("terraform"):
                self.plan_with(folder)
        self.assertEqual(run("render", "route53").returncode, 2)

    def plan_with(self, folder):
        """The types that docs/geo.md names fit the variables."""
        text = (ROOT / "docs/geo.md").read_text()
        pathlib.Path(folder, "main.tf").write_text(text.split("```hcl\n")[1].split("```")[0])
        for words in ("init", "plan"):
            done = subprocess.run(
                ["terraform", f"-chdir={folder}", words, "-input=false", "-no-color"],
                capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotIn("Warning", done.stdout)  # as for a value that has no variable

    def test_says_what_is_wrong_with_its_input(self):
        """Each bad input has a sentence that names it; none is taken for a place."""
        mmdb = CITY.parent
        rows = [
            ("rank 8.8.8.8", mmdb / "GeoIP2-City-Test-Invalid-Node-Count.mmdb", 1, "Invalid-Node"),
            ("rank 8.8.8.8", mmdb / "libmaxminddb-metadata-marker-only.mmdb", 1, "marker-only"),
            ("rank 8.8.8.8", mmdb / "not-there.mmdb", 1, "not-there.mmdb: No such file"),
            ("rank 8.8.8.8", mmdb, 1, "Invalid argument"),
            (
                "locate 81.2.69.142",
                mmdb / "GeoIP2-City-Test-Broken-Double-Format.mmdb",
                1,
                "damaged",
            ),
            ("check", mmdb / "GeoIP2-Country-Test.mmdb", 1, "error no coordinates"),
            ("check --known 81.2.69.142=GB", CITY, 0, "warning built"),  # an old build
            ("rank 198.51.100.1", CITY, 0, "order of the catalogue"),
            ("explain 192.168.1.1", CITY, 0, "a private address"),
            ("locate 192.168.1.1", CITY, 1, '"address":"192.168.1.1"'),
            ("rank 999.1.1.1", CITY, 2, "no IP address"),
            ("rank 81.2.69.142 --down mars", CITY, 1, "there is no region 'mars'"),
        ]
        for words, database, code, sentence in rows:
            done = run(*words.split(), "--database", database)
            self.assertEqual(done.returncode, code, (words, database, done.stderr))
            self.assertIn(sentence, done.stdout + done.stderr, (words, database))

    def test_refuses_a_pin_to_a_region_that_is_not_there(self):
        catalogue = (ROOT / "config/regions.yaml").read_text()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(catalogue.replace("pins: []", "pins: [{country: RU, regions: 'dub, mars'}]"))
            file.flush()
            done = run("rank", "8.8.8.8", "--catalogue", file.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn("mars", done.stderr)

    def test_refuses(self):
        for arguments in (
            (),
            ("fly",),
            ("locate",),
            ("locate", "1.2.3"),
            ("locate", "1.2.3.4", "5.6.7.8"),
            ("check", "--known", "nonsense"),
            ("check", "--wrong"),
        ):
            self.assertEqual(run(*arguments).returncode, 2, arguments)
        self.assertEqual(run("rank", "1.2.3.4", "--down", "mars").returncode, 1)
        self.assertEqual(run("rank", "1.2.3.4", "--database", "missing.mmdb").returncode, 1)


if __name__ == "__main__":
    unittest.main()
