"""One pair of proxies for each setup, started at its first use."""
import pytest

import cases_rewrite  # noqa: F401, adds its setups
from cases import SETUPS
from pair import Pair, make_files
from support.room import room_close, room_open


@pytest.fixture(scope="session")
def pair_of():
    """pair_of(setup)"""
    root = room_open()
    make_files(root)
    pairs, broken = {}, {}

    def start(setup):
        if setup.name in broken:
            raise AssertionError(broken[setup.name])
        if setup.name not in pairs:
            try:
                pairs[setup.name] = Pair(setup, root)
            except AssertionError as fault:
                broken[setup.name] = str(fault)
                raise
        return pairs[setup.name]

    yield start
    faults = []
    for pair in pairs.values():
        try:
            pair.close()
        except AssertionError as fault:
            faults.append(str(fault))
    root.joinpath("secret.txt").chmod(0o644)
    room_close(root)
    assert not faults, "\n".join(faults)


assert len({c.name for s in SETUPS for c in s.cases}) == sum(len(s.cases) for s in SETUPS), "two cases of one name"
