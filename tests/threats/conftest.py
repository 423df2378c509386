"""One stage for a module; each case leaves it as it was."""
import pytest

from support.attack import Stage


@pytest.fixture(scope="module")
def reverse_stage():
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def forward_stage():
    stage = Stage("forward")
    yield stage
    stage.close()


@pytest.fixture
def stage(reverse_stage):
    reverse_stage.mark_logs()
    yield reverse_stage
    reverse_stage.settle()


@pytest.fixture
def forward(forward_stage):
    forward_stage.mark_logs()
    yield forward_stage
    forward_stage.settle()
