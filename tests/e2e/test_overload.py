"""Out of descriptors, out of disk: what can be answered is answered, it is said once a second, and it passes by itself."""
import os
import socket
from pathlib import Path

import pytest
from test_spooling import count_ended, whole

from support.origin import big_digest
from support.waiting import eventually
from support.wire import request

rooted = pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted")
FEW = ("prlimit", "--nofile=64:64")


def served(proxy, target="/ok"):
    try:
        with proxy.connect() as c:
            return c.get(target).status == 200
    except (OSError, AssertionError):
        return False


def assert_said_seldom(proxy, text):
    """In each second once at most."""
    told = [line[:19] for line in proxy.errors().splitlines() if text in line]
    assert len(told) == len(set(told)), (text, told)


# --- descriptors ---


@pytest.mark.parametrize("row", ["PROC-17-few-descriptors"])
def test_few_descriptors_serve_few(start, row):
    proxy = start("server { listen 127.0.0.1:0; location /ok { return 200 ok; } }", wrap=FEW)
    idle = [socket.create_connection(proxy.address, 10) for _ in range(100)]
    try:
        proxy.wait_error(r"\[crit\].*(worker_connections are not enough|accept4\(\) failed \(24)")
    finally:
        for c in idle:
            c.close()
    eventually(lambda: served(proxy), "it does not recover", 10)
    assert_said_seldom(proxy, "worker_connections are not enough")
    assert_said_seldom(proxy, "accept4() failed")


# --- disk ---


class Disk:
    """A file system of 256 KiB that only the proxy sees, at ROOM/disk; the test reaches it by the proxy."""

    def __init__(self, room):
        self.path = room / "disk"
        self.path.mkdir()
        self.wrap = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-c",
                     f'mount -t tmpfs -o size=256k,mode=1777 none {self.path} && exec "$0" "$@"')

    def file(self, proxy, name):
        return Path(f"/proc/{proxy.process.pid}/root") / (self.path / name).relative_to("/")

    def fill(self, proxy):
        try:
            self.file(proxy, "filler").write_bytes(bytes(1 << 20))
        except OSError as e:
            return e.errno
        raise AssertionError("the disk does not end")

    def clear(self, proxy):
        self.file(proxy, "filler").unlink()


@pytest.fixture
def disk(room):
    return Disk(room)


@rooted
@pytest.mark.parametrize("row", ["PROC-12-a-full-disk-and-room-again"])
def test_a_full_disk_costs_lines_and_no_answer(start, disk, row):
    proxy = start(f"access_log {disk.path}/access.log; server {{ listen 127.0.0.1:0; location / {{ return 200 ok; }} }}", wrap=disk.wrap)
    log = disk.file(proxy, "access.log")
    disk.fill(proxy)
    with proxy.connect() as c:
        for n in range(200):
            assert c.get(f"/{'x' * 100}").status == 200
        proxy.wait_error(r"\[alert\].*write\(\) to .*access.log\" failed, lines lost: \d+ \(28: No space left on device\)")
        disk.clear(proxy)

        def written():
            c.get("/again")
            return "/again" in log.read_text() and "is written again, lines lost: 199" in proxy.errors()

        eventually(written, "nothing is written although there is room, or it is no news")
    assert_said_seldom(proxy, "lines lost")
    proxy.stop(clean=False)
    assert proxy.process.returncode == 0


@rooted
def test_a_full_disk_refuses_bodies_that_need_it_and_no_others(start, origin, disk):
    proxy = start(f"client_body_temp_path {disk.path}; server {{ listen 127.0.0.1:0; client_body_buffer_size 16k; "
                  f"location / {{ proxy_pass http://{origin.address}; }} location /ok {{ return 200 ok; }} }}", wrap=disk.wrap)

    def upload(size):
        with proxy.connect() as c:
            return c.ask(request("POST", body=bytes(size)), "POST").status

    disk.fill(proxy)
    assert upload(100000) == 500
    assert upload(10000) == 200
    with proxy.connect() as c:
        c.assert_kept("/ok")
    disk.clear(proxy)
    assert upload(100000) == 200
    proxy.wait_error(r"\[crit\].*pwrite\(\) to a file in .* failed \(28: No space left on device\)")


@rooted
def test_a_full_disk_slows_an_answer_down_and_no_more(start, origin, disk):
    done = count_ended(origin)
    proxy = start(f"proxy_temp_path {disk.path}; server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}",
                  wrap=disk.wrap)
    disk.fill(proxy)
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        r = c.head()
        proxy.wait_error(r"\[crit\].* failed \(28: No space left on device\)")
        assert not done
        assert whole(c, int(r.get("Content-Length"))) == big_digest(64 << 20)
    eventually(lambda: done, "the answer does not end")
    assert_said_seldom(proxy, "No space left")
