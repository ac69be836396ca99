"""A name server by Terraform: gdnsd that answers as the catalogue and the database say."""

import json
import subprocess
import time

import pytest

from lab import mmdb
from lab.hosts import Hosts
from lab.namespaces import inside
from lab.process import wait_for
from lab.terraform import Deployment, built_packages, sha256

pytestmark = [pytest.mark.hosts, pytest.mark.long, pytest.mark.timeout(300)]
ZONE = "edge.example.test"
LAYOUT = {"sin": ["sin-a"], "iad": ["iad-a"], "dub": ["dub-a"]}  # none of them is there
PLACES = {
    "198.51.100.0/24": mmdb.place("IE", "EU", 53.3, -6.3),
    "203.0.113.0/24": mmdb.place("US", "NA", 39.0, -77.5),
}


class NameServer:
    def __init__(self, folder, hosts):
        self.folder, self.hosts = folder, hosts
        self.machine = hosts["ns-b"]  # which nobody enters as root
        self.deployment = Deployment(folder, LAYOUT, hosts)
        self.database = folder / "places.mmdb"
        mmdb.write(self.database, PLACES, int(time.time()))
        self.variables = folder / "dns.tfvars.json"
        self.settings = {
            "catalogue": str(self.deployment.catalogue),
            "zone": ZONE,
            "servers": {
                "ns1": {
                    "listen": f"{self.machine.address}:53",
                    "address": self.machine.address,
                    "host_key": self.machine.host_key,
                    "user": "operator",
                }
            },
            "ssh_key_file": str(hosts.login),
            "package": self.file(built_packages()["meridian-geo"]),
            "database": self.file(self.database),
            "known": ["198.51.100.7=IE", "203.0.113.7=US"],
        }

    @staticmethod
    def file(path):
        return {"path": str(path), "sha256": sha256(path)}

    def terraform(self, *arguments, check=True, **changes):
        self.variables.write_text(json.dumps({"dns": {**self.settings, **changes}}))
        return self.deployment.terraform_in(
            *("dns", *arguments, "-input=false", "-no-color", f"-var-file={self.variables}"),
            check=check,
        )

    def ask(self, client):
        """The addresses that a client of that network is given."""
        done = subprocess.run(
            [*inside(self.hosts.network.namespace("ctl")), "dig", "+short", "+tries=1", "+time=2"]
            + [f"+subnet={client}", f"@{self.machine.address}", ZONE, "A"],
            capture_output=True,
            text=True,
        )
        return done.stdout.split() if done.returncode == 0 else []

    def edge(self, region):
        return [self.deployment.address(LAYOUT[region][0])]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dns")
    with Hosts(folder, ["ns-b"]) as hosts:
        server = NameServer(folder, hosts)
        server.terraform("apply", "-auto-approve")
        yield server


def test_clients_are_sent_where_the_ranking_says(server):
    wait_for(lambda: server.ask("198.51.100.7"), 20, "gdnsd answers")
    assert server.ask("198.51.100.7") == server.edge("dub")
    assert server.ask("203.0.113.7") == server.edge("iad")
    assert server.ask("192.0.2.1") == server.edge("sin")  # nothing is known: the catalogue's order
    assert server.machine.ssh("systemctl", "is-active", "gdnsd").stdout.strip() == "active"


def test_a_second_plan_is_empty(server):
    assert server.terraform("plan", "-detailed-exitcode", check=False).returncode == 0


def test_a_database_that_is_not_fit_is_refused(server):
    """It names another country for an address that is certain."""
    bad = server.folder / "bad.mmdb"
    mmdb.write(bad, {**PLACES, "203.0.113.0/24": PLACES["198.51.100.0/24"]}, int(time.time()))
    done = server.terraform("apply", "-auto-approve", check=False, database=server.file(bad))
    assert done.returncode == 1
    assert "not fit for steering; gdnsd was left alone" in done.stdout + done.stderr
    assert server.ask("203.0.113.7") == server.edge("iad")


def test_with_what_gdnsd_does_not_run_it_goes_on_as_it_was(server):
    """The port is sshd's: that looks good, and only the start fails."""
    servers = json.loads(json.dumps(server.settings["servers"]))
    servers["ns1"]["listen"] = f"{server.machine.address}:22"
    done = server.terraform("apply", "-auto-approve", check=False, servers=servers)
    assert done.returncode == 1
    assert "it has the old one again" in done.stdout + done.stderr
    wait_for(lambda: server.ask("203.0.113.7") == server.edge("iad"), 20, "the old one answers")


def test_a_changed_catalogue_changes_the_answers(server):
    catalogue = server.deployment.catalogue
    text = catalogue.read_text()
    catalogue.write_text(text.replace("name: dub\n", "name: dub\n    drain: true\n"))
    server.terraform("apply", "-auto-approve")
    wait_for(lambda: server.ask("198.51.100.7") == server.edge("iad"), 20, "dub is not answered")
    catalogue.write_text(text)
    server.terraform("apply", "-auto-approve")
    wait_for(lambda: server.ask("198.51.100.7") == server.edge("dub"), 20, "dub is back")


def test_destroy_leaves_nothing_that_answers(server):
    server.terraform("destroy", "-auto-approve")
    assert server.ask("198.51.100.7") == []
    left = server.machine.ssh("ls -d /etc/gdnsd /var/lib/meridian* /var/cache/meridian*").stdout
    assert left == ""
