"""The same configuration and the same request bytes against Debian's nginx and against us: status, head field by
field, body, end of the connection, access log line, and what the origin saw. What differs on purpose stands in
intended.py and in doc/differences.md; a difference that is written there and not found is a failure too."""
import gzip
import re
from pathlib import Path

import pytest

from cases import SETUPS
from intended import INTENDED
from pair import DATE, MTIME
from support.proxy import ROOT
from support.waiting import eventually
from support.wire import Client

FILE_SIZES = {"digits.txt": 10}


def unpacked(response):
    """What was compressed is compared as it was before."""
    if response.get("Content-Encoding") == "gzip" and response.body[:2] == b"\x1f\x8b":
        response.body = gzip.decompress(response.body)
    return response


def answers(pair, who, case):
    """Everything that one of them makes of the case, normalised."""
    data = case.data.replace(b"@DATE@", DATE.encode())
    for name, size in FILE_SIZES.items():
        data = data.replace(b"@ETAG:%s@" % name.encode(), b'"%x-%x"' % (MTIME, size))
    data = data.replace(b"@ETAG@", b"x")
    before = {"log": len(pair.log(who)), "origin": len(pair.origin.requests), "bad": len(pair.bad.requests)}
    said = []
    with Client(("127.0.0.1", pair.ports[who]), timeout=2.5) as c:
        c.send(data)
        if case.finish:
            c.finish()
        for method in case.methods:
            try:
                said.append(unpacked(c.response(method)))
            except AssertionError as fault:
                said.append(f"{type(fault).__name__} {c.buffer[:200]!r}")
                break
            except TimeoutError:
                said.append(f"silence after {c.buffer[:200]!r}")
                break
        closes = not said or isinstance(said[-1], str) or said[-1].closes
        if closes:
            c.socket.settimeout(2.5)
            try:
                left = c.take_all()
            except TimeoutError:
                closes, left = False, c.buffer
            said += [f"then {left!r}"] if left else []
    seen = pair.origin.requests[before["origin"] :] + pair.bad.requests[before["bad"] :]
    expected_lines = case.lines if case.lines >= 0 else len([r for r in said if not isinstance(r, str)])
    try:
        eventually(lambda: len(pair.log(who)) >= before["log"] + expected_lines, "", 2)
    except AssertionError:
        pass
    lines = [normal(pair, who, l) for l in pair.log(who)[before["log"] :]]
    return {"said": said, "closes": closes, "seen": seen, "log": [log_line(l, said) for l in lines]}


def signature(response):
    """How many bytes of the answer are the name of the program: pages end with it."""
    name = response.get("Server", "")
    page = f"<hr><center>{name}</center>".encode()
    head = not response.body and response.status >= 300 and response.get("Content-Type") == "text/html"
    return len(name) if page in response.body or head else 0


def log_line(line, said):
    """Without the length of our name; of a head that was refused only what the client sees."""
    status, size, rest = line.split(" ", 2)
    response = next((r for r in said if not isinstance(r, str) and str(r.status) == status), None)
    if response and response.get("Content-Encoding") == "gzip":
        size = "PACKED"  # chunks are cut where each one's buffers end
    elif response and int(size):
        size = int(size) - signature(response)
    if status in ("400", "405", "414", "417", "501", "505") and rest.startswith('"'):
        rest = rest[: rest.rindex('"', 0, rest.index('" ', 1) + 1) + 1]
    return f"{status} {size} {rest}"


def normal(pair, who, text):
    text = text.replace(str(pair.ports[who]), "PORT")
    return re.sub(r"(nginx|bifrons)(/[0-9][0-9.a-z-]*)?", lambda m: "SERVER/VERSION" if m[2] else "SERVER", text)


def fields(pair, who, response):
    found = []
    for name, value in response.fields:
        if name.lower() == "date":
            assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value), value
            value = "DATE"
        if name.lower() == "content-length":
            value = str(int(value) - signature(response))
        found.append((name, normal(pair, who, value)))
    return found


def compare(pair, ours, theirs):
    """{aspect: (ours, nginx's)} of all that differs."""
    found = {}

    def check(aspect, a, b):
        if a != b:
            found[aspect] = (a, b)

    check("answers", len(ours["said"]), len(theirs["said"]))
    check("closes", ours["closes"], theirs["closes"])
    for a, b in zip(ours["said"], theirs["said"]):
        if isinstance(a, str) or isinstance(b, str):
            check("answer", str(a) if isinstance(a, str) else a.status, str(b) if isinstance(b, str) else b.status)
            continue
        check("status", (a.status, a.reason), (b.status, b.reason))
        mine, other = fields(pair, "bifrons", a), fields(pair, "nginx", b)
        for name in dict.fromkeys(n.lower() for n, _ in mine + other):
            check(f"field {name}", [v for n, v in mine if n.lower() == name], [v for n, v in other if n.lower() == name])
        if sorted(mine) == sorted(other):
            check("order of fields", [n for n, _ in mine], [n for n, _ in other])
        check("body", normal(pair, "bifrons", a.body.decode("latin-1")), normal(pair, "nginx", b.body.decode("latin-1")))
    mine, other = ([(normal(pair, who, q.head.decode("latin-1")), q.body) for q in x["seen"]]
                   for who, x in (("bifrons", ours), ("nginx", theirs)))
    check("seen by the origin", *([(sorted(head.split("\r\n")), body) for head, body in all] for all in (mine, other)))
    if "seen by the origin" not in found:
        check("order of fields at the origin", mine, other)
    check("access log", ours["log"], theirs["log"])
    return found


CASES = [pytest.param(s, c, id=c.name) for s in SETUPS for c in s.cases]


@pytest.mark.parametrize("setup, case", CASES)
def test_same_as_nginx(pair_of, setup, case):
    pair = pair_of(setup)
    ours, theirs = answers(pair, "bifrons", case), answers(pair, "nginx", case)
    found = compare(pair, ours, theirs)
    intended = INTENDED.get(case.name, {})
    if isinstance(intended, str):
        assert set(found) & {"status", "answer", "answers"}, f"written as a difference, but equal: {found}"
        return
    unexpected = {k: v for k, v in found.items() if k not in intended}
    assert not unexpected, "\n".join(f"{k}:\n  ours   {v[0]!r}\n  nginx  {v[1]!r}" for k, v in unexpected.items())
    missing = set(intended) - set(found)
    assert not missing, f"written as a difference, but equal: {missing}"


def test_every_intended_difference_is_documented():
    table = Path(ROOT / "doc" / "differences.md").read_text()
    written = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")}
    named = set()
    for aspects in INTENDED.values():
        named |= {aspects} if isinstance(aspects, str) else set(aspects.values())
    assert named <= written, f"not in doc/differences.md: {sorted(named - written)}"


def test_every_intended_difference_belongs_to_a_case():
    assert set(INTENDED) <= {c.name for s in SETUPS for c in s.cases}
