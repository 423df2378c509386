"""The language itself, judged by Debian's nginx and by us: the same file, `-t`, and the first error with its line.
What differs on purpose has its own words in OURS."""
import re
import subprocess

import pytest

from support.nginx import NGINX
from support.proxy import run

HTTP = "events { }\nhttp {\n%s\n}\n"
SERVER = HTTP % "server {\nlisten 127.0.0.1:@PORT@;\n%s\n}"
LOCATION = SERVER % "location / {\n%s\n}"


def h(text):
    return HTTP % text


def s(text):
    return SERVER % text


def l(text):
    return LOCATION % text


# name: text. Each file is good or bad for both, in the same words, in the same line.
SAME = {
    # tokens
    "all white space": s("root\t/x\r\n;"),
    "no space before an end": s("root /x;index a;"),
    "a closing bracket in a token": s("root /x}y;"),
    "an opening bracket in a token": s("root /x{y;"),
    "a bracket after a dollar": s('return 200 "${uri}x";'),
    "a comment": s("root /x; # root /y;"),
    "a hash in a token": s("root /x#y;"),
    "a hash after words": s("root # /a\n/x;"),
    "quotes of both kinds": s("root '/x'; index \"a b\" 'c\"d';"),
    "a quote in a token": s("root /x\"y;"),
    "an empty word": s('server_name "";'),
    "a line end in quotes": s('return 200 "a\nb";\nnosuch;'),
    "what follows a quote": s('root "/x"y;'),
    "a bracket follows a quote": s('if ($uri = "/x"){ return 404; }'),
    "a block follows a quote": s('location "/x"{ }'),
    "a parenthesis follows a quote": s('if ($uri = "/x") { return 404; }'),
    "an escaped space": s("root /x\\ y;"),
    "an escaped semicolon": s("root /x\\;y;"),
    "an escaped bracket": s("root /x\\{y;"),
    "a long word": s("root /" + "x" * 4000 + ";"),
    "a word too long": s("index " + "y" * 5000 + ";"),
    "a quote too long": s('index "' + "y" * 5000 + '";'),
    "CRLF": s("root /x;\r\n# note\r\nindex a;\r\n"),
    "upper case": s("ROOT /x;"),
    "upper case values": s("etag ON;"),
    # shape
    "an end alone": s(";"),
    "two ends": s("root /x;;"),
    "a bracket alone": s("{ }"),
    "a bracket too many": s("}\n}\n}"),
    "no end": "events { }\nhttp {\nserver {\nroot /x",
    "no closing bracket": "events { }\nhttp {\nserver {\nlisten 127.0.0.1:@PORT@;\n",
    "no opening bracket": h("server;"),
    "a block that is none": s("root /x { }"),
    "an unknown directive": s("nosuch a;"),
    "an unknown block": s("nosuch a { b; }"),
    "not here": h("proxy_pass http://127.0.0.1;"),
    "a block not here": s("server { }"),
    "a location of no server": h("location / { }"),
    "an unclosed location": "events { }\nhttp {\nserver {\nlisten 127.0.0.1:@PORT@;\nlocation /a {\nroot /x;\nlocation /b { }\n}\n}\n",
    "an unclosed server": "events { }\nhttp {\nserver {\nlisten 127.0.0.1:@PORT@;\nserver {\nlisten 127.0.0.1:@PORT@;\n}\n}\n",
    "too few words": s("root;"),
    "too many words": s("root a b;"),
    "twice": s("root /x;\nroot /y;"),
    "root and alias": l("root /x;\nalias /y;"),
    "a missing end": s("root /x\nindex a;"),
    # values
    "on and off": s("etag on;") ,
    "yes": s("etag yes;"),
    "a size": s("client_max_body_size 1m; client_body_buffer_size 8K;"),
    "a size with g": s("client_body_buffer_size 1g;"),
    "an offset with g": s("client_max_body_size 1G;"),
    "a size of letters": s("client_body_buffer_size k;"),
    "a negative size": s("client_body_buffer_size -1;"),
    "a huge size": s("client_body_buffer_size 99999999999999999999;"),
    "a huge size by its unit": s("client_body_buffer_size 9223372036854775807k;"),
    "a size with a space": s('client_body_buffer_size "8 k";'),
    "a time": s("send_timeout 1h30m;"),
    "a time with spaces": s('send_timeout "1h 30m";'),
    "a time upside down": s("send_timeout 30m1h;"),
    "a unit twice": s("send_timeout 1m1m;"),
    "milliseconds": s("send_timeout 1s500ms;"),
    "milliseconds of whole seconds": s("open_file_cache_valid 500ms;"),
    "years": s("send_timeout 1y;"),
    "years of whole seconds": s("open_file_cache_valid 1y1M1w1d;"),
    "a time of letters": s("send_timeout abc;"),
    "a time with a fraction": s("send_timeout 1.5s;"),
    "a huge time": s("send_timeout 99999999999999999999s;"),
    "a number": s("keepalive_requests 10;"),
    "a number with a unit": s("keepalive_requests 10k;"),
    "a choice": s("if_modified_since before;"),
    "no such choice": s("if_modified_since never;"),
    "buffers": l("proxy_buffers 4 8k;"),
    "buffers of none": l("proxy_buffers 0 8k;"),
    "one word of two": l("proxy_buffers 4;"),
    # variables
    "an unknown variable": s("return 200 $nosuch;"),
    "a variable in brackets without an end": s('return 200 "${uri";'),
    "a variable without a name": s('return 200 "$;";'),
    "a variable in upper case": s("return 200 $URI;"),
    "captures": s("location ~ ^/(a)$ { return 200 $1; }"),
    # include
    "a file that is not there": s("include nosuch.conf;"),
    "a pattern without a match": s("include nosuch*.conf;"),
    "a pattern": s("include inc-[ab].conf;"),
    "an error in an included file": s("include bad.conf;"),
    "an included file without an end": s("include open.conf;"),
    "an included file that closes": s("include close.conf;\n"),
    "in a block of types": h("types { include types.inc; }"),
    "include with two words": s("include a b;"),
    "include without a word": s("include;"),
    "include as a block": s("include a { }"),
    # what refers to something
    "an unknown format": s("access_log x.log nosuch;"),
    "a duplicate upstream": h("upstream a { server 127.0.0.1:1; }\nupstream a { server 127.0.0.1:1; }"),
    "an empty upstream": h("upstream a { }"),
    "a duplicate location": s("location /a { }\nlocation /a { }"),
    "a location outside": s("location /a {\nlocation /b { }\n}"),
    "inside an exact one": s("location = /q {\nlocation /q/a { }\n}"),
    "a named one inside": s("location /a {\nlocation @b { }\n}"),
    "no such modifier": s("location ^ /a { }"),
    "a bad expression": s("location ~ (a { }"),
    "a code too large": s("return 1000;"),
    "a duplicate listen": s("listen 127.0.0.1:@PORT@;"),
    "two defaults": h("server { listen 127.0.0.1:@PORT@ default_server; }\nserver { listen 127.0.0.1:@PORT@ default_server; }"),
    "no certificate": h("server {\nlisten 127.0.0.1:@PORT@ ssl;\n}"),
    "an error after a good include": s("include inc-a.conf;\nnosuch;"),
    "allow with letters": s("allow nobody;"),
}

# What we say instead, and why.
OURS = {
    # the line of the mistake; the parser of NGINX stands at the end of what it has read
    "a missing end": 'invalid number of arguments in "root" directive in t.conf:5',
    # its line, too
    "an unknown variable": 'unknown "nosuch" variable in t.conf:5',
    # what was expected
    "allow with letters": 'invalid parameter "nobody": neither an address, nor a network, nor "all" in t.conf:5',
}


def judge(program, config, room):
    command = ["-t", "-c", str(config), "-p", str(room) + "/"]
    if program == "nginx":
        done = subprocess.run([NGINX, *command, "-e", "stderr", "-g", f"pid {room}/x.pid;"], capture_output=True, text=True, timeout=20)
    else:
        done = run(*command, "-e", "stderr")
    found = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*)", done.stderr)
    assert (found is None) == (done.returncode == 0), done
    return found.group(1).replace(f"{room}/", "") if found else "good"


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("name", SAME)
def test_both_judge_alike(room, name):
    files = {"inc-a.conf": "root /a;\n", "inc-b.conf": "index b;\n", "bad.conf": "index a;\nnosuch;\n",
             "open.conf": "location /x {\n", "close.conf": "root /x;\n}\n", "types.inc": "text/html html;\n"}
    for file, text in files.items():
        (room / file).write_text(text)
    (room / "logs").mkdir(exist_ok=True)
    config = room / "t.conf"
    config.write_text(SAME[name].replace("@PORT@", "18299"))
    theirs, ours = judge("nginx", config, room), judge("bifrons", config, room)
    assert ours == OURS.get(name, theirs), f"nginx: {theirs}"
