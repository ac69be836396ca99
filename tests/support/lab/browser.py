"""Chromium without a screen, driven by its debugging protocol, and a server for its pages."""

import asyncio
import contextlib
import functools
import http.server
import json
import pathlib
import tempfile
import threading
import urllib.request

import websockets

from .process import Process, wait_for


class _Pages(http.server.BaseHTTPRequestHandler):
    def __init__(self, html, *arguments):
        self.html = html
        super().__init__(*arguments)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(self.html)))
        self.end_headers()
        self.wfile.write(self.html)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def page_at(html, host="127.0.0.1"):
    """Serves one page for every path; yields its origin."""
    server = http.server.ThreadingHTTPServer((host, 0), functools.partial(_Pages, html.encode()))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Chromium:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="meridian-chromium-", dir="/var/tmp")
        home = pathlib.Path(self.folder.name)
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-dev-shm-usage", "--no-proxy-server", "--disable-extensions"]
        command += ["--disable-background-networking", "--disable-component-update"]
        command += [f"--user-data-dir={home / 'profile'}", "--remote-debugging-port=0"]
        environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        self.process = Process(
            "chromium", [*command, "about:blank"], home / "log", environment=environment
        ).start()
        port = home / "profile" / "DevToolsActivePort"
        try:
            wait_for(lambda: port.exists() and port.read_text().strip(), 40, "Chromium is up")
        except TimeoutError as error:
            self.__exit__()
            raise TimeoutError(f"{error}\n{self.process.log()}") from None
        self.url = f"http://127.0.0.1:{port.read_text().split()[0]}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(OSError):  # a child of it may still write there
            self.folder.cleanup()

    def open(self, address):
        """A new tab with that page; connect with `async with Tab(...)`."""
        request = urllib.request.Request(f"{self.url}/json/new?{address}", method="PUT")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Tab(json.load(answer)["webSocketDebuggerUrl"])


class Tab:
    def __init__(self, url):
        self.url = url
        self.asked = 0
        self.turn = asyncio.Lock()  # one question at a time

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=2**24, ping_interval=None)
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def evaluate(self, expression):
        """The value of an expression of the page; a promise is waited for."""
        async with self.turn:
            return await self._evaluate(expression)

    async def _evaluate(self, expression):
        self.asked += 1
        ask = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        message = {"id": self.asked, "method": "Runtime.evaluate", "params": ask}
        await self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(await self.socket.recv())
            if answer.get("id") == self.asked:
                break
        if "exceptionDetails" in answer["result"]:
            raise RuntimeError(answer["result"]["exceptionDetails"])
        return answer["result"]["result"].get("value")
