"""The ceiling that `-t` prints holds, because `memory_limit` makes it hold."""
import re
import socket
from collections import Counter
from pathlib import Path

import pytest

from support.proxy import SANITIZED, run
from support.waiting import eventually

MIB = 1 << 20


def judge(room, text, *args):
    (room / "c.conf").write_text(f"access_log off; pid {room}/c.pid; {text}")
    return run("-t", "-c", room / "c.conf", "-p", room, "-e", room / "error.log", *args)


def sizes(said):
    """All processes together, and one worker."""
    found = re.search(r"^bifrons: memory: at most ([\d.]+)m \(\d+ workers? of ([\d.]+)m: ", said, re.M)
    assert found, said
    return [float(n) * MIB for n in found.groups()]


def test_a_test_prints_the_ceiling_before_its_verdict(room):
    said = judge(room, "worker_rlimit_nofile 5000; events { worker_connections 100; } server { listen 127.0.0.1:0; "
                        "open_file_cache max=50; }").stderr.splitlines()
    assert len(said) == 4 and said[2].endswith("syntax is ok") and said[3].endswith("test is successful"), said
    assert re.fullmatch(r"bifrons: memory: at most \d+m \(1 worker of \d+m: peers \d+m, logs 64m, program 12m, settings [\d.]+m; "
                        r"master 1[2-9](\.\d)?m, zones 0\.\dm\)", said[0]), said[0]
    assert re.fullmatch(r"bifrons: descriptors: at most 3\d\d for each worker \(100 connections, 200 for their files and pipes, "
                        r"50 open_file_cache, 3\d own\)", said[1]), said[1]


def test_descriptors_end_at_the_limit(room):
    said = judge(room, "worker_rlimit_nofile 300; server { listen 127.0.0.1:0; }").stderr
    assert "at most 300 for each worker (268 connections, " in said and "; the limit of 300 ends it)" in said, said


def test_a_quiet_test_prints_no_ceiling(room):
    done = judge(room, "server { listen 127.0.0.1:0; }", "-q")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("limit, workers", [("100m", 1), ("1g", 1), ("1g", 3)])
def test_a_limit_is_not_exceeded(room, limit, workers):
    said = judge(room, f"memory_limit {limit}; worker_processes {workers}; server {{ listen 127.0.0.1:0; }}").stderr
    most, one = sizes(said)
    asked = (1 if limit == "1g" else 100 / 1024) * 1024 * MIB
    assert most <= asked + MIB and most > asked * 0.95, said
    assert workers * one < asked


@pytest.mark.parametrize("more", [
    "",
    "worker_processes 4;",
    "events { worker_connections 20000; }",
    "limit_req_zone $binary_remote_addr zone=z:200m rate=1r/s;",
], ids=["nothing", "workers", "connections", "zone"])
def test_what_cannot_fit_is_refused_and_what_would_fit_is_said(room, more):
    text = "memory_limit {}; " + more + " server {{ listen 127.0.0.1:0; }}"
    text = text.replace("events { worker_connections 20000; }", "events {{ worker_connections 20000; }}")
    done = judge(room, text.format("20m"))
    assert done.returncode == 1, done.stderr
    found = re.search(r'\[emerg\] "memory_limit" is too small: at least (\d+)m are needed \((.*)\) in .*c\.conf:1$', done.stderr, re.M)
    assert found, done.stderr
    largest = found[2].split()[0]
    assert largest == {"limit_req_zone": "zones", "worker_processes": "programs", "": "the", "events": "the"}[more.split(" ")[0]], found[2]
    assert judge(room, text.format(f"{found[1]}m")).returncode == 0
    assert judge(room, text.format(f"{int(found[1]) - 3}m")).returncode == 1


def resident(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def answer_to(c):
    """Its first bytes; None: nothing yet."""
    try:
        return c.recv(4096, socket.MSG_PEEK)[:12]
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has memory of its own")
@pytest.mark.parametrize("row", ["PROC-10-no-memory-is-503"])
def test_the_ceiling_holds_and_beyond_it_is_503(start, room, origin, row):
    """Bodies that never end, of more clients than there is memory for."""
    text = (f"memory_limit 64m; server {{ listen 127.0.0.1:0; client_body_buffer_size 64k; "
            f"location / {{ proxy_pass http://{origin.address}; }} location /ok {{ return 200 ok; }} }}")
    _, most = sizes(judge(room, text).stderr)
    proxy = start(text)
    clients = [socket.create_connection(proxy.address, 10) for _ in range(1000)]
    try:
        for c in clients:
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 64000\r\n\r\n" + bytes(63000))
            c.setblocking(False)
        eventually(lambda: [answer_to(c) for c in clients].count(None) < 500, "too few are refused", 20)
        answers = [answer_to(c) for c in clients]
        assert answers.count(b"HTTP/1.1 503") > 300 and answers.count(None) > 50, Counter(answers)
        assert most / 3 < resident(proxy.worker) < most
    finally:
        for c in clients:
            c.close()
    eventually(lambda: served(proxy), "it does not recover", 10)
    told = [l[:19] for l in proxy.errors().splitlines() if "memory budget spent" in l]
    assert told and len(told) == len(set(told)), "not said, or more than once a second"


def served(proxy):
    try:
        with proxy.connect() as c:
            return c.get("/ok").status == 200
    except (OSError, AssertionError, ValueError):
        return False
