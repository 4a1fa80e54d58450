"""`vid2three view`: a page for a run folder or a file, served on this machine's loopback by the standard library.

Nothing outside the run's own files can be asked for, and nothing by another name than 127.0.0.1 or localhost, so that
no page of somebody else's can read along.
"""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import trimesh

from vid2three.formats import MESH_READERS, SPLAT_READERS, kind_of
from vid2three.formats.glb import save_mesh
from vid2three.run import MANIFEST, Run, load_run
from vid2three.viewer.asset import Things, Words, asset_json, run_asset
from vid2three.viewer.live import asset_now, state
from vid2three.viewer.page import as_json, page

PAGE = "/viewer.html"
HTML, JSON = "text/html; charset=utf-8", "application/json"
MOST_BYTES = 500 * 2**20  # of a file that is shown
PLAIN_LOW_PASS = 0.3  # px^2, as 3DGS draws splats of other tools

Answer = tuple[bytes, str]
Route = Callable[[], Answer]


def open_server(path: Path | str, *, live: bool = False, port: int = 0) -> ThreadingHTTPServer:
    """Return a server, not started yet, for a run folder or a file of splats or of a mesh.

    `port` 0 takes a free one; `address` tells. `live` follows a run that is still going on. Raises ValueError or
    FileNotFoundError with the cure.
    """
    path = Path(path)
    routes, folder = _routes(path, live)
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, routes, folder))
    except (OSError, OverflowError):
        raise ValueError(f"Port {port} cannot be opened; leave --port out to take a free one.") from None


def address(server: ThreadingHTTPServer) -> str:
    """Return where a browser finds the page."""
    return f"http://127.0.0.1:{server.server_port}{PAGE}"


def _routes(path: Path, live: bool) -> tuple[dict[str, Route], Path | None]:
    """Return what is answered beside files, and the run folder whose files may be asked for."""
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}; pass a run folder, or a file of splats or of a mesh.")
    if not path.is_dir():
        if live:
            raise ValueError("--live follows a run folder, not a file; leave it out.")
        return {PAGE: _fixed(page(file_asset(path)))}, None
    run = load_run(path)
    is_finished = {"splats.ply", "mesh.glb"} <= set(run.manifest["files"])
    if live and not state(run)["isFinished"]:
        return {
            PAGE: lambda: _following(path),
            "/state.json": lambda: (as_json(state(load_run(path))).encode(), JSON),
            "/asset-now.json": lambda: (as_json(asset_now(load_run(path))).encode(), JSON),
        }, path
    if run.path("viewer.html").is_file() and "viewer.html" in run.manifest["files"]:
        return {}, path
    if not is_finished:
        raise ValueError(f"{path} has no splats and mesh yet; add --live to follow a run, or run its command again.")
    return {PAGE: _fixed(page(run_asset(run)))}, path


def _following(path: Path) -> Answer:
    run = load_run(path)
    if state(run)["isFinished"]:
        return run.path("viewer.html").read_bytes(), HTML
    return page(asset_now(run), live=True).encode(), HTML


def file_asset(path: Path) -> dict[str, Any]:
    """Return one file of splats or of a mesh as a page shows it, in any format that is read here; ValueError else."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{path.name} holds {size / 2**20:.0f} MiB, too much for a browser; {MOST_BYTES // 2**20} go.")
    suffix = path.suffix.lower()
    if kind_of(path) == "mesh":
        glb = path.read_bytes() if suffix == ".glb" else _as_glb(MESH_READERS[suffix](path).mesh)
        return asset_json(Words(path.name), Things(glb=glb), is_bounded=False)
    found = SPLAT_READERS[suffix](path)
    if len(found.splats) == 0:
        raise ValueError(f"{path.name} holds no splats; there is nothing to show.")
    low_pass = Things.low_pass if found.generator.startswith("vid2three") else PLAIN_LOW_PASS
    words = Words(path.name, facts=[("splats", f"{len(found.splats):,}")])
    return asset_json(words, Things(found.splats, found.antialiased, low_pass), is_bounded=False)


def _as_glb(mesh: trimesh.Trimesh) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save_mesh(Path(folder) / "mesh.glb", mesh)
        return (Path(folder) / "mesh.glb").read_bytes()


def _fixed(text: str) -> Route:
    data = text.encode()
    return lambda: (data, HTML)


class _Handler(BaseHTTPRequestHandler):
    """Answers with what `routes` make, and with the files that the run in `folder` has written."""

    def __init__(self, routes: dict[str, Route], folder: Path | None, *rest: Any) -> None:
        self.routes, self.folder = routes, folder
        super().__init__(*rest)

    def do_GET(self) -> None:
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return self.send_error(403)
        wanted = unquote(urlsplit(self.path).path)
        if wanted == "/":
            self.send_response(302)
            self.send_header("Location", PAGE)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        try:
            answer = self.routes[wanted]() if wanted in self.routes else self._file(wanted.removeprefix("/"))
        except (OSError, ValueError, KeyError):  # a run that is being written
            return self.send_error(503)
        if answer is None:
            return self.send_error(404)
        body, kind = answer
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def _file(self, name: str) -> Answer | None:
        """Return a file that asset.json lists and that lies in the folder, whatever links or dots say."""
        if self.folder is None:
            return None
        run: Run = load_run(self.folder)
        place = run.path(name).resolve()
        if (name != MANIFEST and name not in run.manifest["files"]) or not place.is_relative_to(self.folder.resolve()):
            return None
        if not place.is_file():
            return None
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return place.read_bytes(), HTML if kind == "text/html" else kind

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""
