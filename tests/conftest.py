"""Fixtures for all tests: the proxy that must stop cleanly, origins, certificates, a folder to work in."""
import os
import shutil
import sys

sys.dont_write_bytecode = True

import pytest  # noqa: E402

import support.proxy  # noqa: E402
from support.certs import Authority  # noqa: E402
from support.dns import NameServer  # noqa: E402
from support.origin import Origin  # noqa: E402
from support.proxy import Proxy  # noqa: E402
from support.room import room_close, room_open  # noqa: E402

# As nobody, without a capability that could be handed on.
ORDINARY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all")


@pytest.fixture
def room():
    path = room_open()
    yield path
    room_close(path)


@pytest.fixture
def origin():
    o = Origin()
    yield o
    o.close()
    assert not o.faults, o.faults


@pytest.fixture
def origins():
    """Makes as many as wanted: origins("a", "b")."""
    made = []

    def make(*names, script=None, **options):
        new = []
        for name in names:
            o = Origin(script, **options)
            o.name = name
            new.append(o)
        made.extend(new)
        return new

    yield make
    for o in made:
        o.close()
    assert not [f for o in made for f in o.faults]


@pytest.fixture
def names():
    """A name server: names.names["a.example"] = [["127.0.0.1"]]."""
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def start(room):
    """start(config) runs the binary; the end of the test asserts that nothing leaked and that it stops cleanly."""
    running = []

    def begin(config=None, **options):
        p = Proxy(room, config, **options)
        running.append(p)
        return p

    yield begin
    for o in Origin.live:
        o.drop()  # what the proxy keeps idle for them is no leak
    faults = []
    for p in running:
        try:
            if not p.stopped:
                p.settle()
                p.stop()
        except AssertionError as fault:
            faults.append(str(fault))
        finally:
            p.kill()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def authority():
    path = room_open()
    yield Authority(path)
    room_close(path)


@pytest.fixture
def ordinary(room, origin):
    """Runs it as an ordinary user, in a folder of that user's."""
    rooted = os.geteuid() == 0
    home, made = room / "home", []
    home.mkdir()
    shutil.copy(support.proxy.BIFRONS, room / "bifrons")
    (room / "bifrons").chmod(0o755)
    if rooted:
        os.chown(home, 65534, 65534)

    def begin(text, wrap=ORDINARY, **options):
        before, support.proxy.BIFRONS = support.proxy.BIFRONS, str(room / "bifrons")
        try:
            p = Proxy(home, text, wrap=wrap if rooted else (), **options)
        finally:
            support.proxy.BIFRONS = before
        made.append(p)
        return p

    yield begin
    origin.drop()
    for p in made:
        try:
            p.settle()
            p.stop()
        finally:
            p.kill()
