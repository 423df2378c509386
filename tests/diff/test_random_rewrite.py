"""Rewrite directives put together by chance, in both. A seed makes one configuration of many locations; each is asked
in several ways. What differs on purpose cannot be made from these pieces."""
import random

import pytest

from cases import Setup
from pair import Pair, make_files
from support.room import room_close, room_open
from support.wire import Client, request

LOCATIONS = 40
VARIABLES = ["$1", "$2", "${uri}", "${args}", "${arg_a}", "${v}", "${w}", "${n}", "${is_args}", "${request_uri}", "${http_x}"]
LITERALS = ["x", "-", "/", "?", "&", "=", "a<b", "%20", "%41", "+", "a.", "\u00e9"]
EXPRESSIONS = [r"^/\d+/(.*)$", r"^/\d+/(?<n>[^/]*)(.*)$", "(.)(.)$", "^", "x", "[b-z]+", "zzz", r"^/(\d+)/", "(a)|(b)",
               r"/\d+/(.)?(q)?"]
TARGETS = ["", "x", "a%20b", "ab?a=file.txt", "q%3Fz%26?a=dir&b=%20", "a+b?a=x", "a&b;c?", "%C3%A9/x?a=0", "b/./c//d?z"]
SHOW = 'return 200 "$uri|$args|$1|$2|$v|$w|$n";'


def text(chance, longest):
    return "".join(chance.choice(VARIABLES + LITERALS) for _ in range(chance.randint(0, longest)))


def condition(chance):
    variable = chance.choice(["$arg_a", "$uri", "$v", "$w", "$n", "$http_x", "$args"])
    kind = chance.choice(["true", "equal", "match", "match", "file"])
    if kind == "true":
        return f"({variable})"
    if kind == "equal":
        return f'({variable} {chance.choice(["=", "!="])} "{text(chance, 2)}")'
    if kind == "match":
        return f'({variable} {chance.choice(["~", "~*", "!~", "!~*"])} "{chance.choice(EXPRESSIONS)}")'
    name = chance.choice(["file.txt", "dir", "$arg_a", "$1", "none"])
    return f'({chance.choice(["-f", "-d", "-e", "-x", "!-f", "!-e"])} "$document_root/{name}")'


def rewrite(chance, number):
    path = chance.choice(["/e/", f"/{number}/", "/dir/", "http://h/", "$scheme://h/", "/"]) + text(chance, 4)
    args = chance.choice(["", "", "?", "?a=$1", "?" + text(chance, 2)])
    flag = chance.choice(["", "", "last", "break", "redirect", "permanent"])
    return f'rewrite "{chance.choice(EXPRESSIONS)}" "{path}{args}" {flag};'


def block(chance, number):
    lines = " ".join(line(chance, number, inner=True) for _ in range(chance.randint(0, 3)))
    return f'if {condition(chance)} {{ {lines} {chance.choice(["add_header X-I i$v;", "", ""])} }}'


def line(chance, number, inner=False):
    kind = chance.choice(["rewrite"] * 4 + ["set"] * 3 + ["if"] * 3 + ["end", "nothing"])
    if kind == "rewrite":
        return rewrite(chance, number)
    if kind == "set":
        return f'set {chance.choice(["$v", "$w", "$v", "$args"])} "{text(chance, 3)}";'
    if kind == "if" and not inner:
        return block(chance, number)
    if kind == "end":
        return chance.choice(["break;", "set $v $1;", 'return 200 "early $uri|$1|$v";', 'return 302 "/r$arg_a";'])
    return ""


def configuration(seed):
    chance = random.Random(seed)
    ends = [SHOW, SHOW, SHOW, "proxy_pass http://@ORIGIN@;", "proxy_pass http://@ORIGIN@/up/;", ""]
    locations = []
    for number in range(LOCATIONS):
        lines = [line(chance, number) for _ in range(chance.randint(1, 6))] + [chance.choice(ends)]
        locations.append(f"location /{number}/ {{ {' '.join(lines)} }}")
    return """
uninitialized_variable_warn off;
server {
    listen @LISTEN@; server_name a; default_type text/plain; root @ROOT@; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $proxy_host;
    if ($arg_never ~ (?<n>.)) { set $v never; set $w never; }
    location /e/ { %s }
    %s
}
""" % (SHOW, "\n".join(locations))


def answer(pair, who, target):
    """Status, redirect, body unless it is a page, and what the origin was asked."""
    before = len(pair.origin.requests)
    with Client(("127.0.0.1", pair.ports[who]), timeout=5) as c:
        c.send(request("GET", target, "a", "X: h%41+v"))
        r = c.response("GET")
    named = [v.replace(str(pair.ports[who]), "PORT") for n, v in r.fields if n.lower() in ("location", "x-i")]
    return r.status, named, b"" if b"<hr>" in r.body else r.body, [q.head for q in pair.origin.requests[before:]]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_makes_no_difference(seed):
    config, root = configuration(seed), room_open()
    make_files(root)
    pair = Pair(Setup("random", config), root)
    try:
        for number in range(LOCATIONS):
            for target in (f"/{number}/{rest}" for rest in TARGETS):
                ours, theirs = answer(pair, "bifrons", target), answer(pair, "nginx", target)
                block_text = next(l for l in config.splitlines() if f"location /{number}/ " in l)
                assert ours == theirs, f"{target}:\n  ours  {ours}\n  nginx {theirs}\n{block_text}"
    finally:
        pair.close()
        root.joinpath("secret.txt").chmod(0o644)
        room_close(root)
