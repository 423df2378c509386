"""Waiting for a condition, with a limit: no test sleeps for a fixed time."""
import time


def eventually(condition, promise, within=5.0):
    """Polls `condition` until it is true and returns its value; after `within` seconds the promise is broken."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(promise)
        time.sleep(0.002)
