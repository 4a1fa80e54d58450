"""An asset.json alone makes the asset again, and nothing in it can do harm."""

import json
from pathlib import Path
from typing import Any

import pytest

from generator.config import GenerateConfig
from vid2three.pipeline import generate
from vid2three.remake import remake


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return generate("a red mug", tmp_path_factory.mktemp("old") / "mug", GenerateConfig(steps=2, num_frames=8)).folder


def changed(clip: Path, folder: Path, **entries: Any) -> Path:
    """Write an asset.json with some entries changed, alone in a folder."""
    folder.mkdir()
    manifest = json.loads((clip / "asset.json").read_text())
    (folder / "asset.json").write_text(json.dumps({**manifest, **entries}))
    return folder


def notes_of(asset: Path, output: Path, **options: Any) -> str:
    notes: list[str] = []
    remake(asset, output, progress=lambda stage, step, total, info: notes.extend(info.get("notes", ())), **options)
    return "\n".join(notes)


def test_the_manifest_alone_gives_the_same_bytes(clip, tmp_path):
    alone = changed(clip, tmp_path / "alone")
    assert "files are the same, byte for byte" in notes_of(alone / "asset.json", tmp_path / "new")
    names = json.loads((clip / "asset.json").read_text())["files"]
    assert len(names) > 8
    for name in names:
        assert (tmp_path / "new" / name).read_bytes() == (clip / name).read_bytes(), name


def test_what_differs_is_named_and_other_libraries_too(clip, tmp_path):
    manifest = json.loads((clip / "asset.json").read_text())
    files = {**manifest["files"], "orbit.mp4": {"sha256": "0"}}
    other = changed(clip, tmp_path / "other", files=files, versions={**manifest["versions"], "torch": "1.0"})
    notes = notes_of(other, tmp_path / "new")
    assert "Made with torch 1.0" in notes
    assert f"1 of {len(files)} files differ: orbit.mp4." in notes


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"command": "reconstruct"}, "needs its pictures"),
        ({"command": "rm"}, "needs its pictures"),
        ({"prompt": 3}, "no prompt and seed"),
        ({"seed": True}, "no prompt and seed"),
        ({"config": None}, "no settings"),
        ({"config": {"generate": {"stepz": 2}}}, "stepz"),
        ({"command": "make", "config": {"backend": "nerfstudio"}}, "fitted by nerfstudio"),
        ({"weights": {"name": "orbit-s", "sha256": "0"}}, "are not those that made the asset"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused_before_any_work(clip, tmp_path, entries, message):
    with pytest.raises(ValueError, match=message):
        remake(changed(clip, tmp_path / "bad", **entries), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_force_takes_other_weights(clip, tmp_path):
    asset = changed(clip, tmp_path / "other", weights={"name": "orbit-s", "sha256": "0"})
    assert "byte for byte" in notes_of(asset, tmp_path / "new", force=True)
