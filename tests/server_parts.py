"""What the tests of the server share: an application over a work folder, and requests to it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batch_parts import TINY

pytest.importorskip("fastapi", reason="no fastapi: pip install 'vid2three[serve]'")

from fastapi.testclient import TestClient

from vid2three.server.app import create_app
from vid2three.server.desk import Desk
from vid2three.server.guard import Rules

ENDED = ("done", "failed", "cancelled")
ASKED = {"prompt": "a red mug", "preset": "draft", "settings": TINY}


@contextmanager
def serving(
    folder: Path, rules: Rules | None = None, *, max_queue: int = 4, max_assets: int = 50
) -> Iterator[TestClient]:
    """A client of a server that runs until the block ends."""
    desk = Desk(folder, workers=1, threads=1, max_queue=max_queue, max_assets=max_assets)
    with TestClient(create_app(desk, rules or Rules()), base_url="http://127.0.0.1") as client:
        client.desk = desk
        yield client


def wait(client: TestClient, name: str, *states: str, seconds: float = 400) -> dict:
    """Return an asset as soon as it is in one of the states."""
    deadline = time.monotonic() + seconds
    while (found := client.get(f"/assets/{name}").json())["state"] not in states:
        assert time.monotonic() < deadline, found
        assert found["state"] not in ENDED, found
        time.sleep(0.1)
    return found
