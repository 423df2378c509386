"""A small, bounded load: clients in threads, each asking over and over, half of them on a new connection each time."""
import threading

from support.wire import Client


class Load:
    """with Load(address) as load: ...; afterwards load.failed lists what went wrong, load.done counts answers."""

    def __init__(self, address, clients=8, path="/", wanted=200, strict=False):
        self.address, self.path, self.wanted = address, path, wanted
        self.strict, self.failed, self.done, self.stopping = strict, [], 0, threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(n % 2 == 0,), daemon=True) for n in range(clients)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(10)

    def _ask(self, client):
        answer = client.get(self.path)
        with self.lock:
            self.done += 1
            if answer.status != self.wanted:
                self.failed.append(f"status {answer.status}")
        return answer

    def _run(self, kept):
        client = None
        while not self.stopping.is_set():
            fresh = client is None
            try:
                client = client or Client(self.address, timeout=5)
                answer = self._ask(client)
                if not kept or answer.closes:
                    client.close()
                    client = None
            except (AssertionError, OSError) as fault:
                if fresh or self.strict:  # one that was kept may be closed while it is idle: a client asks again
                    with self.lock:
                        self.failed.append(repr(fault))
                client = None
