"""`vid2three serve`: the endpoint on a port of this machine."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vid2three.lock import locked
from vid2three.run import whole_file

GRACE_S = 3  # that answers under way have when the server stops
LEAST_TOKEN = 16
LOOPBACK = ("127.0.0.1", "localhost", "::1")  # names under which no other machine reaches us


@dataclass(frozen=True)
class Serve:
    """Where to listen, and how much to take."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8321
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    workers: int = 1
    threads: int | None = None
    max_queue: int = 32
    max_assets: int = 1000
    max_image_mb: int = 20
    max_video_mb: int = 300


def serve(asked: Serve, say: Callable[[str], None] = print) -> None:
    """Answer requests until a signal asks to stop; what runs then goes on at the next start.

    Raises ValueError or ImportError, with the cure, before anything is opened.
    """
    check(asked)
    try:
        import python_multipart  # noqa: F401  # by which FastAPI reads uploads
        import uvicorn

        from vid2three.server.app import create_app
    except ImportError:
        raise ImportError("serve needs FastAPI and uvicorn: pip install 'vid2three[serve]'.") from None
    from vid2three.server.desk import Desk
    from vid2three.server.guard import Rules

    with locked(asked.folder), _listening(asked) as listener:
        threads = asked.threads or max(1, (os.cpu_count() or 1) // asked.workers)
        desk = Desk(
            asked.folder,
            workers=asked.workers,
            threads=threads,
            max_queue=asked.max_queue,
            max_assets=asked.max_assets,
        )
        rules = Rules(
            hosts=tuple({*LOOPBACK, asked.host.lower(), *(name.lower() for name in asked.allowed_hosts)}),
            token=asked.token,
            most_image_bytes=asked.max_image_mb * 2**20,
            most_video_bytes=asked.max_video_mb * 2**20,
        )
        config = uvicorn.Config(
            create_app(desk, rules),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        host, port = listener.getsockname()[:2]
        say(f"http://{f'[{host}]' if ':' in host else host}:{port}/openapi.json  (Ctrl-C ends it)")
        uvicorn.Server(config).run(sockets=[listener])


def check(asked: Serve) -> None:
    """Raise ValueError where the server would be open to others, or nothing can come of it."""
    if asked.host not in LOOPBACK:
        if asked.token is None:
            raise ValueError(f"{asked.host} can be reached by others; add --token-file FILE, which each request shows.")
        if asked.host in ("0.0.0.0", "::") and not asked.allowed_hosts:
            raise ValueError(f"{asked.host} is no name to be called by; add --allowed-hosts NAME, one or more.")
    if asked.token is not None and len(asked.token) < LEAST_TOKEN:
        raise ValueError(f"A token of {len(asked.token)} characters can be guessed; take {LEAST_TOKEN} or more.")
    for name, value, most in (
        ("port", asked.port, 65535),
        ("workers", asked.workers, 64),
        ("max-queue", asked.max_queue, 10_000),
        ("max-assets", asked.max_assets, 100_000),
        ("max-image-mb", asked.max_image_mb, 1000),
        ("max-video-mb", asked.max_video_mb, 10_000),
    ):
        if not (0 if name == "port" else 1) <= value <= most:
            raise ValueError(f"--{name} must lie between 1 and {most}, not at {value}.")
    try:
        with whole_file(asked.folder / "probe") as path:
            path.touch()
        (asked.folder / "probe").unlink()
    except OSError as error:
        raise ValueError(f"Nothing can be written to {asked.folder} ({error.strerror}).") from None


@contextlib.contextmanager
def _listening(asked: Serve):
    family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((asked.host, asked.port))
            listener.listen(128)  # from here on requests wait for an answer
        except OSError as error:
            raise ValueError(
                f"Port {asked.port} of {asked.host} cannot be opened ({error.strerror}); --port 0 takes a free one."
            ) from None
        yield listener
