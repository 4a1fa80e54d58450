"""`edit` reads an asset, changes its clip, and makes all of it anew in a folder of its own."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from generator.config import DitConfig, EditConfig, GenerateConfig, VaeConfig
from generator.dit import OrbitDiT
from generator.sample import generate as generate_clip
from generator.vae import VideoAutoencoder
from generator.weights import save_model
from vid2three.cli import parse
from vid2three.config import MakeConfig, load_config
from vid2three.editing import edit, load_source
from vid2three.pipeline import generate
from vid2three.remake import remake
from vid2three.report import command
from vid2three.run import load_run

SMALL = EditConfig(steps=2)


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> GenerateConfig:
    torch.manual_seed(0)
    vae = VideoAutoencoder(VaeConfig(widths=(8, 16, 24), latent_channels=32))
    dit = OrbitDiT(DitConfig(width=64, depth=2, heads=2, mlp_hidden=64))
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, vae, dit, {"num_frames": 4, "size": 32})
    size = {"num_frames": 4, "height": 32, "width": 48}
    return GenerateConfig(model=str(path), steps=2, **size, fps=6, elevation_deg=20, refine=0, retry_below=0)


@pytest.fixture(scope="module")
def mug(config, tmp_path_factory) -> Path:
    return generate("a red mug", tmp_path_factory.mktemp("runs") / "mug", config, seed=5).folder


def changed(mug: Path, folder: Path, **entries) -> Path:
    """Copy a run folder with some entries of its asset.json changed."""
    shutil.copytree(mug, folder)
    manifest = json.loads((mug / "asset.json").read_text())
    (folder / "asset.json").write_text(json.dumps({**manifest, **entries}))
    return folder


def test_the_clip_of_an_asset_is_read_back(mug, config):
    read, made = load_source(mug).clip, generate_clip("a red mug", config, seed=5)
    for name in ("alpha", "depth"):
        torch.testing.assert_close(getattr(read, name), getattr(made, name), rtol=0, atol=2 / 255)
    solid = made.alpha == 1
    assert int((read.frames[solid].int() - made.frames[solid].int()).abs().max() if solid.any() else 0) <= 1
    assert (read.caption, read.seed, read.fps) == (made.caption, 5, 6)


def test_all_that_stops_an_edit_is_said_before_anything_is_written(mug, tmp_path):
    new = tmp_path / "new"
    with pytest.raises(ValueError, match=r"is not understood\. Say"):
        edit(mug, "make it flurbish", new)
    with pytest.raises(ValueError, match="not both"):
        edit(mug, "paint it blue", new, prompt="a cat")
    with pytest.raises(ValueError, match="at least one step"):
        edit(mug, "paint it blue", new, settings=EditConfig(steps=0))
    with pytest.raises(ValueError, match="over what it is made from"):
        edit(mug, "paint it blue", mug)
    with pytest.raises(FileNotFoundError, match="no run folder"):
        edit(tmp_path, "paint it blue", new)
    with pytest.raises(ValueError, match="only what `make`, `generate` and `edit` made"):
        edit(changed(mug, tmp_path / "a", command="reconstruct"), "paint it blue", new)
    with pytest.raises(ValueError, match="holds no caption"):
        edit(changed(mug, tmp_path / "b", caption=None), "paint it blue", new)
    settings = json.loads((mug / "asset.json").read_text())["config"]
    other = {"generate": {**settings["generate"], "elevation_deg": 30.0}}
    with pytest.raises(ValueError, match=r"cameras of .* are not those"):
        edit(changed(mug, tmp_path / "c", config=other), "paint it blue", new)
    other = {"generate": {**settings["generate"], "num_frames": 6}}
    with pytest.raises(ValueError, match="not those that its settings tell"):
        edit(changed(mug, tmp_path / "d", config=other), "paint it blue", new)
    assert not new.exists()


def test_an_edit_is_not_made_again_without_its_source(tmp_path):
    manifest = {"schema": 1, "command": "edit", "source": {"name": "my-mug"}, "prompt": "x", "seed": 0, "config": {}}
    (tmp_path / "asset.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="`edit` from the asset 'my-mug', whose frames it needs"):
        remake(tmp_path, tmp_path / "new")


def test_the_command_line_takes_words_and_strength():
    command = parse(["edit", "mug", "paint it blue", "--guidance", "5", "--preset", "draft", "-o", "new"])
    assert (command.asset, command.instruction, command.output) == (Path("mug"), "paint it blue", Path("new"))
    assert command.edit == EditConfig(guidance=5.0)
    assert command.presets.preset == "draft"
    assert parse(["edit", "mug", "--prompt", "a cat"]).prompt == "a cat"


@pytest.mark.slow
def test_an_edit_keeps_shape_and_cameras_and_comes_with_all_files(tmp_path):
    made = generate("a red mug", tmp_path / "mug", GenerateConfig(steps=2, num_frames=8), seed=1)
    config = load_config(MakeConfig(), "draft")
    config = dataclasses.replace(
        config,
        nerf=dataclasses.replace(config.nerf, iterations=10),
        fit=dataclasses.replace(config.fit, iterations=10, num_splats=300),
    )
    folders = [tmp_path / name for name in ("blue", "again")]
    for folder in folders:
        edit(made.folder, "paint it blue", folder, config, settings=SMALL, seed=3)
    old, new = load_source(made.folder), load_source(folders[0])
    assert torch.equal(old.views.alphas, new.views.alphas)
    assert torch.equal(old.views.depths, new.views.depths)
    assert torch.equal(old.views.cameras.c2w, new.views.cameras.c2w)
    manifest = load_run(folders[0]).manifest
    assert manifest["prompt"] == "a red mug; paint it blue"
    assert manifest["source"]["orbit_sha256"] == made.manifest["files"]["orbit.mp4"]["sha256"]
    assert (manifest["source_caption"], manifest["caption"]) == (
        made.manifest["caption"],
        made.manifest["caption"].replace("plain red", "plain blue").replace("handle is red", "handle is blue"),
    )
    assert {"mesh.glb", "splats.ply", "report.html", "viewer.html", "turntable.mp4"} <= set(manifest["files"])
    assert command(manifest) == "vid2three edit PATH/TO/mug 'paint it blue' --seed 3 --steps 2"
    for name in manifest["files"]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
