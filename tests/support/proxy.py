"""The real binary, as a user starts it."""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from support.waiting import eventually
from support.wire import Client

ROOT = Path(__file__).resolve().parents[2]
BIFRONS = os.environ.get("BIFRONS") or str(ROOT / "build" / "release" / "bifrons")
SANITIZED = "asan" in BIFRONS
LISTEN = re.compile(r"(?<![\w$./-])listen\s+([^\s;]+)[^;]*;")


def run(*args, timeout=20, **options):
    """A command that ends by itself: exit code, stdout, stderr."""
    return subprocess.run([BIFRONS, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          errors="backslashreplace", **options)


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class Reader:
    """Collects a pipe's lines in a thread, so that nobody waits on a full pipe."""

    def __init__(self, pipe):
        self.lines = []
        self.ended = threading.Event()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe):
        for line in pipe:
            self.lines.append(line.rstrip("\n"))
        self.ended.set()

    def text(self):
        return "\n".join(self.lines)


class Proxy:
    """Starts it in the foreground and waits until each listener is ready; it says their ports on standard output.

    `config` is the text of a file; an error log at level info is put before it, unless it has one.
    Or `args` are those of a quick command, and `listeners` says how many lines to wait for."""

    def __init__(self, room, config=None, args=(), listeners=None, wrap=(), log=True, env=None):
        self.room = Path(room)
        self.error_log = self.room / "error.log"
        self.access_log = self.room / "access.log"
        self.config = self.room / "bifrons.conf"
        command = [*wrap, BIFRONS, *map(str, args)]
        if config is not None:
            self.logged = log
            self.beside = (self.room / "bifrons.pid").exists()  # another one runs in this room
            config = self.write(config)
            command += ["-c", str(self.config)]
            listeners = listeners or len(dict.fromkeys(LISTEN.findall(config)))
        if config is not None or "-c" in args:
            command += ["-p", str(self.room)]
        if config is None or "error_log" not in config:
            command += ["-e", str(self.error_log)]
        self.command = command
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        errors="backslashreplace", env=env)
        self.stdout, self.stderr = Reader(self.process.stdout), Reader(self.process.stderr)
        self.stopped = False
        self.addresses = self._wait_ready(listeners or 1)
        self.at_rest = self.descriptors()
        self.log_mark = 0

    def write(self, config):
        """Puts it into the configuration file; an error log at level info stands before it, and a pid file of its own."""
        if self.beside and not re.search(r"^\s*pid ", config, re.M):
            config = f"pid {self.room}/beside-{id(self)}.pid; {config}"
        if self.logged and "error_log" not in config:
            config = f"error_log {self.error_log} info;\n{config}"
        new = self.config.with_suffix(".new")
        new.write_text(config)
        new.rename(self.config)  # a reader sees all of it, or nothing
        return config

    def reload(self, config=None, within=10.0):
        """HUP, and waits until all workers serve with it."""
        if config is not None:
            self.write(config)
        before = self.errors().count(": reconfigured")
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.errors().count(": reconfigured") > before,
                   "the reload did not end", within)
        ready = [l.split(" ", 1)[1] for l in self.stdout.lines if l.startswith("listening ")]
        self.addresses = [self._address(a) for a in ready]

    def _wait_ready(self, count):
        deadline = time.monotonic() + 15
        while True:
            ready = [l.split(" ", 1)[1] for l in self.stdout.lines if l.startswith("listening ")]
            if len(ready) >= count:
                return [self._address(a) for a in ready]
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.stopped = True
                raise AssertionError(f"did not start ({len(ready)} of {count} listeners ready), exit "
                                     f"{self.process.poll()}: {self.stdout.text()}\n{self.stderr.text()}")
            time.sleep(0.002)

    @staticmethod
    def _address(text):
        host, _, port = text.strip().rpartition(":")
        return host.strip("[]"), int(port)

    # what it is doing

    @property
    def address(self):
        return self.addresses[0]

    @property
    def port(self):
        return self.addresses[0][1]

    def port_of(self, host):
        """The port of the listener on that address (tests with several use 127.0.0.1, 127.0.0.2 ...)."""
        return next(port for h, port in self.addresses if h == host)

    def connect(self, index=0, **options):
        return Client(self.addresses[index], **options)

    def pids(self):
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except FileNotFoundError:
            children = []
        return [pid, *map(int, children)]

    def workers(self):
        """Pids of the processes that serve, in the order of their start."""
        return [pid for pid in self.pids()[1:] if b"worker process" in command_of(pid)] or [self.process.pid]

    @property
    def worker(self):
        return self.workers()[0]

    def descriptors(self):
        """How many of each kind, in all processes. Folders are not counted: roots of static files stay open."""
        kinds = Counter()
        for pid in self.pids():
            for fd in Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    kind = os.readlink(fd)
                except FileNotFoundError:
                    continue  # closed while we looked
                if not os.path.isdir(kind):
                    kinds[re.sub(r"[:\[].*", "", kind)] += 1
        return kinds

    def memory(self):
        """Resident bytes of all its processes."""
        total = 0
        for pid in self.pids():
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            total += int(found[1]) * 1024 if found else 0
        return total

    def cpu(self):
        """Seconds of CPU used so far."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def errors(self):
        return self.error_log.read_text(errors="backslashreplace") if self.error_log.exists() else ""

    def access(self):
        """Whole lines of the access log; one that is just being written does not count yet."""
        if not self.access_log.exists():
            return []
        text = self.access_log.read_text(errors="backslashreplace")
        return text.rpartition("\n")[0].splitlines()

    def wait_access(self, count=1, within=5.0):
        """Waits for so many lines, and returns all."""
        eventually(lambda: len(self.access()) >= count, f"{count} access log lines, got {self.access()}", within)
        return self.access()

    def wait_error(self, pattern, within=5.0):
        """Waits for a line in the error log and returns it."""

        def find():
            return next((l for l in self.errors().splitlines() if re.search(pattern, l)), None)

        try:
            return eventually(find, "", within)
        except AssertionError:
            raise AssertionError(f"no {pattern!r} in the error log:\n{self.errors()[-3000:]}") from None

    def line_of(self, fragment):
        """Number of the configuration line that holds the fragment."""
        lines = self.config.read_text().splitlines()
        return next(i for i, line in enumerate(lines, 1) if fragment in line)

    # its end

    def settle(self):
        """What the exchanges used is given back: descriptors are where they were at the start."""
        try:
            eventually(lambda: self.descriptors() <= self.at_rest, "")
        except AssertionError:
            raise AssertionError(f"descriptors leaked: now {dict(self.descriptors())}, "
                                 f"at rest {dict(self.at_rest)}") from None

    def stop(self, sig=signal.SIGQUIT, clean=True):
        if self.stopped:
            return
        self.stopped = True
        self.process.send_signal(sig)
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("it did not stop within ten seconds\n" + self.errors()[-2000:]) from None
        self.stdout.ended.wait(2)
        self.stderr.ended.wait(2)
        said = self.errors() + self.stderr.text()
        if clean:
            assert code == 0, f"exit was not clean: {code}\n{said[-4000:]}"
            bad = re.search(r".*(\[(alert|emerg)\]|Sanitizer|runtime error:|Assertion).*", said)
            assert not bad, bad[0]

    def kill(self):
        if not self.stopped:
            self.stopped = True
            children = self.pids()[1:]
            self.process.kill()
            self.process.wait()
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
