"""viewer.html as text: the template, the style, the script, and an asset as JSON that nothing can break out of."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from html import escape
from pathlib import Path
from typing import Any

from vid2three import __version__

HERE = Path(__file__).parent
SERVER = "'self' "  # in a policy: where the page came from
PARTS = ("page.html", "viewer.css", "viewer.js")


def page(asset: dict[str, Any], *, live: bool = False) -> str:
    """Return the page of an asset, as `vid2three.viewer.asset` makes it.

    A policy in its head lets nothing but the page's own script run and nothing be fetched, whatever an asset holds;
    a `live` page may ask the server that it came from.
    """
    template, style, script = (_part(name) for name in PARTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {SERVER if live else ''}data: blob:"
    )
    filled = {
        "policy": escape(policy, quote=True),
        "generator": f"vid2three {__version__}",
        "title": escape(asset["title"]),
        "style": style,
        "asset": as_json(asset | {"live": live}),
        "script": script,
    }
    before, *others = template.split("{{")
    return before + "".join(filled[name] + rest for name, rest in (other.split("}}", 1) for other in others))


def as_json(value: Any) -> str:
    """Return JSON that may lie inside a script element: no character of it is one of HTML's own."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def bundle_digest() -> str:
    """Return the SHA-256 of all that a page is made of beside its asset."""
    return hashlib.sha256("".join(_part(name) for name in PARTS).encode()).hexdigest()


def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
