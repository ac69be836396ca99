"""nginx and HAProxy in front of a cluster's edges, with the files that are shipped in deploy/."""

import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess

from .process import Process, wait_for

DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy"
PORT = 8443


def program(name):
    """Debian puts it where not everybody's path leads."""
    return shutil.which(name) or f"/usr/sbin/{name}"


def make_certificate(folder):
    """A self-made certificate of the host "meridian", its key, and both in one file."""
    certificate, key = folder / "site.crt", folder / "site.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-noenc", "-days", "2", "-subj", "/CN=meridian"]
        + ["-addext", "subjectAltName=DNS:meridian", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    (folder / "site.pem").write_text(certificate.read_text() + key.read_text())


class Balancer:
    """Listens on an address of the cluster's own block. `address` is where it connects from.

    The shipped file is used as it is, but for places: each replacement must be found in it."""

    name, shipped, index = None, None, None

    def __init__(self, cluster, edges, address):
        self.folder = cluster.folder / self.name
        self.folder.mkdir()
        self.host = f"{cluster.block}.{self.index}"
        make_certificate(self.folder)
        self.file = self.folder / self.shipped.name
        self.file.write_text(self._fit(edges, address))
        self.process = Process(self.name, self.command(), cluster.folder / f"{self.name}.log")
        self.trust = ssl.create_default_context(cafile=self.folder / "site.crt")
        self.source = "127.0.0.1"

    def _fit(self, edges, address):
        text = self.shipped.read_text()
        places = {f"10.0.0.{11 + i}:8080": edge for i, edge in enumerate(edges)}
        for old, new in {**places, **self.replacements(address)}.items():
            assert old in text, f"{self.shipped} has no {old!r}"
            text = text.replace(old, new)
        return text

    def check(self):
        """What the program says of its file: (accepted, words)."""
        done = subprocess.run(self.command_to_check(), capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr

    def start(self):
        self.process.start()
        wait_for(lambda: self.get("/readyz")[0] == 200, 20, f"{self.name} finds an edge")
        return self

    def stop(self):
        self.process.terminate()

    def open_socket(self, _=None):
        """As Cluster.open_socket(), so that a Client can come this way."""
        return socket.create_connection((self.host, PORT), 5, source_address=(self.source, 0))

    def open_tls(self):
        return self.trust.wrap_socket(self.open_socket(), server_hostname="meridian")

    def get(self, path):
        return self.ask("GET", path)

    def ask(self, method, path, body=None, headers=None):
        """(status, body bytes); status 0 when there is no connection."""
        try:
            answer = self.request(method, path, body, headers)
            return answer.status, answer.body
        except (OSError, http.client.HTTPException):
            return 0, b""

    def request(self, method, path, body=None, headers=None):
        """The answer, with its `body`."""
        connection = http.client.HTTPSConnection("meridian", context=self.trust, timeout=10)
        try:
            connection.sock = self.open_tls()
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            answer.body = answer.read()
            return answer
        finally:
            connection.close()


class Nginx(Balancer):
    name, shipped, index = "nginx", DEPLOY / "nginx" / "meridian.conf", 251

    def replacements(self, address):
        folder = self.folder
        temporary = "".join(
            f"    {kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return {
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            "worker_rlimit_nofile 131072;": "",
            "worker_connections 65536;": "worker_connections 512;",
            "/run/nginx.pid": str(folder / "nginx.pid"),
            "/var/log/nginx/error.log": "stderr",
            "http {\n": "http {\n" + temporary,
            "listen 443 ": f"listen {self.host}:{PORT} ",
            "/etc/meridian/tls": str(folder),
            "proxy_http_version 1.1;": f"proxy_http_version 1.1; proxy_bind {address};",
        }

    def command(self):
        return [program("nginx"), "-c", self.file, "-e", "stderr", "-g", "daemon off;"]

    def command_to_check(self):
        return [*self.command(), "-t"]


class Haproxy(Balancer):
    name, shipped, index = "haproxy", DEPLOY / "haproxy" / "meridian.cfg", 252

    def replacements(self, address):
        return {
            "    user haproxy\n    group haproxy\n": "",
            "maxconn 100000": "maxconn 512",
            "log /dev/log local0": "log stderr format raw local0",
            "bind :443 ": f"bind {self.host}:{PORT} ",
            "/etc/meridian/tls": str(self.folder),
            "default-server ": f"default-server source {address} ",
        }

    def command(self):
        return [program("haproxy"), "-db", "-f", self.file]

    def command_to_check(self):
        return [*self.command(), "-c"]
