#!/usr/bin/python3
"""./dev run: the demonstration, in the foreground. Backends, a throw-away CA, both faces of Bifrons, and a tour.

    demo/run.py [--ready-file FILE]     FILE is made once everything answers; `ready` is printed in any case

Everything that it makes lies in build/demo. Ctrl-C (or SIGTERM) ends the children, then us, with exit code 0. What
goes wrong is one line, nothing stays behind, and the exit code is 1.
"""
import argparse
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOM = ROOT / "build/demo"
BIFRONS = ROOT / "build/release/bifrons"
BACKENDS = ["api", "3001", "3002", "3003", "web", "8000"]
BACKEND_PORTS = [int(word) for word in BACKENDS if word.isdigit()]
PROXY_PORTS = [8080, 8443, 3128]
ENDINGS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}

OPENSSL = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[site]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:example.com, DNS:www.example.com
"""


class Trouble(Exception):
    """One line for the user."""


def check_ports():
    for port in PROXY_PORTS + BACKEND_PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError as e:
                raise Trouble(f"port {port} of 127.0.0.1 is needed: {e.strerror.lower()}") from None


def make_certificate(stem, name, extensions, *issuer):
    (ROOM / f"{stem}.cnf").write_text(OPENSSL.format(name=name))
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 -config {stem}.cnf"
    command += f" -extensions {extensions} -keyout {stem}.key -out {stem}.pem"
    made = subprocess.run([*command.split(), *issuer], cwd=ROOM, capture_output=True, text=True)
    if made.returncode != 0:
        raise Trouble(f"openssl made no certificate: {made.stderr.strip().splitlines()[-1:]}")


def user_line():
    """As root we drop to nobody; only where nobody could not reach the files of this folder, we stay who we are."""
    reachable = all(folder.stat().st_mode & 1 for folder in [ROOM, *ROOM.parents])
    return "" if reachable or os.getuid() != 0 else f"user {getpass.getuser()};  # nobody else can read this folder"


def prepare():
    if not BIFRONS.exists():
        raise Trouble("build/release/bifrons is missing: run ./dev build")
    check_ports()
    shutil.rmtree(ROOM, ignore_errors=True)
    ROOM.mkdir(parents=True)
    shutil.copytree(ROOT / "demo/www", ROOM / "www")
    make_certificate("ca", "Throw-away CA of the Bifrons demonstration", "ca")
    make_certificate("example.com", "example.com", "site", "-CA", "ca.pem", "-CAkey", "ca.key")
    text = (ROOT / "demo/bifrons.conf.in").read_text()
    (ROOM / "bifrons.conf").write_text(text.replace("@ROOM@", str(ROOM)).replace("@USER@\n", user_line() + "\n"))


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def start(children, name, command, ports):
    """Starts a child and waits until its ports answer."""
    child = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches us alone; we end them in order
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS),
    )
    children.append((name, child))
    deadline = time.monotonic() + 15
    while not all(answers(port) for port in ports):
        if child.poll() is not None:
            raise Trouble(f"{name} did not start (exit code {child.returncode})")
        if time.monotonic() > deadline:
            raise Trouble(f"{name} does not answer")
        if signal.sigtimedwait(ENDINGS - {signal.SIGCHLD}, 0.02):
            raise KeyboardInterrupt


def stop(children):
    """The last started first; who does not go in ten seconds is killed. Returns who did not end well."""
    unclean = []
    for name, child in reversed(children):
        if child.poll() is None:
            child.terminate()
        try:
            code = child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        if code != 0:
            unclean.append(f"{name} ended with exit code {code}")
    return unclean


def watch(children):
    """Returns when we are told to end; trouble, if a child ends before."""
    while signal.sigwait(ENDINGS) == signal.SIGCHLD:
        for name, child in children:
            if child.poll() is not None:
                raise Trouble(f"{name} ended by itself (exit code {child.returncode})")


def show_tour():
    print("\nBifrons runs: reverse face on 127.0.0.1:8443 (TLS) and :8080, forward face on 127.0.0.1:3128.")
    print("Its configuration is build/demo/bifrons.conf. A tour, from another terminal in this folder:\n")
    for line in (ROOT / "demo/tour.txt").read_text().splitlines():
        if line.startswith("# "):
            print(f"  {line[2:]}")
        elif not line.startswith("#=>"):
            print(f"    {line}" if line else "")
    print("\nCtrl-C ends everything.\nready", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./dev run", description=__doc__.splitlines()[0])
    parser.add_argument("--ready-file", type=Path)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    children, trouble = [], None
    try:
        prepare()
        start(children, "the backends", [sys.executable, "demo/backend.py", *BACKENDS], BACKEND_PORTS)
        start(children, "bifrons", [BIFRONS, "-p", ROOM, "-c", ROOM / "bifrons.conf"], PROXY_PORTS)
        show_tour()
        if options.ready_file:
            options.ready_file.touch()
        watch(children)
    except Trouble as e:
        trouble = e
    except KeyboardInterrupt:
        pass
    unclean = stop(children)
    for line in [trouble] if trouble else unclean:
        print(f"demo: {line}", file=sys.stderr)
    sys.exit(1 if trouble or unclean else 0)


main()
