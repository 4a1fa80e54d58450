"""`vid2three view`: serves a run's own files on the loopback and no others, and follows a run as it goes on."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from subjects import mug, orbit_views, surface_splats
from vid2three.capture import save_views
from vid2three.cli import parse
from vid2three.formats import MESH_SAVERS, SPLAT_SAVERS
from vid2three.formats.glb import save_mesh
from vid2three.formats.ply import save_splats
from vid2three.run import Run, StageFiles, open_run
from vid2three.viewer.page import page
from vid2three.viewer.serve import address, file_asset, open_server

SPLATS = (".ply", ".splat")
CONFIG = {"fit": {"antialiased": False, "primitive": "3dgs"}}


def do(run: Run, name: str, work) -> None:
    run.stage(name, {}, [], work)


def started(folder: Path) -> Run:
    """A run that has its views and nothing more."""
    arguments = {"command": "reconstruct", "input": {"name": "mug", "sha256": "ab"}, "seed": 3, "config": CONFIG}
    facts = {"name": "mug", "versions": {"vid2three": "0.1.0"}, "provenance": {"ai_generated": False, "statement": ""}}
    run = open_run(folder, arguments, facts)
    do(run, "views", lambda files: save_views(files, orbit_views(mug(), 4), "z up"))
    return run


def fitted(run: Run) -> Run:
    def splats(files: StageFiles) -> None:
        with files.file("splats.ply", num_splats=300) as path:
            save_splats(path, surface_splats(mug(), 300))

    def mesh(files: StageFiles) -> None:
        facts = {"num_faces": len(mug().faces), "world_from_file": np.eye(4).tolist()}
        with files.file("mesh.glb", **facts) as path:
            save_mesh(path, mug())

    do(run, "fit", splats)
    do(run, "mesh", mesh)
    return run


def finished(run: Run) -> Run:
    def pages(files: StageFiles) -> None:
        for name in ("viewer.html", "report.html"):
            with files.file(name) as path:
                path.write_text(f"the finished {name}")

    do(run, "viewer", pages)
    return run


@contextlib.contextmanager
def serving(*arguments, **options):
    with open_server(*arguments, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield lambda path, **headers: asked(server.server_port, path, headers), server
        finally:
            server.shutdown()
            thread.join()


def asked(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def held(body: bytes) -> dict:
    """The asset inside a page."""
    return json.loads(re.search(r'id="asset">(.*?)</script>', body.decode(), re.DOTALL).group(1))


def test_a_run_folder_gives_its_own_files_and_nothing_else(tmp_path):
    run = finished(fitted(started(tmp_path / "run")))
    (tmp_path / "secret.txt").write_text("secret")
    (run.folder / "notes.txt").write_text("not of the run")
    (run.folder / "turntable.mp4").symlink_to(tmp_path / "secret.txt")
    run.manifest["files"]["turntable.mp4"] = {"sha256": "", "bytes": 0}
    run.manifest["files"]["../secret.txt"] = {"sha256": "", "bytes": 0}
    run.save()
    with serving(run.folder) as (ask, server):
        assert server.server_address[0] == "127.0.0.1"
        assert ask("/viewer.html") == (200, b"the finished viewer.html")
        assert ask("/mesh.glb") == (200, (run.folder / "mesh.glb").read_bytes())
        assert ask("/asset.json")[0] == 200
        for path in ("/notes.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/turntable.mp4", "/views", "//etc/passwd"):
            assert ask(path)[0] == 404, path
        assert ask("/")[0] == 302
        assert ask("/viewer.html", Host="evil.example")[0] == 403


def test_an_older_run_without_a_page_gets_one(tmp_path):
    run = fitted(started(tmp_path / "run"))
    before = sorted(run.folder.iterdir())
    with serving(run.folder) as (ask, _):
        asset = held(ask("/viewer.html")[1])
    assert asset["splats"]["count"] == 300
    assert len(asset["cameras"]["frames"]) == 4
    assert sorted(run.folder.iterdir()) == before


def test_live_shows_what_there_is_and_ends_with_the_finished_page(tmp_path):
    run = started(tmp_path / "run")
    with serving(run.folder, live=True) as (ask, _):
        first = held(ask("/viewer.html")[1])
        assert first["live"]
        assert "splats" not in first
        assert len(first["cameras"]["frames"]) == 4
        before = json.loads(ask("/state.json")[1])
        assert "views" in before["status"]
        fitted(run)
        after = json.loads(ask("/state.json")[1])
        assert after["version"] != before["version"]
        assert json.loads(ask("/asset-now.json")[1])["splats"]["count"] == 300
        assert not after["isFinished"]
        finished(run)
        assert json.loads(ask("/state.json")[1])["isFinished"]
        assert ask("/viewer.html")[1] == b"the finished viewer.html"


def test_a_live_page_takes_splats_in_and_then_gives_way(browser, tmp_path):
    run = started(tmp_path / "run")
    with serving(run.folder, live=True) as (_, server):
        shown = browser.new_page(viewport={"width": 500, "height": 400})
        complaints = []
        shown.on("console", lambda message: complaints.append(message.text))
        shown.goto(address(server))
        shown.wait_for_selector("#notice:has-text('views')", timeout=30_000)
        fitted(run)
        shown.wait_for_selector("#what", timeout=30_000)
        assert complaints == []
        finished(run)
        shown.wait_for_selector("body:has-text('the finished')", timeout=30_000)
        shown.close()


@pytest.mark.parametrize("name", ["mug.ply", "mug.splat", "mug.glb", "mug.stl"])
def test_a_file_alone_is_served_as_a_page(tmp_path, name):
    path = tmp_path / name
    savers, content = (SPLAT_SAVERS, surface_splats(mug(), 300)) if path.suffix in SPLATS else (MESH_SAVERS, mug())
    savers[path.suffix](path, content, **({"antialiased": True} if name == "mug.ply" else {}))
    with serving(path) as (ask, _):
        status, body = ask("/viewer.html")
        assert ask(f"/{name}")[0] == 404
    assert status == 200
    asset = held(body)
    assert asset["title"] == name
    assert ("splats" in asset, "mesh" in asset) == (path.suffix in SPLATS, path.suffix not in SPLATS)
    if name == "mug.ply":
        assert asset["splats"]["antialiased"]


def test_splats_of_other_tools_are_drawn_as_those_draw_them(tmp_path):
    save_splats(tmp_path / "ours.ply", surface_splats(mug(), 50))
    data = (tmp_path / "ours.ply").read_bytes()
    (tmp_path / "theirs.ply").write_bytes(data.replace(b"Generated by vid2three", b"Generated by another12"))
    assert file_asset(tmp_path / "ours.ply")["splats"]["lowPass"] == 0.1
    assert file_asset(tmp_path / "theirs.ply")["splats"]["lowPass"] == 0.3
    assert "</html>" in page(file_asset(tmp_path / "theirs.ply"))


def test_what_cannot_be_shown_says_why(tmp_path):
    for name, content in (("a.txt", b"x"), ("a.glb", b"no glb"), ("a.ply", b"no ply")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            open_server(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="There is no"):
        open_server(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no run folder"):
        open_server(tmp_path)
    run = started(tmp_path / "run")
    with pytest.raises(ValueError, match="--live"):
        open_server(run.folder)
    with pytest.raises(ValueError, match="Port"):
        open_server(run.folder, live=True, port=99999)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise there")
def test_the_command_prints_its_address_and_ends_quietly(tmp_path, root):
    path = tmp_path / "mug.glb"
    save_mesh(path, mug())
    words = [sys.executable, "-m", "vid2three.cli", "view", str(path), "--no-open"]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            port = int(re.match(r"http://127\.0\.0\.1:(\d+)/viewer\.html", line).group(1))
            assert asked(port, "/viewer.html", {})[0] == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()  # where the tests run with SIGINT ignored, it would stay


def test_the_command_line_knows_the_flags():
    command = parse(["view", "chest", "--live", "--port", "8123", "--no-open"])
    assert (str(command.path), command.live, command.port, command.no_open) == ("chest", True, 8123, True)
