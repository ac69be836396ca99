"""A cluster: NATS servers, hubs and edges of one to three regions, as real processes."""

import http.client
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from .jetstream import JetStream
from .namespaces import inside
from .process import Process, run_inside, wait_for

REGIONS = ["sin", "iad", "dub"]
PLACES = {
    "sin": ("Singapore", 1.35, 103.82),
    "iad": ("Ashburn", 39.04, -77.49),
    "dub": ("Dublin", 53.35, -6.26),
}
NATS_CLIENT, NATS_CLUSTER, NATS_GATEWAY, NATS_MONITOR, EDGE_PORT, HUB_PORT = (
    4222,
    6222,
    7222,
    8222,
    8080,
    9090,
)
ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("MERIDIAN_BUILD", ROOT / "build" / "dev"))


class LabError(Exception):
    pass


def nats_server():
    """The nats-server that scripts/setup found or fetched."""
    named = os.environ.get("NATS_SERVER")
    if named:
        return named
    for found in sorted((ROOT / "build").glob("nats/**/nats-server")):
        if os.access(found, os.X_OK):
            return str(found)
    raise LabError("no nats-server: run scripts/setup test")


def _loopback_block():
    """A /24 of loopback addresses nobody uses: 127.a.b.*; so ports need not be searched for."""
    while True:
        block = f"127.{random.randint(65, 250)}.{random.randint(1, 250)}"
        with socket.socket() as probe:
            try:
                probe.bind((f"{block}.1", NATS_CLIENT))
                return block
            except OSError:
                continue


# A few clients of a test do in seconds what many do in an hour. Tests of the limits set them.
UNLIMITED = {
    f"limits.{name}": 0
    for name in (
        "sends_per_s",
        "user_sends_per_s",
        "near_sends_per_s",
        "user_logins_per_min",
        "user_sessions_max",
    )
}


class Cluster:
    """regions: how many, or their names. network: a Network, else loopback addresses.
    edge_settings, hub_settings: {key: value} given as --set; where edge_settings does not say them,
    clients have no limits of their own. secure: certificates at NATS, from `meridian pki`, and the
    configuration that `meridian nats config` prints. processes: of each edge."""

    def __init__(
        self,
        regions=1,
        shards=2,
        nodes=1,
        hubs=1,
        edges=1,
        network=None,
        primary=None,
        catalogue=None,
        region_settings=None,
        edge_settings=None,
        hub_settings=None,
        keep=False,
        secure=False,
        processes=1,
    ):
        self.names = REGIONS[:regions] if isinstance(regions, int) else list(regions)
        self.shards, self.node_count, self.hub_count, self.edge_count = shards, nodes, hubs, edges
        self.network = network
        self.primary = primary or self.names[-1]
        self.extra = {"unknown_recipients": "adopt", **(catalogue or {})}
        self.region_extra = region_settings or {}
        self.edge_settings = {**UNLIMITED, **(edge_settings or {})}
        self.hub_settings = hub_settings or {}
        self.secure, self.processes = secure, processes
        self.keep = keep or bool(os.environ.get("MERIDIAN_KEEP"))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="meridian-lab-", dir="/var/tmp"))
        (self.folder / "data").mkdir()
        self.block = None if network else _loopback_block()
        self.nodes, self.hubs, self.edges = {}, {}, {}
        self.region_of, self.url = {}, {}
        self._write()

    # Addresses

    def _wan_host(self, region, index):
        """Where NATS of `region` listens."""
        if self.network:
            return self.network.address(region)
        return f"{self.block}.{self.names.index(region) * 10 + 1 + index}"

    def _port(self, base, index):
        return base + (index if self.network else 0)

    def _local_host(self, region, index):
        """Where hubs and edges listen: always loopback."""
        if self.network:
            return self.network.loopback(region)
        return f"{self.block}.{self.names.index(region) * 10 + 1 + index}"

    # Files

    def _write(self):
        lines = [f"primary: {self.primary}"]
        lines += [f"{key}: {value}" for key, value in self.extra.items()]
        lines.append("regions:")
        for region in self.names:
            place, latitude, longitude = PLACES.get(region, (region, 0, 0))
            lines += [
                f"  - name: {region}",
                f"    place: {place}",
                f"    latitude: {latitude}",
                f"    longitude: {longitude}",
                f"    shards: {self.shards}",
                f"    replicas: {3 if self.node_count >= 3 else 1}",
            ]
            settings = {"log_max_bytes": "64MiB", "outbox_max_bytes": "32MiB"}
            settings.update(self.region_extra)
            lines += [f"    {key}: {value}" for key, value in settings.items()]
            lines.append("    nodes:")
            for i in range(self.node_count):
                host, name = self._wan_host(region, i), f"{region}-n{i + 1}"
                monitor = f"{self._local_host(region, i)}:{self._port(NATS_MONITOR, i)}"
                lines += [
                    f"      - name: {name}",
                    f"        client: {host}:{self._port(NATS_CLIENT, i)}",
                    f"        cluster: {host}:{self._port(NATS_CLUSTER, i)}",
                    f"        gateway: {host}:{self._port(NATS_GATEWAY, i)}",
                    f"        monitor: {monitor}",
                ]
                self._add(
                    self.nodes, name, region, [nats_server(), "-c", self.folder / f"{name}.conf"]
                )
                self.url[name] = f"http://{monitor}"
            lines.append("    hubs:")
            for i in range(self.hub_count):
                name = f"{region}-h{i + 1}"
                health = f"{self._local_host(region, i)}:{self._port(HUB_PORT, i)}"
                lines += [f"      - name: {name}", f"        health: {health}"]
                self._add(
                    self.hubs,
                    name,
                    region,
                    [
                        BUILD / "bin" / "meridian-hub",
                        "--catalogue",
                        self.catalogue,
                        "--region",
                        region,
                        "--name",
                        name,
                        "--data",
                        self.folder / "data" / name,
                        *self._sets({**self.hub_settings, **self._credentials(name)}),
                    ],
                )
                self.url[name] = f"http://{health}"
            lines.append("    edges:")
            for i in range(self.edge_count):
                name = f"{region}-{i + 1}"
                listen = f"{self._local_host(region, i)}:{self._port(EDGE_PORT, i)}"
                lines += [
                    f"      - name: {name}",
                    f"        listen: {listen}",
                    f"        url: http://{listen}",
                    f"        processes: {self.processes}",
                ]
                self._add(
                    self.edges,
                    name,
                    region,
                    [
                        BUILD / "bin" / "meridian-edge",
                        "--catalogue",
                        self.catalogue,
                        "--region",
                        region,
                        "--name",
                        name,
                        *self._sets({**self.edge_settings, **self._credentials(name)}),
                    ],
                )
                self.url[name] = f"http://{listen}"
        self.catalogue.write_text("\n".join(lines) + "\n")
        if self.secure:
            self._checked("pki", "make", "--dir", self.pki, "--catalogue", self.catalogue)
        for name in self.nodes:
            (self.folder / f"{name}.conf").write_text(self._nats_configuration(name))

    @property
    def pki(self):
        return self.folder / "pki"

    def _credentials(self, name):
        return {"nats.credentials": self.pki / name} if self.secure else {}

    def _checked(self, *arguments):
        done = self.meridian(*arguments)
        if done.returncode != 0:
            raise LabError(f"{arguments} failed ({done.returncode}): {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def catalogue(self):
        return self.folder / "regions.yaml"

    @staticmethod
    def _sets(settings):
        return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]

    def _add(self, kind, name, region, command):
        namespace = self.network.namespace(region) if self.network else None
        kind[name] = Process(name, command, self.folder / f"{name}.log", namespace=namespace)
        self.region_of[name] = region

    def _nats_configuration(self, name):
        if self.secure:
            return self._checked(
                *("nats", "config", name, "--catalogue", self.catalogue),
                *("--credentials", self.pki / name, "--data", self.folder / "data" / name),
            )
        region = self.region_of[name]
        index = int(name.rsplit("n", 1)[1]) - 1
        host = self._wan_host(region, index)
        routes = ", ".join(
            f'"nats://{self._wan_host(region, i)}:{self._port(NATS_CLUSTER, i)}"'
            for i in range(self.node_count)
        )
        gateways = ", ".join(
            f"{{ name: {other}, urls: [{self._gateways(other)}] }}" for other in self.names
        )
        gateway = (
            ""
            if len(self.names) == 1
            else f"""
gateway {{
  name: {region}
  listen: "{host}:{self._port(NATS_GATEWAY, index)}"
  reject_unknown_cluster: true
  gateways: [ {gateways} ]
}}"""
        )
        # A server all alone is no cluster: it would wait for a second one for ever.
        alone = self.node_count == 1 and len(self.names) == 1
        cluster = (
            ""
            if alone
            else (
                f'cluster {{ name: {region}, listen: "{host}:{self._port(NATS_CLUSTER, index)}", '
                f"routes: [ {routes} ] }}"
            )
        )
        return f"""server_name: {name}
listen: "{host}:{self._port(NATS_CLIENT, index)}"
http: "{self._local_host(region, index)}:{self._port(NATS_MONITOR, index)}"
jetstream {{
  store_dir: "{self.folder}/data/{name}"
  max_mem: 256M, max_file: 4G, sync_interval: always
}}
{cluster}
ping_interval: "2s"
ping_max: 2
max_payload: 1MB{gateway}
"""

    def _gateways(self, region):
        return ", ".join(self._gateway(region, i) for i in range(self.node_count))

    def _gateway(self, region, index):
        return f'"nats://{self._wan_host(region, index)}:{self._port(NATS_GATEWAY, index)}"'

    # Life

    def __enter__(self):
        return self

    def start(self):
        self.start_nats()
        self.provision()
        self.start_daemons()
        return self

    def start_nats(self):
        for node in self.nodes.values():
            node.start()
        for name in self.nodes:
            self.wait_http(name, "/healthz", 40)

    def provision(self, *arguments, check=True):
        region = self.primary
        done = self.meridian("provision", "--catalogue", self.catalogue, *arguments, region=region)
        if check and done.returncode != 0:
            raise LabError(f"provision failed ({done.returncode}): {done.stdout}{done.stderr}")
        return done

    def start_daemons(self):
        for process in [*self.hubs.values(), *self.edges.values()]:
            process.start()
        for name in [*self.hubs, *self.edges]:
            self.wait_http(name, "/readyz", 40)
        for name in self.edges if self.processes > 1 else []:
            self.wait_processes(name)

    def meridian(self, *arguments, region=None, timeout_s=90):
        """Runs the command line tool to its end, in the namespace of `region` if any."""
        namespace = self.network.namespace(region or self.primary) if self.network else None
        prefix = inside(namespace) if namespace else []
        secure = {"MERIDIAN_NATS_CREDENTIALS": str(self.pki / "operator")} if self.secure else {}
        return subprocess.run(
            [*prefix, BUILD / "bin" / "meridian", *map(str, arguments)],
            env={**os.environ, **secure},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def all(self):
        return [*self.edges.values(), *self.hubs.values(), *self.nodes.values()]

    def __exit__(self, kind, *_):
        problems = []
        for process in [*self.edges.values(), *self.hubs.values()]:
            try:
                code = process.terminate()
                if code not in (0, None, -9):
                    problems.append(f"{process.name} ended with {code}")
            except TimeoutError as error:
                problems.append(str(error))
        for node in self.nodes.values():
            if node.alive():
                node.kill()
        for process in self.all():
            problems += [f"{process.name}: {line}" for line in process.reports()]
        if kind is None and not problems and not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"the logs are in {self.folder}")
        if problems and kind is None:
            raise LabError("\n".join(problems))
        for problem in problems:
            print(problem)

    # Talking to it

    def edge_names(self, region):
        return [name for name in self.edges if self.region_of[name] == region]

    def hub_names(self, region):
        return [name for name in self.hubs if self.region_of[name] == region]

    def in_region(self, name, action):
        """Calls action() where the process or region `name` lives, and returns what it returns."""
        if not self.network:
            return action()
        region = self.region_of.get(name, name)
        return run_inside(self.network.namespace(region), action)

    def bus_address(self, node):
        """(host, port) where a NATS server takes clients."""
        region, index = self.region_of[node], int(node.rsplit("n", 1)[1]) - 1
        return self._wan_host(region, index), self._port(NATS_CLIENT, index)

    def status(self, hub):
        """What a hub says of its shards: a dict of text for each."""
        _, _, body = self.http(hub, "/readyz", timeout_s=3)
        return [
            dict(word.partition("=")[::2] for word in line.split())
            for line in body.decode().splitlines()
        ]

    def owner(self, region, shard, timeout_s=20):
        """The hub that serves the shard."""

        def find():
            for name in self.hub_names(region):
                try:
                    if self.hubs[name].alive() and self.status(name)[shard]["state"] == "serving":
                        return name
                except (OSError, IndexError, KeyError):
                    pass
            return None

        return wait_for(find, timeout_s, f"somebody serves shard {shard} of {region}", 0.05)

    def open_socket(self, name, site=None):
        """A socket in the network of process `name`, connected to where it listens; or from another
        site of a Wan."""
        host, port = self.url[name].removeprefix("http://").rsplit(":", 1)
        if site:
            host = self.network.address(self.region_of[name])
        return self.in_region(
            site or name, lambda: socket.create_connection((host, int(port)), timeout=5)
        )

    def jetstream(self, region):
        """A connection to the API of JetStream, by the region's first node."""
        host, port = self._wan_host(region, 0), self._port(NATS_CLIENT, 0)
        credentials = self.pki / "operator" if self.secure else None
        return self.in_region(region, lambda: JetStream(host, port, credentials))

    def http(self, name, path, body=None, timeout_s=10, headers=None):
        """(status, headers, body bytes) of a request to `name`; POST when a body is given."""
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        request = urllib.request.Request(self.url[name] + path, data=data, headers=headers or {})
        if data is not None and not request.has_header("Content-type"):
            request.add_header("Content-type", "application/json")

        def ask():
            try:
                with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                    return answer.status, dict(answer.headers), answer.read()
            except urllib.error.HTTPError as error:
                return error.code, dict(error.headers), error.read()

        return self.in_region(name, ask)

    def wait_http(self, name, path, timeout_s, status=200):
        process = (self.nodes | self.hubs | self.edges)[name]

        def is_so():
            if not process.alive():
                raise LabError(f"{name} ended: {process.log()[-2000:]}")
            try:
                return self.http(name, path, timeout_s=3)[0] == status
            except OSError:
                return False

        wait_for(is_so, timeout_s, f"{path} of {name} answers {status}", every_s=0.05)

    def wait_processes(self, edge, timeout_s=40):
        """Until each process of the edge is ready and takes clients. A connection comes to any."""
        address = self.url[edge].removeprefix("http://")
        ready = set()

        def ask():
            link = http.client.HTTPConnection(address, timeout=3)
            try:
                link.request("GET", "/healthz")
                name = json.loads(link.getresponse().read())["edge"]
                link.request("GET", "/readyz")
                return name, link.getresponse().status == 200
            finally:
                link.close()

        def all_are():
            try:
                name, is_ready = self.in_region(edge, ask)
            except (OSError, http.client.HTTPException):
                return False
            if is_ready:
                ready.add(name)
            return len(ready) == self.processes

        wait_for(all_are, timeout_s, f"all processes of {edge} are ready", every_s=0.01)

    def wait_ready(self, *names, timeout_s=30):
        for name in names:
            self.wait_http(name, "/readyz", timeout_s)

    def restart(self, process, timeout_s=30):
        process.start()
        self.wait_http(
            process.name, "/healthz" if process.name in self.nodes else "/readyz", timeout_s
        )


def monotonic_ms():
    return time.monotonic() * 1000
