"""Training clips: the same for the same seed, resumable, and true to the trace they are made from."""

import json
from pathlib import Path

import numpy as np
import pytest

from generator.data import (
    NUM_CAPTIONS,
    SHARD_SIZE,
    Orbit,
    Recipe,
    decode_depth,
    draw_shard,
    encode_depth,
    make_clip,
    read_samples,
    sample_orbit,
    shard_paths,
    start_rendering,
    write_shard,
)
from generator.grammar import Attributes, is_held_out, make_scene
from generator.rays import orbit_radius

FRAMES, SIZE, SEED = 2, 16, 3
RECIPE = Recipe(SEED)
LIGHTHOUSE = Attributes("lighthouse", "tall", "red", "blue", "horizontal stripes", "matte")


def lighthouse(num_frames: int, height: int, width: int):
    return make_clip(make_scene(LIGHTHOUSE, np.random.default_rng(0)), Orbit(15.0, 40.0), num_frames, height, width)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_shard(folder, 1, RECIPE, FRAMES, SIZE)
    return folder / "0001.npy"


def test_a_clip_of_a_shard_depends_on_its_numbers_alone(shard):
    clips, samples = np.load(shard), read_samples(shard)
    assert clips.shape == (SHARD_SIZE, FRAMES, SIZE, SIZE, 5)
    assert clips.dtype == np.uint8
    assert len(samples) == SHARD_SIZE
    again = draw_shard(RECIPE, 1)
    for i in (0, 17, SHARD_SIZE - 1):
        sample, scene = again[i]
        assert sample == samples[i]
        assert len(sample.captions) == NUM_CAPTIONS
        assert np.array_equal(make_clip(scene, sample.orbit, FRAMES, SIZE, SIZE)[0], clips[i])
    assert draw_shard(RECIPE, 2)[0][0] != samples[0]
    assert len({clip.tobytes() for clip in clips}) == SHARD_SIZE
    assert not any(is_held_out(sample.attributes) for sample in samples)


def test_a_shard_that_is_there_is_left_alone(shard):
    before = shard.stat().st_mtime_ns
    write_shard(shard.parent, 1, Recipe(SEED + 1), FRAMES, SIZE)
    assert shard.stat().st_mtime_ns == before


def test_rendering_goes_on_after_a_crash(shard, tmp_path):
    """What a killed process leaves is no shard, and processes of their own write what this one would."""
    (tmp_path / "0000.partial").write_bytes(b"half a file")
    (tmp_path / "0000.json").write_text("[]")
    assert shard_paths(tmp_path) == []
    (tmp_path / "0001.npy").write_bytes(shard.read_bytes())
    for process in start_rendering(tmp_path, 2, RECIPE, FRAMES, SIZE, workers=1):
        process.join(120)
        assert process.exitcode == 0
    assert [path.name for path in shard_paths(tmp_path)] == ["0000.npy", "0001.npy"]
    assert len(json.loads((tmp_path / "0000.json").read_text())) == SHARD_SIZE
    sample, scene = draw_shard(RECIPE, 0)[5]
    assert np.array_equal(np.load(tmp_path / "0000.npy")[5], make_clip(scene, sample.orbit, FRAMES, SIZE, SIZE)[0])
    assert not list(tmp_path.glob("*.partial"))


def test_half_the_frames_are_every_second_one():
    many, _ = lighthouse(8, 64, 64)
    few, _ = lighthouse(4, 64, 64)
    assert np.mean(many[::2] == few) > 0.9999  # one kernel; angles differ by the last bit


def test_channels_are_those_of_the_trace():
    clip, trace = lighthouse(3, 32, 48)
    assert clip.shape == (3, 32, 48, 5)
    assert np.array_equal(clip[..., :3], trace.rgb)
    assert np.array_equal(clip[..., 3], np.round(trace.alpha * 255).astype(np.uint8))
    covered = trace.alpha > 0
    depth = decode_depth(clip[..., 4] / 255, orbit_radius(40))
    assert np.abs(depth - trace.depth)[covered].max() <= 1.01 / 255  # half a step of two units in 255


def test_depth_decodes_to_what_was_encoded():
    rng, radius = np.random.default_rng(0), 3.0
    depth, alpha = rng.uniform(2.0, 4.0, (2, 5, 7)), (rng.random((2, 5, 7)) > 0.4).astype(float)
    encoded = encode_depth(depth, alpha, radius)
    assert np.allclose(decode_depth(encoded, radius)[alpha > 0], depth[alpha > 0])
    assert ((encoded >= 0) & (encoded <= 1)).all()


def test_the_background_takes_the_depth_of_the_nearest_pixel():
    depth, alpha = np.zeros((2, 4, 6)), np.zeros((2, 4, 6))
    depth[0, 1, 1], depth[0, 2, 5], alpha[0, 1, 1], alpha[0, 2, 5] = 2.5, 3.5, 1, 0.25
    encoded = encode_depth(depth, alpha, 3.0)
    assert (encoded[0, :, :3] == 0.25).all()
    assert (encoded[0, 1:, 4:] == 0.75).all()
    assert (encoded[1] == 0.5).all()  # a frame that shows nothing


def test_orbits_are_drawn_as_documented():
    rng = np.random.default_rng(0)
    orbits = [sample_orbit(rng) for _ in range(3000)]
    fov, elevation = np.array([(orbit.fov_deg, orbit.elevation_deg) for orbit in orbits]).T
    assert np.mean(fov == 40) == pytest.approx(0.9, abs=0.02)
    assert (fov.min() >= 30, fov.max() <= 50) == (True, True)
    assert np.mean((elevation < 5) | (elevation > 30)) == pytest.approx(0.1 * 35 / 60, abs=0.015)
    assert -10 <= elevation.min() < 0 < 45 < elevation.max() <= 50


def test_an_orbit_sees_the_front_first_and_goes_counter_clockwise():
    c2w = Orbit(0.0, 40.0).c2w(4)
    assert np.allclose(c2w[:, :3, 3] / orbit_radius(40), [[0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]])


def test_some_kinds_are_drawn_more_often():
    clips = draw_shard(Recipe(SEED, focus=("fox", "key"), focus_share=0.5, edit_pairs_share=0.5), 0)
    share = np.mean([sample.attributes.category in ("fox", "key") for sample, _ in clips])
    assert 0.4 < share < 0.65
    kinds = {sample.attributes.category for sample, _ in clips}
    assert {"fox", "key"} < kinds
    assert len(kinds) > 40
    assert not any(is_held_out(sample.attributes) for sample, _ in clips)
    assert draw_shard(Recipe(SEED, focus=("fox",)), 0)[5][0] == draw_shard(RECIPE, 0)[5][0]  # without a share, nothing
