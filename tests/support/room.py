"""A folder of a test's own, which an unprivileged worker can enter too (pytest's tmp_path is 0700)."""
import os
import shutil
import tempfile
from pathlib import Path


def room_open():
    room = Path(tempfile.mkdtemp(prefix="bifrons-test-"))
    room.chmod(0o755)
    return room


def room_close(room):
    if "BIFRONS_KEEP_ROOMS" not in os.environ:
        shutil.rmtree(room, ignore_errors=True)
