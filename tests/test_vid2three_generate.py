"""`generate` with a real, untrained model of a few thousand weights: the files, what is said of them, resumption."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from generator.clip import Clip
from generator.config import DitConfig, GenerateConfig, VaeConfig
from generator.dit import OrbitDiT
from generator.rays import orbit_c2w, orbit_radius
from generator.vae import VideoAutoencoder
from generator.weights import save_model
from vid2three.capture import load_views
from vid2three.pipeline import generate
from vid2three.run import load_run, sha256
from vid2three.stages import clip_views
from vid2three.video import load_video


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> GenerateConfig:
    torch.manual_seed(0)
    vae = VideoAutoencoder(VaeConfig(widths=(8, 16, 24), latent_channels=32))
    dit = OrbitDiT(DitConfig(width=64, depth=2, heads=2, mlp_hidden=64))
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, vae, dit, {"num_frames": 4, "size": 32})
    return GenerateConfig(model=str(path), steps=2, num_frames=4, height=32, width=48, fps=6)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mug"
    seen = []
    generate("a red mug", folder, config, seed=5, progress=lambda *event: seen.append(event))
    assert ("generate", 2, 2, {}) in seen  # the sampler's own steps
    assert seen[0][0] == "prompt"
    return folder


def test_the_folder_holds_clip_views_cameras_and_preview(finished):
    names = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    views = {f"{kind}/{index:03d}.png" for kind in ("views", "depth") for index in range(4)}
    assert names == {"asset.json", "orbit.mp4", "transforms.json", "preview.png", *views}
    assert Image.open(finished / "views/002.png").mode == "RGBA"
    assert Image.open(finished / "preview.png").size[0] == 1600


def test_the_video_is_large_enough_to_look_at(finished):
    frames, fps = load_video(finished / "orbit.mp4")
    assert frames.shape == (4, 256, 384, 3)
    assert fps == pytest.approx(6)


def test_the_cameras_are_those_that_were_commanded(finished, config):
    views = load_views(finished)
    expected = orbit_c2w(4, config.elevation_deg, orbit_radius(config.fov_deg))
    torch.testing.assert_close(views.cameras.c2w, torch.from_numpy(expected).float(), rtol=0, atol=1e-5)
    assert (views.cameras.height, views.cameras.width) == (32, 48)


def test_the_manifest_says_who_made_it(finished, config):
    manifest = json.loads((finished / "asset.json").read_text())
    assert (manifest["prompt"], manifest["seed"], manifest["command"]) == ("a red mug", 5, "generate")
    assert "mug" in manifest["caption"]
    assert manifest["provenance"]["ai_generated"] is True
    assert manifest["provenance"]["statement"].startswith("AI-generated")
    assert manifest["weights"]["sha256"] == sha256(Path(config.model))
    assert manifest["config"]["generate"]["fps"] == 6


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(finished, config, tmp_path):
    generate("a red mug", tmp_path / "same", config, seed=5)
    generate("a red mug", tmp_path / "other", config, seed=6)
    digests = {
        folder: {name: record["sha256"] for name, record in load_run(folder).manifest["files"].items()}
        for folder in (finished, tmp_path / "same", tmp_path / "other")
    }
    assert digests[finished] == digests[tmp_path / "same"]
    assert digests[finished]["orbit.mp4"] != digests[tmp_path / "other"]["orbit.mp4"]


def test_a_second_call_generates_nothing(finished, config):
    seen = []
    generate("a red mug", finished, config, seed=5, progress=lambda *event: seen.append(event))
    assert [event[3] for event in seen if event[0] in ("generate", "show")] == [{"skipped": True}] * 2


def test_views_hold_the_subjects_own_color_without_the_white_behind_it():
    generator = torch.Generator().manual_seed(0)
    straight = torch.rand(2, 5, 7, 3, generator=generator)
    alpha = torch.rand(2, 5, 7, generator=generator)
    frames = (255 * (straight * alpha[..., None] + 1 - alpha[..., None])).round().to(torch.uint8)
    c2w = torch.from_numpy(orbit_c2w(2, 15, 3.0)).float()
    views = clip_views(Clip(frames, alpha, None, torch.eye(3).repeat(2, 1, 1), c2w, 8, "a mug", "A mug.", 0))
    assert views.alphas is alpha
    assert float(((views.images - straight).abs() * alpha[..., None]).max()) <= 0.51 / 255
    torch.testing.assert_close(views.cameras.c2w, c2w)
