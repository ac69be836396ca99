"""A PostgreSQL server of the test's own: initdb in a folder of its own, on a free loopback port,
as an unprivileged user (it refuses root), stopped by its process id."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

from .namespaces import inside
from .process import Process, wait_for

BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
PASSWORD = "secret-of-the-test"


def missing():
    """Why there is none here, or None."""
    return None if (BINARIES / "initdb").exists() else "no PostgreSQL 15: run scripts/setup test"


def _as_nobody():
    """What to put before a command, and who then owns what it makes."""
    if os.geteuid() != 0:
        return [], None
    user = pwd.getpwnam("nobody")
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--no-new-privs",
    ], user


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """with Postgres() as postgres: postgres.start(); ... postgres.url ... postgres.ask("SELECT 1")

    folder: where its data goes, else a temporary one. settings: {name: value} of postgresql.conf.
    network, region: it is in that region and reached from all, else on a loopback address.
    """

    def __init__(self, folder=None, settings=None, network=None, region=None):
        self.prefix, self.user = _as_nobody()
        self.host = "127.0.0.1"
        if network:
            self.host = network.address(region)
            self.prefix = [*inside(network.namespace(region)), *self.prefix]
        self.own = folder is None
        self.folder = pathlib.Path(
            folder or tempfile.mkdtemp(prefix="meridian-postgres-", dir="/var/tmp")
        )
        self.port = _free_port()
        self.settings = settings or {}
        self.process = None

    @property
    def url(self):
        return f"postgresql://meridian:{PASSWORD}@{self.host}:{self.port}/meridian"

    def _run(self, *command, **more):
        done = subprocess.run(
            [*self.prefix, *map(str, command)],
            capture_output=True,
            text=True,
            cwd="/",
            timeout=60,
            **more,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        """The first time it makes the database; again after stop() with what was there."""
        data = self.folder / "data"
        if self.process is None:
            self.folder.chmod(0o755)
            data.mkdir(mode=0o700)
            if self.user:
                os.chown(data, self.user.pw_uid, self.user.pw_gid)
            self._run(
                BINARIES / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                "--locale=C", "--no-instructions",
            )  # fmt: skip
            with open(data / "pg_hba.conf", "a") as rules:
                rules.write("host all all samenet trust\n")
            settings = {
                "listen_addresses": self.host,
                "port": self.port,
                "unix_socket_directories": "",
                "timezone": "UTC",
                **self.settings,
            }
            options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
            self.process = Process(
                "postgres",
                [*self.prefix, BINARIES / "postgres", "-D", data, *options],
                self.folder / "postgres.log",
            )
        self.process.start()
        wait_for(self._answers, 30, "PostgreSQL answers", every_s=0.05)
        return self

    def create(self):
        """The database and its owner."""
        self.ask(f"CREATE ROLE meridian LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        self.ask("CREATE DATABASE meridian OWNER meridian", database="postgres")
        return self

    def _answers(self):
        if not self.process.alive():
            raise RuntimeError(f"PostgreSQL ended: {self.process.log()[-2000:]}")
        try:
            return self.ask("SELECT 1", database="postgres") == [["1"]]
        except RuntimeError:
            return False

    def ask(self, sql, database="meridian", user="postgres"):
        """Rows of text, as psql gives them."""
        out = self._run(
            BINARIES / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
            "-h", self.host, "-p", self.port, "-U", user, "-d", database, "-c", sql,
        )  # fmt: skip
        return [line.split("\t") for line in out.splitlines()]

    def run_file(self, path):
        self._run(
            BINARIES / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.host,
            "-p", self.port, "-U", "meridian", "-d", "meridian", "-f", "-",
            input=pathlib.Path(path).read_text(),
        )  # fmt: skip

    def cut_connections(self):
        """Ends the connections of the hubs, as a restart of a pooler does. Returns how many."""
        rows = self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> 'postgres'"
        )
        return len(rows)

    def hold(self, statement):
        """Does the statement in a transaction that lasts until release() of what this returns."""
        return Held(self, statement)

    def stop(self):
        """At once: connections end, what is committed stays."""
        if self.process is not None and self.process.alive():
            self.process.signal(signal.SIGINT)  # "fast"
            try:
                self.process.popen.wait(30)
            except subprocess.TimeoutExpired:
                self.process.signal(signal.SIGQUIT)
                self.process.popen.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)


class Held:
    """A transaction that stays open."""

    NAME = "held-by-the-lab"

    def __init__(self, postgres, statement):
        self.postgres = postgres
        command = [
            *postgres.prefix, BINARIES / "psql", "-X", "-q", "-h", postgres.host,
            "-p", postgres.port, "-U", "postgres", "-d", "meridian",
            "-c", f"{statement}; SELECT pg_sleep(86400)",
        ]  # fmt: skip
        log = postgres.folder / "held.log"
        self.process = Process("held", command, log, environment={"PGAPPNAME": self.NAME}).start()
        wait_for(self._sleeps, 60, "the transaction holds what it wants", every_s=0.05)

    def _sleeps(self):
        found = self.postgres.ask(
            f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{self.NAME}' "
            "AND wait_event = 'PgSleep'"
        )
        if not found and not self.process.alive():
            raise RuntimeError(f"it could not be held: {self.process.log()}")
        return found

    def release(self):
        self.process.kill()  # the server does not notice that while it sleeps
        self.postgres.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE application_name = '{self.NAME}'"
        )
