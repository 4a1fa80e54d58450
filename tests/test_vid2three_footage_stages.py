"""From a video or photos to an asset: each stage's files, masks of one's own, refused cameras, and going on.

Cameras come from a stand-in that knows them: here is tested what the walk does with an estimate.
"""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from recon.config import PosesConfig
from recon.masks import Masking
from recon.poses.types import PoseEstimate
from recon.views import Views, composited
from subjects import mug, orbit_views
from vid2three import footage_stages as stages
from vid2three import pipeline
from vid2three.capture import load_views
from vid2three.cli import main
from vid2three.config import InputConfig, ReconstructConfig, overlay
from vid2three.run import load_run, no_progress, open_run, sha256
from video_parts import write_clip

NUM = 16
SMALL = overlay(
    ReconstructConfig(),
    {
        "fit": {"num_splats": 1500, "iterations": 150, "sh_degree": 0},
        "mesh": {"num_faces": 1200, "resolution": 48, "extra_views": 8, "texture_size": 128},
        "export": {"turntable_frames": 4, "turntable_size": 256},
    },
)


@pytest.fixture(scope="module")
def orbit():
    """Exact pictures, masks and cameras of a mug with stripes, so that no two sides look alike."""
    mesh = mug()
    angle = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0])
    mesh.visual.vertex_colors[:, 0] = 128 + 100 * np.sin(angle)
    mesh.visual.vertex_colors[:, 1] = 128 + 100 * np.sin(3 * angle)
    return orbit_views(mesh, NUM, (96, 112))


@pytest.fixture(scope="module")
def rgba(orbit) -> np.ndarray:
    return (torch.cat([orbit.images, orbit.alphas[..., None]], dim=-1) * 255).round().to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def clip(orbit, tmp_path_factory) -> Path:
    """The mug on light grey, as a video."""
    frames = (composited(orbit, 0.85) * 255).round().to(torch.uint8).numpy()
    return write_clip(tmp_path_factory.mktemp("clips") / "A red mug.mp4", frames, options={"crf": "4"})


@pytest.fixture
def estimates(monkeypatch, orbit) -> SimpleNamespace:
    """Make the estimate of cameras tell the truth, and what else is set here; `asked` is what it was given."""
    told = SimpleNamespace(confidence=0.8, registered=torch.ones(NUM, dtype=torch.bool), reasons=(), asked=[])

    def estimate(images, alphas, config, *, times_s, is_closed, seed, progress):
        told.asked.append((images, alphas, config))
        facts = {"elevation_deg": 15.0}
        return PoseEstimate(orbit.cameras, told.registered, None, "orbit", told.confidence, told.reasons, facts)

    monkeypatch.setattr(stages, "estimate", estimate)
    return told


@pytest.fixture
def finished(clip, estimates, tmp_path) -> Path:
    """The folder of a whole walk from the video."""
    estimates.reasons = ("The focal length is assumed.",)
    assert events(clip, tmp_path / "run") == [
        "frames",
        "masks",
        "poses",
        "views",
        "verdict",
        "fit",
        "mesh",
        "show",
        "viewer",
        "report",
    ]
    return tmp_path / "run"


def events(source, folder, config=SMALL, **options) -> list[str]:
    """Walk and return the stages that were not skipped."""
    done = []

    def progress(stage, step, total, info):
        if "seconds" in info:
            done.append(stage)

    pipeline.reconstruct(source, folder, config, progress=progress, **options)
    return done


def posed(source: Path, folder: Path, masks: Path | None = None, **settings) -> tuple[dict, Views]:
    """Walk only as far as the views, and return the manifest and the views."""
    config = InputConfig(**settings)
    pictures = {"name": source.stem, "sha256": stages.digest(source)}
    run = open_run(folder, {"command": "reconstruct", "input": pictures, "seed": 0}, {"world": stages.WORLD})
    stages.frames(run, source, config, no_progress)
    stages.masks(run, masks, config, no_progress)
    stages.poses(run, PosesConfig(), no_progress)
    stages.views(run, config, no_progress)
    return run.manifest, load_views(folder)


def test_a_video_becomes_an_asset_and_every_stage_says_what_it_found(clip, finished):
    manifest = json.loads((finished / "asset.json").read_text())
    on_disk = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    assert on_disk == {*manifest["files"], "asset.json"}
    assert all(sha256(finished / name) == record["sha256"] for name, record in manifest["files"].items())
    assert manifest["input"] == {"name": "A red mug", "sha256": sha256(clip)}
    assert manifest["frames"]["num_source_frames"] == NUM
    assert manifest["frames"]["closed"] is not False
    assert manifest["masks"]["method"] == "plain background"
    assert manifest["poses"]["confidence"] == 0.8
    assert manifest["poses"]["reasons"] == ["The focal length is assumed."]
    assert manifest["poses"]["facts"] == {"elevation_deg": 15.0}
    assert "w2c" not in manifest["poses"]
    assert "first camera at -y" in manifest["world"]
    assert manifest["scores"]["silhouette_iou_splats"] > 0.9


def test_a_walk_goes_on_where_it_stopped_and_knows_a_video_by_its_content(clip, finished, estimates, tmp_path):
    assert events(clip, finished) == []
    (tmp_path / "elsewhere").mkdir()
    assert events(shutil.copy(clip, tmp_path / "elsewhere" / clip.name), finished) == []
    assert len(estimates.asked) == 1
    (finished / "poses.json").unlink()
    assert events(clip, finished) == ["poses"]
    before = (finished / "masks" / "003.png").stat().st_mtime_ns
    assert events(clip, finished, overlay(SMALL, {"poses": {"fov_deg": 42.0}}), overwrite=True) == ["poses", "report"]
    assert (finished / "masks" / "003.png").stat().st_mtime_ns == before


def test_a_transforms_json_still_tells_the_cameras(clip, finished, estimates, tmp_path):
    config = overlay(SMALL, {"fit": {"iterations": 20}})
    events(finished, tmp_path / "second", config)
    assert len(estimates.asked) == 1
    manifest = load_run(tmp_path / "second").manifest
    assert set(manifest["stages"]) == {"views", "verdict", "fit", "mesh", "show", "viewer", "report"}
    with pytest.raises(ValueError, match="put alpha into the pictures"):
        events(finished, tmp_path / "third", masks=tmp_path)
    events(finished, finished, config, overwrite=True)
    assert not {"frames.json", "masks.json", "masks.png", "poses.json"} & {path.name for path in finished.iterdir()}
    assert not [*finished.glob("frames/*"), *finished.glob("masks/*")]


def test_views_are_the_frames_with_their_masks_and_cameras(clip, orbit, estimates, tmp_path):
    _, views = posed(clip, tmp_path / "run")
    assert len(views) == NUM
    assert (views.alphas - orbit.alphas).abs().mean() < 0.02
    inside = orbit.alphas > 0.99
    assert (views.images - orbit.images)[inside].abs().mean() < 0.05
    torch.testing.assert_close(views.cameras.w2c, orbit.cameras.w2c, atol=1e-5, rtol=0)


def test_frames_without_a_camera_are_left_out(clip, orbit, estimates, tmp_path):
    estimates.registered[[3, 7]] = False
    _, views = posed(clip, tmp_path / "run")
    torch.testing.assert_close(views.cameras.w2c, orbit.cameras[estimates.registered].w2c, atol=1e-5, rtol=0)


def test_photos_with_alpha_keep_it(rgba, orbit, estimates, tmp_path):
    (tmp_path / "photos").mkdir()
    for index, pixels in enumerate(rgba):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"IMG_{index}.png")
    manifest, views = posed(tmp_path / "photos", tmp_path / "run")
    assert manifest["masks"]["method"] == "alpha"
    torch.testing.assert_close(views.alphas, orbit.alphas, atol=0.003, rtol=0)


def test_masks_of_ones_own_are_used(clip, rgba, orbit, estimates, tmp_path):
    (tmp_path / "masks").mkdir()
    for index, pixels in enumerate(rgba):
        Image.fromarray(pixels[..., 3]).save(tmp_path / "masks" / f"{index}.png")
    manifest, views = posed(clip, tmp_path / "run", tmp_path / "masks")
    assert manifest["masks"]["method"] == "given"
    torch.testing.assert_close(views.alphas, orbit.alphas, atol=0.003, rtol=0)


def test_no_mask_keeps_the_background(clip, estimates, tmp_path):
    manifest, views = posed(clip, tmp_path / "run", background="keep")
    assert manifest["masks"]["method"] == "none"
    assert views.alphas is None
    assert estimates.asked[0][1] is None


def test_doubtful_masks_are_shown_but_used_only_when_asked_for(clip, orbit, estimates, tmp_path, monkeypatch):
    doubtful = Masking(orbit.alphas, "grabcut", 0.6, ("It falls apart.",), (0.6,) * NUM)
    monkeypatch.setattr(stages, "estimate_alphas", lambda images, **options: doubtful)
    manifest, views = posed(clip, tmp_path / "auto")
    assert views.alphas is None
    assert manifest["masks"]["is_used"] is False
    assert manifest["masks"]["notes"][0] == "It falls apart."
    assert "the background is kept" in manifest["masks"]["notes"][1]
    assert (tmp_path / "auto" / "masks.png").is_file()
    assert posed(clip, tmp_path / "cut", background="cut")[1].alphas is not None


def test_cameras_not_to_be_believed_stop_the_walk_with_the_reasons(clip, estimates, tmp_path, capsys):
    estimates.confidence, estimates.reasons = 0.12, ("Two answers differ by 40 degrees.", "The frames show two faces.")
    folder = tmp_path / "run"
    said = complaint(capsys, "reconstruct", clip, "-o", folder)
    assert "confidence 0.12, 0.30 is needed" in said
    assert "Two answers differ by 40 degrees. The frames show two faces." in said
    assert "--force" in said
    assert (folder / "masks.png").is_file()
    assert len(list((folder / "frames").glob("*.png"))) == NUM
    assert not (folder / "views").exists()
    assert json.loads((folder / "asset.json").read_text())["poses"]["confidence"] == 0.12
    stages.check_poses(load_run(folder), 0.3, force=True)


def test_too_few_cameras_stop_the_walk_even_by_force(clip, estimates, tmp_path):
    estimates.registered = torch.arange(NUM) < 2
    with pytest.raises(ValueError, match="Only 2 of 16 frames found a camera; 3 are needed"):
        events(clip, tmp_path / "run", force=True)


def complaint(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    assert end.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def test_bad_footage_and_settings_get_a_sentence_before_a_run_is_made(clip, tmp_path, capsys):
    run = tmp_path / "run"
    (tmp_path / "text.mp4").write_text("no video " * 100)
    asked = ("reconstruct", tmp_path / "text.mp4", "-o", run)
    assert "is no video that can be read" in complaint(capsys, *asked)
    for flags, words in (
        (("--num-frames", 3), "num_frames must lie between 8 and 256"),
        (("--input.max-size", 9), "max_size must lie between"),
        (("--num-frames", 256, "--input.max-size", 4096), "do not fit the memory"),
        (("--masks", tmp_path, "--no-mask"), "exclude each other"),
        (("--masks", tmp_path / "nowhere"), "no folder of masks"),
        (("--masks", tmp_path), "holds no pictures"),
    ):
        assert words in complaint(capsys, "reconstruct", clip, "-o", run, *flags)
    assert not run.exists()
