"""The server from a request to the files: states, bounds, uploads, and what no request can reach."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from batch_parts import TINY, command, one_thread, picture
from server_parts import ASKED, serving, wait
from vid2three.lock import locked
from vid2three.server.guard import Rules
from vid2three.server.schemas import TEXTS, MakeSettings, ReconstructSettings
from vid2three.server.store import Store

psutil = pytest.importorskip("psutil", reason="no psutil: ray brings it")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A server that is never asked to make anything that is checked to its end."""
    with serving(tmp_path_factory.mktemp("work")) as found:
        yield found


@pytest.mark.slow
def test_a_prompt_with_a_picture_becomes_files_and_is_gone_when_deleted(tmp_path):
    picture(tmp_path / "disc.png")
    with serving(tmp_path / "work") as client:
        data = {"prompt": "a blue ball", "seed": "3", "preset": "draft", "settings": json.dumps(TINY)}
        files = {"image": ("../../evil.sh", (tmp_path / "disc.png").read_bytes(), "text/plain")}
        answer = client.post("/assets/from-image", data=data, files=files)
        assert answer.status_code == 202, answer.text
        name = answer.json()["id"]
        assert answer.headers["location"] == f"/assets/{name}"
        with client.stream("GET", f"/assets/{name}/events") as stream:
            told = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
        assert told[-1]["state"] == "done", told[-1]
        stages = {event["progress"]["stage"] for event in told if event["progress"]}
        assert {"generate", "fit", "mesh"} <= stages
        listed = {file["name"]: file for file in client.get(f"/assets/{name}/files").json()["files"]}
        assert {"mesh.glb", "splats.ply", "report.html", "views/000.png"} <= set(listed)
        for file in ("mesh.glb", "views/000.png"):
            got = client.get(f"/assets/{name}/files/{file}")
            assert hashlib.sha256(got.content).hexdigest() == listed[file]["sha256"]
        assert client.get(f"/assets/{name}/files/mesh.glb").headers["content-type"] == "model/gltf-binary"
        assert "sandbox" in client.get(f"/assets/{name}/files/viewer.html").headers["content-security-policy"]
        manifest = client.get(f"/assets/{name}/files/asset.json").json()
        assert manifest["seed"] == 3
        assert manifest["config"]["generate"]["image"] == f"{name}/upload.png"
        archive = zipfile.ZipFile(io.BytesIO(client.get(f"/assets/{name}/zip").content))
        assert archive.testzip() is None
        assert {entry.removeprefix(f"{name}/") for entry in archive.namelist()} == {*listed, "asset.json"}
        assert str(tmp_path) not in client.get(f"/assets/{name}").text + json.dumps(manifest)
        assert client.delete(f"/assets/{name}").status_code == 204
        assert client.get(f"/assets/{name}").status_code == 404
        assert list((tmp_path / "work").iterdir()) == []


def test_the_queue_is_bounded_and_what_waits_or_runs_can_be_stopped(tmp_path):
    slow = {**ASKED, "settings": {**TINY, "generate": {**TINY["generate"], "steps": 100}}}
    with serving(tmp_path, max_queue=2, max_assets=4) as client:
        running = client.post("/assets", json=slow).json()["id"]
        wait(client, running, "running")
        queued = [client.post("/assets", json=ASKED).json()["id"] for _ in range(2)]
        full = client.post("/assets", json=ASKED)
        assert full.status_code == 429
        assert full.headers["retry-after"] == "30"
        assert client.delete(f"/assets/{running}").status_code == 409
        assert client.get(f"/assets/{running}/zip").status_code == 409
        for name in (*queued, running):
            assert client.post(f"/assets/{name}/cancel").status_code == 202
        for name in (*queued, running):
            assert wait(client, name, "cancelled")["reason"] is None
        assert client.get("/health").json()["queued"] == 0
        last = client.post("/assets", json=ASKED).json()["id"]
        client.post(f"/assets/{last}/cancel")
        wait(client, last, "cancelled")
        assert client.post("/assets", json=ASKED).status_code == 507
        assert [asset["id"] for asset in client.get("/assets").json()["assets"]] == [last, *reversed(queued), running]
        assert client.delete(f"/assets/{queued[0]}").status_code == 204
        assert client.get("/assets?limit=1&offset=1").json()["total"] == 3


@pytest.mark.parametrize("name", [
    "../job.json", "..%2fjob.json", "%2e%2e/job.json", "/etc/passwd", "%2fetc%2fpasswd", "views/../../job.json",
    "link", "a%00b", "..\\job.json", "C:\\windows\\win.ini",
])  # fmt: skip
def test_only_files_that_the_run_lists_can_be_had(client, name):
    store: Store = client.desk.store
    asset = "0123456789abcdef"
    folder = store.run_folder(asset)
    if not folder.exists():
        folder.mkdir(parents=True)
        outside = store.folder.parent / "outside.txt"
        outside.write_text("secret")
        (folder / "link").symlink_to(outside)
        (folder / "plain.txt").write_text("plain")
        listed = {file: {} for file in ("link", "plain.txt", "../job.json", "/etc/passwd")}
        (folder / "asset.json").write_text(json.dumps({"schema": 1, "files": listed}))
        (folder.parent / "job.json").write_text("secret")
    assert store.file(asset, "plain.txt") == folder.resolve() / "plain.txt"
    client.desk._assets[asset] = next(iter(client.desk._assets.values()), None) or stored_of(asset)
    answer = client.get(f"/assets/{asset}/files/{name}")
    assert answer.status_code in (404, 422, 307), answer.text
    assert "secret" not in answer.text
    del client.desk._assets[asset]


def stored_of(name: str):
    from vid2three.server.store import Stored

    return Stored(name, "make", "a mug", 0, "draft", {}, state="done")


@pytest.mark.parametrize("name", ["0123", "..", "0123456789abcdeG", "%2e%2e%2f%2e%2e", "0123456789abcdef"])
def test_an_id_that_was_not_given_out_is_nobodys(client, name):
    for method, path in (("GET", ""), ("GET", "/files/mesh.glb"), ("GET", "/zip"), ("POST", "/cancel"), ("DELETE", "")):
        assert client.request(method, f"/assets/{name}{path}").status_code in (404, 405, 422)


@pytest.mark.parametrize(("change", "words"), [
    ({"prompt": ""}, "prompt"),
    ({"prompt": "x" * 1001}, "prompt"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"seed": "1"}, "seed"),
    ({"preset": "train-xs"}, "preset"),
    ({"image": "/etc/passwd"}, "image"),
    ({"settings": {"generate": {"image": "/etc/passwd"}}}, "image"),
    ({"settings": {"generate": {"model": "/tmp/evil.safetensors"}}}, "model"),
    ({"settings": {"backend": "nerfstudio"}}, "backend"),
    ({"settings": {"nerfstudio": {"arguments": "--x"}}}, "nerfstudio"),
    ({"settings": {"fit": {"num_splats": 10**9}}}, "num_splats"),
    ({"settings": {"fit": {"iterations": 1e3 + 0.5}}}, "iterations"),
    ({"settings": {"export": {"files": ["../mesh.obj"]}}}, "files"),
    ({"settings": {"generate": {"height": 100}}}, "16"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence_that_names_it(client, change, words):
    answer = client.post("/assets", json={**ASKED, **change})
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_no_setting_of_a_request_is_free_text_that_could_be_a_path():
    def texts(schema: dict, model, place: str = "") -> list[str]:
        found = []
        for name, value in schema["properties"].items():
            if "$ref" in value:
                inner = model["$defs"][value["$ref"].rpartition("/")[2]]
                found += texts(inner, model, f"{place}{name}.")
            elif value.get("type") == "string" and "enum" not in value:
                found.append(f"{place}{name}")
        return found

    for kind in (MakeSettings, ReconstructSettings):
        whole = kind.model_json_schema()
        assert set(texts(whole, whole)) <= set(TEXTS)
        assert "poses.matcher" not in json.dumps(whole)


def test_uploads_are_known_by_their_bytes_and_leave_nothing_behind(client):
    before = set(client.desk.store.folder.iterdir())
    for path, field, data in (
        ("from-image", "image", b"#!/bin/sh\n"),
        ("from-image", "image", b""),
        ("from-video", "video", b"#EXTM3U\nfile:///etc/passwd\n"),
        ("from-video", "video", b"\x89PNG\r\n\x1a\n"),
    ):
        answer = client.post(f"/assets/{path}", data={"prompt": "a mug"}, files={field: ("a.png", data, "image/png")})
        assert answer.status_code == 415, answer.text
    broken = {"video": ("a.mp4", b"\0\0\0\x20ftypisom" + bytes(100), "video/mp4")}
    answer = client.post("/assets/from-video", files=broken)
    assert answer.status_code == 422, answer.text
    assert str(client.desk.store.folder) not in answer.text
    assert set(client.desk.store.folder.iterdir()) == before


def test_names_and_origins_of_others_are_turned_away(client):
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""):
        assert client.get("/health", headers={"Host": host}).status_code == 403
    for host in ("localhost:8321", "127.0.0.1", "[::1]:8321", "LOCALHOST"):
        assert client.get("/health", headers={"Host": host}).status_code == 200
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9999"):
        assert client.post("/assets", json=ASKED, headers={"Origin": origin}).status_code == 403
    own = client.get("/health", headers={"Origin": "http://127.0.0.1"})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers
    assert own.headers["x-content-type-options"] == "nosniff"
    as_form = client.post("/assets", content=json.dumps(ASKED), headers={"Content-Type": "text/plain"})
    assert as_form.status_code == 422  # what a page may send without leave is no JSON


def test_a_token_is_asked_for_everywhere_and_compared_whole(tmp_path):
    token = "s3cret-of-sixteen"
    with serving(tmp_path, Rules(token=token)) as client:
        for shown in (None, "Bearer ", f"Bearer {token}x", f"Bearer {token[:-1]}", f"Basic {token}", "Bearer \xe9"):
            headers = {} if shown is None else {"Authorization": shown.encode("latin-1")}
            for path in ("/health", "/openapi.json", "/assets", "/nowhere"):
                assert client.get(path, headers=headers).status_code == 401
        assert client.get("/health", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        schema = client.get("/openapi.json", headers={"Authorization": f"Bearer {token}"}).json()
        assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_too_much_is_turned_away_said_or_unsaid(tmp_path):
    rules = Rules(most_image_bytes=1000, most_json_bytes=500)
    with serving(tmp_path, rules) as client:
        assert client.post("/assets", content=b"x" * 501).status_code == 413
        chunks = (b"x" * 100 for _ in range(6))  # without a Content-Length
        answer = client.post("/assets", content=chunks, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413, answer.text
        large = {"image": ("a.png", b"\x89PNG" + bytes(70_000), "image/png")}
        assert client.post("/assets/from-image", data={"prompt": "a"}, files=large).status_code == 413


def ask(address: str, path: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen, str]:
    """Start `vid2three serve` and return it with its address."""
    code = f"import sys; sys.path[0] = {str(Path(__file__).parents[1])!r}; from vid2three.cli import main; main()"
    run = [sys.executable, "-c", code, "serve", "-o", str(folder), "--port", "0", "--threads", "1", *arguments]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=one_thread())
    return process, process.stdout.readline().partition("/openapi.json")[0]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_was_stopped_or_killed_goes_on_with_its_assets(tmp_path, sent):
    process, address = start(tmp_path)
    names = [ask(address, "/assets", {**ASKED, "seed": seed})["id"] for seed in range(2)]
    while (ask(address, f"/assets/{names[0]}")["progress"] or {}).get("stage") != "fit":
        pass
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (143 if sent == signal.SIGTERM else -9), err
    assert "Traceback" not in err
    psutil.wait_procs(children, timeout=30)
    assert not any(psutil.pid_exists(child.pid) for child in children)
    assert len(children) == 1

    process, address = start(tmp_path)
    try:
        for name in names:
            while (found := ask(address, f"/assets/{name}"))["state"] in ("queued", "running"):
                pass
            assert (found["state"], found["restarts"]) == ("done", 1)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_two_servers_do_not_share_a_folder(tmp_path):
    with locked(tmp_path):
        ended = command("serve", "-o", str(tmp_path), "--port", "0")
    assert ended.returncode == 2
    assert "has been working in" in ended.stderr


@pytest.mark.parametrize(("arguments", "told"), [
    (["--host", "0.0.0.0"], "add --token-file"),
    (["--token-file", "short.txt"], "can be guessed"),
    (["--host", "0.0.0.0", "--token-file", "long.txt"], "--allowed-hosts"),
    (["--port", "70000"], "--port must lie"),
    (["--token-file", "none.txt"], "There is no file none.txt"),
])  # fmt: skip
def test_a_server_that_would_be_open_is_not_opened(tmp_path, arguments, told):
    (tmp_path / "short.txt").write_text("abc")
    (tmp_path / "long.txt").write_text("a" * 40)
    ended = command("serve", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "a" * 40 not in ended.stderr
