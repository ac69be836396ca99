"""A region on one machine: `terraform apply`, and what can be wrong with it."""

import json

import pytest

from lab.cluster import ROOT
from lab.hosts import Hosts, make_key, read_public
from lab.process import wait_for
from lab.terraform import Deployment, next_release

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(600)]
UNITS = ["meridian-nats", "meridian-hub", "meridian-edge"]


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    with Hosts(folder, ["sin-a"]) as hosts:
        deployment = Deployment(folder, {"sin": ["sin-a"]}, hosts)
        deployment.apply("sin")
        yield deployment


@pytest.fixture
def machine(region):
    return region.hosts["sin-a"]


@pytest.fixture
def changed(region):
    """The deployment, to be changed by a test, and put back afterwards."""
    before = json.dumps(region.deployment)
    yield region.deployment
    region.deployment = json.loads(before)
    region.write()


def states(machine):
    """Of each unit: is it running, since when, and how often was it restarted?"""
    shown = machine.ssh(
        *("systemctl", "show", "--property", "ActiveState,MainPID,NRestarts", *UNITS), check=True
    )
    return [dict(line.split("=") for line in unit.split()) for unit in shown.stdout.split("\n\n")]


def ready(region):
    machine = region.hosts["sin-a"]
    return machine.ssh("curl", "-fs", f"http://{machine.address}:8080/readyz").returncode == 0


def send(region, sender, receiver, text):
    edge = "http://%s:%d" % region.addresses["sin-1"]
    return region.meridian(
        *("send", "--from", sender, "--to", receiver, "--edge", edge),
        *("--token", region.token(sender), "--catalogue", region.catalogue, text),
    )


def test_a_region_is_up_and_a_message_arrives(region, machine):
    assert [unit["ActiveState"] for unit in states(machine)] == ["active"] * 3
    assert "accepted" in send(region, "alice", "bob", "hello").stdout
    heard = region.meridian(
        *("listen", "--user", "bob", "--count", "1", "--token", region.token("bob")),
        *("--edge", "http://%s:%d" % region.addresses["sin-1"], "--catalogue", region.catalogue),
    )
    assert "hello" in heard.stdout


def test_a_second_plan_is_empty(region):
    planned = region.plan("sin")
    assert planned.returncode == 0, planned.stdout + planned.stderr


def test_no_key_is_in_the_state(region):
    state = (region.tree / "regions/sin/terraform.tfstate").read_text()
    keys = [region.hosts.login, *region.pki.glob("*/key.pem"), region.folder / "settings/secret"]
    assert len(keys) > 4
    for key in keys:
        secrets = [line for line in key.read_text().splitlines() if not line.startswith("-----")]
        assert secrets and not any(line in state for line in secrets), key


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_runs_in_its_sandbox(machine, unit):
    shown = machine.ssh(f"cat /proc/$(systemctl show -P MainPID {unit})/status", check=True).stdout
    assert (
        "NoNewPrivs:\t1" in shown and "Seccomp:\t2" in shown and "CapEff:\t0000000000000" in shown
    )
    user = machine.ssh(f"ps -o user:32= -p $(systemctl show -P MainPID {unit})", check=True).stdout
    assert user.strip() == unit
    written = machine.ssh(
        f"nsenter -t $(systemctl show -P MainPID {unit}) -m touch /etc/meridian/x /usr/x /var/x"
    )
    assert written.stderr.count("Read-only file system") == 3


def test_what_is_killed_comes_back(region, machine):
    before = states(machine)
    machine.ssh("systemctl", "kill", "--signal", "SIGKILL", *UNITS, check=True)

    def back():
        now = states(machine)
        return all(
            unit["ActiveState"] == "active" and unit["MainPID"] != old["MainPID"]
            for unit, old in zip(now, before)
        )

    wait_for(back, 30, "systemd has started all three again")
    wait_for(lambda: ready(region), 60, "the edge is ready")
    assert "accepted" in send(region, "alice", "bob", "again").stdout


# What can be wrong: it is said, and what runs goes on


def refused(region, machine, *words, plan=False):
    """Applies, which must fail and say the words; nothing that runs may notice."""
    before = states(machine)
    region.write()
    done = region.plan("sin") if plan else region.apply("sin", check=False)
    said = " ".join((done.stdout + done.stderr).replace("\u2502", " ").split())
    assert done.returncode == 1, said
    for word in words:
        assert word in said, f"{word!r} is not in: {said}"
    assert states(machine) == before


def test_a_package_with_another_hash_is_refused(region, machine, changed):
    changed["packages"]["meridian-edge"]["sha256"] = "0" * 64
    refused(region, machine, "has SHA-256", "not " + "0" * 64, plan=True)


def test_a_package_that_came_damaged_is_refused(region, machine):
    """What runs there after the upload, with bytes that are not the ones that were sent."""
    store = (ROOT / "terraform/modules/upload/store.sh").read_text().replace("$${", "${")
    words = {"name": "meridian-edge", "extension": "deb", "sha256": "0" * 64}
    for word, value in words.items():
        store = store.replace(f"'${{{word}}}'", value)
    cached = machine.ssh("ls", "/var/cache/meridian-deploy", check=True).stdout
    done = machine.ssh(f"echo damaged >/dev/shm/meridian-edge.deb; {store}")
    assert done.returncode == 1 and "another SHA-256 than 000000" in done.stderr
    assert machine.ssh("ls", "/var/cache/meridian-deploy", check=True).stdout == cached


def test_a_catalogue_that_is_no_yaml_is_refused(region, machine, changed, tmp_path):
    bad = tmp_path / "regions.yaml"
    bad.write_text("regions: [\n")
    changed["catalogue"] = str(bad)
    refused(region, machine, "cannot be read", "no YAML", plan=True)


def test_a_catalogue_that_the_daemons_refuse_is_refused(region, machine, changed, tmp_path):
    bad = tmp_path / "regions.yaml"
    bad.write_text(region.catalogue.read_text().replace("shards: 2", "shards: 0"))
    changed["catalogue"] = str(bad)
    refused(region, machine, "shards", "what runs was left alone")
    kept = machine.ssh("cat", "/etc/meridian/regions.yaml", check=True).stdout
    assert kept == region.catalogue.read_text()


def test_settings_that_the_daemon_refuses_are_refused(region, machine, changed, tmp_path):
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "edge.yaml").write_text("nonsense: true\n")
    changed["settings"] = {"edge": str(settings)}
    refused(region, machine, "nonsense", "what runs was left alone")


def test_a_machine_with_another_host_key_is_refused(region, machine, changed, tmp_path):
    make_key(tmp_path / "stranger")
    changed["hosts"][machine.address]["host_key"] = read_public(tmp_path / "stranger")
    use_next_edge(region, tmp_path)
    refused(region, machine, "knownhosts: key mismatch")


def use_next_edge(region, folder):
    region.use(meridian_edge=next_release(region.packages["meridian-edge"], folder))


def test_after_all_that_an_apply_heals(region):
    region.apply("sin")
    assert region.plan("sin").returncode == 0
    assert "accepted" in send(region, "alice", "bob", "still here").stdout


def test_an_upgrade_of_the_edge_leaves_the_others_alone(region, machine, tmp_path):
    before = states(machine)
    use_next_edge(region, tmp_path)
    region.apply("sin")
    after = states(machine)
    assert after[:2] == before[:2] and after[2]["MainPID"] != before[2]["MainPID"]
    version = machine.ssh("dpkg-query", "-W", "-f", "'${Version}'", "meridian-edge").stdout
    assert version.startswith("1:")


# The last two: they take the region away


def test_destroy_leaves_nothing(region, machine):
    region.destroy("sin")
    left = machine.ssh(
        "ls -d /etc/meridian /var/lib/meridian* /var/cache/meridian* /dev/shm/meridian*;"
        "dpkg-query -W 'meridian*' nats-server; pgrep -a meridian; pgrep -a nats-server;"
        "systemctl is-failed '*'"
    ).stdout
    assert "meridian" not in left and "nats" not in left and "failed" not in left, left


@pytest.mark.long
def test_a_dead_machine_is_told_and_does_not_keep_its_region_alive(region, machine):
    region.apply("sin")
    machine.kill()
    region.use(meridian_edge=next_release(region.packages["meridian-edge"], region.folder))
    failed = region.apply("sin", check=False)
    assert failed.returncode == 1 and "timeout" in failed.stdout + failed.stderr
    region.destroy("sin")
    assert region.terraform("sin", "state", "list").stdout == ""
