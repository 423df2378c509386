#!/usr/bin/python3
"""The servers behind the demonstration: real HTTP/1.1 servers with keep-alive, in one process.

    backend.py api 3001 3002 3003 web 8000

An api backend answers JSON that names itself and says what reached it; a web backend answers a page.
"""
import html
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<title>Bifrons</title>
<h1>The web backend</h1>
<p>You asked for {path}</p>
"""


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        facts = {
            "backend": self.server.server_address[1],
            "method": self.command,
            "path": self.path,
            "host": self.headers.get("Host"),
            "x_forwarded_for": self.headers.get("X-Forwarded-For"),
            "body_bytes": len(self.rfile.read(int(self.headers.get("Content-Length", 0)))),
        }
        self.answer("application/json", json.dumps(facts).encode() + b"\n")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass  # the proxy's access log tells the story


class Web(Api):
    def do_GET(self):
        self.answer("text/html; charset=utf-8", PAGE.format(path=html.escape(self.path)).encode())

    do_HEAD = do_GET


def main():
    kinds = {"api": Api, "web": Web}
    kind = Api
    for word in sys.argv[1:]:
        if word in kinds:
            kind = kinds[word]
        else:
            server = ThreadingHTTPServer(("127.0.0.1", int(word)), kind)
            threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # before any thread: all inherit it
main()
