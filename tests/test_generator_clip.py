"""A clip's colours, coverage, depth and cameras agree with each other and with the trace behind them."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from generator import sdf
from generator.clip import Clip
from generator.data import Orbit, encode_depth, make_clip
from generator.grammar import Attributes, make_scene
from generator.rays import intrinsics, orbit_radius
from generator.sample import clean_alpha, to_clip
from generator.tracer import Trace, trace_clip
from generator_parts import solid

FRAMES, HEIGHT, WIDTH = 4, 32, 48
ORBIT = Orbit(20.0, 35.0)
SPHERE, RADIUS = np.array([0.2, -0.1, 0.15]), 0.6


def decoded(trace: Trace) -> torch.Tensor:
    """What a perfect decoder gives: the channels [F,5,H,W] in [0,1]."""
    depth = encode_depth(trace.depth, trace.alpha, orbit_radius(ORBIT.fov_deg))
    channels = [trace.rgb / 255, trace.alpha[..., None], depth[..., None]]
    return torch.from_numpy(np.concatenate(channels, axis=-1)).float().permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def trace() -> Trace:
    scene = solid(sdf.ELLIPSOID, [RADIUS] * 3, SPHERE, (0.8, 0.1, 0.1))[None]
    K = intrinsics(ORBIT.fov_deg, HEIGHT, WIDTH)
    return trace_clip(scene, ORBIT.c2w(FRAMES), K, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def clip(trace) -> Clip:
    return to_clip(decoded(trace), ORBIT, fps=8, prompt="a ball", caption="A ball.", seed=7)


def test_depth_and_cameras_put_every_pixel_on_the_subject(clip):
    v, u = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    for f in range(FRAMES):
        pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1)
        local = pixels @ torch.linalg.inv(clip.K[f]).T * clip.depth[f, ..., None]
        world = local @ clip.c2w[f, :3, :3].T + clip.c2w[f, :3, 3]
        inside = (clip.alpha[f] == 1) & (torch.nn.functional.avg_pool2d(clip.alpha[f][None], 3, 1, 1)[0] > 0.999)
        assert inside.sum() > 100
        gap = (world - torch.from_numpy(SPHERE).float()).norm(dim=-1) - RADIUS
        assert gap[inside].abs().median() < 5e-3


def test_a_decoded_trace_is_the_trace(clip, trace):
    kept = trace.alpha > 0.1
    assert np.array_equal(clip.frames.numpy()[kept], trace.rgb[kept])
    assert (clip.frames.numpy()[~kept] == 255).all()
    assert np.array_equal(clip.alpha.numpy() == 1, trace.alpha == 1)
    assert np.abs(clip.depth.numpy() - trace.depth)[kept].max() < 1e-4
    assert not clip.depth[clip.alpha == 0].any()


def test_a_clip_of_the_grammar_survives_its_eight_bits():
    car = Attributes("car", "sports", "teal", "pink", "checks", "glossy")
    channels, trace = make_clip(make_scene(car, np.random.default_rng(0)), ORBIT, FRAMES, HEIGHT, WIDTH)
    clip = to_clip(torch.from_numpy(channels / 255).float().permute(0, 3, 1, 2), ORBIT, 8, "", "", 0)
    solid_pixels = trace.alpha == 1
    assert np.array_equal(clip.frames.numpy()[solid_pixels], trace.rgb[solid_pixels])
    assert np.abs(clip.depth.numpy() - trace.depth)[solid_pixels].max() < 1.01 / 255


def test_haze_is_cleared_and_edges_stay_soft():
    alpha = clean_alpha(torch.tensor([-0.1, 0.0, 0.09, 0.5, 0.91, 1.2]))
    assert alpha.tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1])


def test_a_clip_does_not_change(clip):
    with pytest.raises(FrozenInstanceError):
        clip.seed = 8  # type: ignore[misc]
