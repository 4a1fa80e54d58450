"""Other shapes of clips: what is cut is what a camera of that shape would have seen."""

import numpy as np
import pytest
import torch

from generator.condition import orbit_cameras, orbit_rows
from generator.config import PhaseConfig, TrainConfig
from generator.data import Orbit, make_clip
from generator.formats import Format, batch_of, formats_of, read_formats
from generator.grammar import make_scene, sample_attributes
from generator.rays import intrinsics, orbit_radius
from generator.tracer import trace_clip
from generator.train_vae import to_model

CPU, WHOLE = torch.device("cpu"), Format(8, 32, 32)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    rng = np.random.default_rng(3)
    return make_scene(sample_attributes(rng), rng)


def cut(scene: np.ndarray, form: Format, orbit: Orbit, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Render a whole turn, cut it, and return the clip [f,5,h,w] and its camera's row."""
    clip = to_model(torch.from_numpy(make_clip(scene, orbit, 8, 32, 32)[0])[None], CPU)
    clips, orbits = form.cut(clip, orbit_rows([orbit]), torch.Generator().manual_seed(seed))
    return clips[0], orbits[0]


@pytest.mark.parametrize("form", [Format(4, 32, 32), Format(4, 32, 32, is_part=True), Format(8, 32, 48), WHOLE])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_cut_is_what_its_cameras_see(scene, form, seed):
    clip, row = cut(scene, form, Orbit(15.0, 40.0, 30.0), seed)
    assert clip.shape == (form.num_frames, 5, form.height, form.width)
    c2w, K, _ = orbit_cameras(row[None], form.num_frames, form.height, form.width)
    wanted = trace_clip(scene, c2w[0].double().numpy(), K[0].double().numpy(), form.height, form.width)
    assert (clip[:, 3] - torch.from_numpy(wanted.alpha)).abs().max() < 0.05
    rgb = torch.from_numpy(wanted.rgb).permute(0, 3, 1, 2) / 255
    assert (clip[:, :3] - rgb).abs().mean() < 5e-3
    depth, covered = torch.from_numpy(wanted.depth), torch.from_numpy(wanted.alpha) > 0.99
    assert ((clip[:, 4] - 0.5) * 2 + orbit_radius(40.0) - depth)[covered].abs().max() < 0.02
    assert np.allclose(K[0].numpy(), intrinsics(40.0, form.height, form.width))


def test_a_part_has_its_span_and_a_thinned_turn_is_whole(scene):
    assert cut(scene, Format(4, 32, 32, is_part=True), Orbit(15.0, 40.0))[1][3] == 3 * 45
    assert cut(scene, Format(4, 32, 32), Orbit(15.0, 40.0))[1][3] == 360


def test_narrow_and_small_cuts_keep_the_middle(scene):
    whole = to_model(torch.from_numpy(make_clip(scene, Orbit(15.0, 40.0), 8, 32, 32)[0])[None], CPU)
    row = orbit_rows([Orbit(15.0, 40.0)])
    narrow = Format(8, 32, 16).cut(whole, row, torch.Generator())[0]
    assert torch.equal(narrow, whole[..., 8:24])
    small = Format(8, 16, 16).cut(whole, row, torch.Generator())[0]
    assert torch.allclose(small, torch.nn.functional.avg_pool2d(whole[0], 2)[None], atol=1e-6)
    assert Format(8, 48, 48).cut(whole, row, torch.Generator())[0].shape[-1] == 48


def test_an_edit_is_cut_as_its_source_is():
    clips = torch.rand(6, 8, 5, 32, 32)
    clips[1::2] = clips[::2]
    part, rows = Format(2, 32, 32, is_part=True).cut(clips, torch.zeros(6, 4), torch.Generator().manual_seed(0))
    assert torch.equal(part[1::2], part[::2])
    assert torch.equal(rows[1::2], rows[::2])
    assert len(set(rows[:, 2].tolist())) > 1


@pytest.mark.parametrize("form", [Format(12, 64, 96), Format(6, 128, 128, is_part=True)])
def test_formats_are_read_as_they_are_written(form):
    assert Format.read(str(form)) == form


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12x64", "write FRAMES"),
        ("8X32x32", "write FRAMES"),
        ("3x32x32", "must be even"),
        ("8x32x40", "multiples of 16"),
        ("8x0x32", "multiples of 16"),
        ("6x32x32", "cannot be thinned"),
        ("part 8x32x32", "fewer frames"),
        ("8x48x32", "32 pixels high"),
    ],
)
def test_a_format_that_cannot_be_cut_is_named(text, why):
    with pytest.raises(ValueError, match=why) as raised:
        read_formats([text], WHOLE)
    assert text in str(raised.value)


def test_steps_of_other_formats_see_as_many_tokens():
    phases = {"dit_phase": PhaseConfig(batch=6), "half_phase": PhaseConfig(minutes=0, batch=20)}
    config = TrainConfig(num_frames=8, size=32, half_share=0.5, formats=("4x32x32", "8x32x48"), **phases)
    half, whole, short, wide = formats_of(config)
    assert (half, whole) == (Format(8, 16, 16), WHOLE)
    assert [batch_of(config, form) for form in (half, whole, short, wide)] == [20, 6, 12, 4]
