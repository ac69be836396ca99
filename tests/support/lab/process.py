"""One process of the lab: started with a log of its own, dies with the test, stopped by its id."""

import ctypes
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNET = 0x40000000

LEAKS = pathlib.Path(__file__).with_name("leaks.supp")  # of libraries, which we cannot mend
# What a sanitizer says when it has found something.
REPORT = re.compile(
    r"ERROR: (Address|Leak|Thread|Undefined)\w*Sanitizer|runtime error:|WARNING: ThreadSanitizer"
    r"|Assertion .* failed"
)


def enter_namespace(name):
    """Moves the calling thread into the network namespace `name`."""
    handle = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if _libc.setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {name}")
    finally:
        os.close(handle)


def run_inside(namespace, action):
    """Calls action() in the network namespace, and returns what it returns."""
    result = {}

    def body():
        try:
            enter_namespace(namespace)
            result["value"] = action()
        except BaseException as error:  # handed to the caller
            result["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def wait_for(condition, timeout_s, what, every_s=0.02):
    """Waits until condition() is true and returns what it returned."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"after {timeout_s} s still not: {what}")
        time.sleep(every_s)


class Process:
    def __init__(self, name, command, log_path, namespace=None, environment=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = log_path
        self.namespace = namespace
        self.environment = environment or {}
        self.popen = None
        self.stopped = False
        self.starts = 0

    def start(self):
        """Starts it, again too. Call from the main thread: it dies when the calling thread ends."""
        assert self.popen is None or self.popen.poll() is not None, f"{self.name} is running"
        parent = os.getpid()

        def prepare():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            if self.namespace:
                enter_namespace(self.namespace)

        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99")
        environment.setdefault("LSAN_OPTIONS", f"suppressions={LEAKS}:print_suppressions=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        environment.update(self.environment)
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=prepare,
                env=environment,
                start_new_session=True,
            )
        self.stopped = False
        self.starts += 1
        return self

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """kill -9, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self.popen.wait(10)

    def pause(self):
        self.signal(signal.SIGSTOP)
        self.stopped = True

    def resume(self):
        self.signal(signal.SIGCONT)
        self.stopped = False

    def terminate(self, timeout_s=20):
        """SIGTERM; returns the exit code. Killed when it does not end in time."""
        if self.popen is None:
            return None
        if self.stopped:
            self.resume()
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} did not end within {timeout_s} s of SIGTERM") from None

    def log(self):
        try:
            with open(self.log_path, errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout_s=10):
        found = re.compile(pattern)
        return wait_for(
            lambda: found.search(self.log()), timeout_s, f"{pattern!r} in the log of {self.name}"
        )

    def reports(self):
        """Lines of the log in which a sanitizer or an assertion speaks."""
        return [line for line in self.log().splitlines() if REPORT.search(line)]

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
