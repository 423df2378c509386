"""Both proxies, side by side, over the same files and the same origins."""
import os

from cases import BAD
from support.nginx import Nginx
from support.origin import Origin, free_port
from support.proxy import Proxy
from support.room import room_close, room_open

LOG = ("log_format diff '$status $body_bytes_sent \"$request\" $request_method $uri $args $host $server_name $scheme "
       "\"$http_user_agent\" $request_length $content_length $upstream_status $sent_http_content_type $remote_user';\n")
TYPES = "types { text/html html htm; text/plain txt; image/png png; application/gzip gz; }\n"
MTIME = 1_600_000_000
DATE = "Sun, 13 Sep 2020 12:26:40 GMT"


def make_files(root):
    for folder in ("dir", "listed", "types", "notype",  "relative", "sp ace"):
        (root / folder).mkdir()
    for name, text in {
        "index.html": "index\n", "file.txt": "a file\n", "page.html": "<p>\n", "data.zzz": "zzz\n", "empty.txt": "",
        "digits.txt": "0123456789", "a b.txt": "space\n", "q?m.txt": "question\n", "secret.txt": "secret\n",
        "dir/x.txt": "x\n", "listed/index.html": "listed\n", "types/x.thing": "thing\n", "types/x.zzz": "zzz\n",
        "notype/x.zzz": "zzz\n", ".hidden": "hidden\n", "\u00e9.txt": "e\n", "UP.HTML": "up\n",
        "x.tar.gz": "gz\n", "a+b.txt": "plus\n",
        "long.html": "".join(f"<p>line {i} of a long page\n" for i in range(4000)), "long.txt": "text " * 100,
        "twenty.html": "x" * 20, "nineteen.html": "x" * 19, "run.sh": "#!/bin/sh\n",
    }.items():
        (root / name).write_text(text)
    for folder in ("err", "names", "names/none", "names/sub", "names/folder of names"):
        (root / folder).mkdir()
    for name in ("err/page.txt", "err/a.txt", "names/a&b.txt", 'names/<x>"y.txt', "names/" + "n" * 60 + ".txt",
                 "names/" + "m" * 50, "names/\u00e9:%3A.txt", "names/b\\s", "names/.hidden"):
        (root / name).write_text(f"{name}\n")
    for name, size in {"10k": 9999, "10K": 10000, "1M": 1 << 20, "1.5M": 3 << 19, "0": 0}.items():
        (root / "names" / name).write_bytes(b"x" * size)
    (root / "names" / "link").symlink_to("sub")
    (root / "names" / "broken").symlink_to("nothing")
    os.utime(root / "names" / "broken", (MTIME, MTIME), follow_symlinks=False)
    os.mkfifo(root / "names" / "fifo")
    (root / "link.txt").symlink_to("file.txt")
    (root / "linkdir").symlink_to("dir")
    os.mkfifo(root / "fifo")
    for path in root.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (MTIME, MTIME))
    (root / "secret.txt").chmod(0)
    (root / "run.sh").chmod(0o755)


def _bad(address):
    def script(c):
        while True:
            request = c.read_request()
            data, end = BAD[request.target.partition("?")[0]]
            c.send(data.replace(b"@BAD@", address().encode()))
            if end == "close":
                return c.close()
            if end == "reset":
                return c.reset()

    return script


class Pair:
    """One setup, running in both."""

    def __init__(self, setup, root):
        self.rooms = {"nginx": room_open(), "bifrons": room_open()}
        self.origin = Origin()
        self.bad = Origin(_bad(lambda: self.bad.address))
        self.ports = {"nginx": free_port(), "bifrons": free_port()}
        fixed = {"@ROOT@": str(root), "@ORIGIN@": self.origin.address, "@BAD@": self.bad.address,
                 "@DOWN@": f"127.0.0.1:{free_port()}", "@DOWN2@": f"127.0.0.1:{free_port()}"}
        texts = {}
        for who, port in self.ports.items():
            text = LOG + TYPES + f"access_log {self.rooms[who]}/diff.log diff;\n" + setup.config
            for mark, value in {**fixed, "@LISTEN@": f"127.0.0.1:{port}",
                                "@LOG@": f"{self.rooms[who]}/diff.log"}.items():
                text = text.replace(mark, value)
            texts[who] = text
        self.nginx = self.proxy = None
        try:
            self.nginx = Nginx(self.rooms["nginx"], texts["nginx"], [self.ports["nginx"]])
            if os.environ.get("DIFF_AGAINST") == "nginx":  # proves the harness: no difference may be found
                self.proxy = Nginx(self.rooms["bifrons"], texts["bifrons"], [self.ports["bifrons"]])
            else:
                self.proxy = Proxy(self.rooms["bifrons"], "http {\n" + texts["bifrons"] + "\n}\n", listeners=1)
        except BaseException:
            self.close()
            raise

    def log(self, who):
        path = self.rooms[who] / "diff.log"
        return path.read_text(errors="backslashreplace").splitlines() if path.exists() else []

    def close(self):
        self.origin.close()
        self.bad.close()
        try:
            if self.nginx:
                self.nginx.stop()
            if self.proxy:
                self.proxy.stop()
        finally:
            for room in self.rooms.values():
                room_close(room)
