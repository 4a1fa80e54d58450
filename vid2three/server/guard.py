"""What stands before every request: who may ask, by which name, and how much they may send.

A page of somebody else's in the user's browser can reach 127.0.0.1: by a name of its own that leads there (DNS
rebinding), or by a form that needs no leave. The names of the Host and the Origin header give both away.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from vid2three.server.run import LOOPBACK

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True)
class Rules:
    """Who may ask for what."""

    hosts: tuple[str, ...] = LOOPBACK
    """Names under which the server may be called."""
    token: str | None = None
    """What each request must show as `Authorization: Bearer`."""
    most_image_bytes: int = 20 * 2**20
    most_video_bytes: int = 300 * 2**20
    most_json_bytes: int = 64 * 2**10

    def most_bytes(self, path: str) -> int:
        """Return how many bytes a request to a path may hold; forms add a little to what they carry."""
        form = 2**16
        if path.endswith("/from-video"):
            return self.most_video_bytes + form
        return self.most_image_bytes + form if path.endswith("/from-image") else self.most_json_bytes


class Guard:
    """Middleware (ASGI) that turns away what the rules do not let in."""

    def __init__(self, app: App, rules: Rules):
        self.app, self.rules = app, rules

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        most = self.rules.most_bytes(scope["path"])
        problem = self._problem(headers, most)
        if problem is not None:
            code, sentence = problem
            extra = {"WWW-Authenticate": "Bearer"} if code == 401 else None
            return await JSONResponse({"detail": sentence}, code, extra)(scope, receive, _with_headers(send))  # type: ignore[arg-type]
        await self.app(scope, _limited(receive, most), _with_headers(send))

    def _problem(self, headers: dict[str, str], most: int) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _name(host) not in self.rules.hosts:
            return 403, "This server is not called by that name (Host header)."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "Pages of other sites may not ask (Origin header)."
        if self.rules.token is not None:
            shown = headers.get("authorization", "").partition(" ")
            is_right = hmac.compare_digest(shown[2].strip().encode(), self.rules.token.encode())
            if shown[0].lower() != "bearer" or not is_right:
                return 401, "Show the token as 'Authorization: Bearer TOKEN'."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            return 413, f"The request holds more than {most} bytes."
        return None


def _name(host: str) -> str:
    """Return the name of a Host header without its port; IPv6 stands in brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _limited(receive: Receive, most: int) -> Receive:
    """Count what comes, as a request in chunks says no length."""
    left = most

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"The request holds more than {most} bytes.")
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sent
