"""A name server on loopback that says what a test tells it."""
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28


def _name(text):
    labels = [l for l in text.rstrip(".").split(".") if l]
    return b"".join(bytes([len(l)]) + l.encode() for l in labels) + b"\0"


def _both():
    """Sockets for UDP and TCP with one port."""
    while True:
        stream = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(stream.getsockname())
            return datagrams, stream
        except OSError:
            stream.close()
            datagrams.close()


class NameServer:
    """`names`: name -> list of answers, one for each time it is asked (the last repeats); an answer is a list of
    addresses, or of ("CNAME", other) and addresses. Unknown names do not exist. `truncates`: over UDP it says only that there is more."""

    def __init__(self, ttl=60):
        self.names = {}
        self.ttl = ttl
        self.queries = []
        self.silent = False
        self.truncates = False
        self.framed = 0  # queries that came over TCP
        self.socket, self.stream = _both()
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()
        threading.Thread(target=self._serve_streams, daemon=True).start()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return  # closed
            answer = self._answer(query)
            if self.truncates:
                end = query.index(b"\0", 12) + 5
                answer = query[:2] + b"\x83\x80" + struct.pack("!4H", 1, 0, 0, 0) + query[12:end]
            if not self.silent:
                try:
                    self.socket.sendto(answer, peer)
                except OSError:
                    return

    def _serve_streams(self):
        while True:
            try:
                peer = self.stream.accept()[0]
            except OSError:
                return
            with peer, peer.makefile("rb") as stream:
                size = stream.read(2)
                if len(size) == 2 and not self.silent:
                    self.framed += 1
                    answer = self._answer(stream.read(struct.unpack("!H", size)[0]))
                    peer.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        question = query[12 : at + 5]
        kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        self.queries.append((name, kind))
        if name not in self.names:
            return query[:2] + b"\x81\x83" + struct.pack("!4H", 1, 0, 0, 0) + question
        asked = sum(q == (name, kind) for q in self.queries)
        records = self.names[name]
        records = records[min(asked, len(records)) - 1]
        body, count, owner = b"", 0, name
        for record in records:
            if isinstance(record, tuple):
                data, this = _name(record[1]), CNAME
            else:
                this = AAAA if ":" in record else A
                data = socket.inet_pton(socket.AF_INET6 if this == AAAA else socket.AF_INET, record)
            if this not in (kind, CNAME):
                continue
            body += _name(owner) + struct.pack("!HHIH", this, 1, self.ttl, len(data)) + data
            count += 1
            if this == CNAME:
                owner = record[1]
        return query[:2] + b"\x81\x80" + struct.pack("!4H", 1, count, 0, 0) + question + body

    def close(self):
        for s in (self.socket, self.stream):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
