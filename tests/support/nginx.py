"""Debian's nginx, beside us: the same servers, its own pid, logs and temp folders."""
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from support.waiting import eventually

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

HEAD = """\
daemon off;
worker_processes 1;
pid {room}/nginx.pid;
error_log {room}/nginx-error.log info;
events {{ worker_connections 512; }}
http {{
client_body_temp_path {room}/temp-body;
proxy_temp_path {room}/temp-proxy;
fastcgi_temp_path {room}/temp-fastcgi;
uwsgi_temp_path {room}/temp-uwsgi;
scgi_temp_path {room}/temp-scgi;
access_log {room}/nginx-access.log;
"""


class Nginx:
    """`http` is the text inside http { }; its ports were chosen by the caller (nginx cannot say them)."""

    def __init__(self, room, http, ports):
        assert NGINX, "nginx is not installed"
        self.room = Path(room)
        self.error_log = self.room / "nginx-error.log"
        self.access_log = self.room / "nginx-access.log"
        config = self.room / "nginx.conf"
        config.write_text(HEAD.format(room=self.room) + http + "\n}\n")
        self.process = subprocess.Popen([NGINX, "-p", str(self.room), "-c", str(config)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for port in ports:
            eventually(lambda p=port: self._listens(p), f"nginx did not start: {config}", 10)

    def _listens(self, port):
        if self.process.poll() is not None:
            raise AssertionError("nginx: " + self.process.stderr.read().decode())
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)
        self.process.stderr.close()
