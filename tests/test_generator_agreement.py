"""How far frames agree on one solid: true clips do, and what bends, turns or colours a frame is seen."""

import numpy as np
import pytest
import torch

from generator.agreement import agreement
from generator.data import Orbit, draw_scene, make_clip
from generator.grammar import sample_attributes
from generator.train_vae import to_model

ORBITS = {"closed": Orbit(15.0, 40.0), "open": Orbit(10.0, 50.0, 30.0, 90.0)}


def true_clip(orbit: Orbit, seed: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    _, subject = draw_scene(sample_attributes(rng), orbit, rng, rng)
    return to_model(torch.from_numpy(make_clip(subject, orbit, 16, 64, 64)[0])[None], torch.device("cpu"))


@pytest.mark.parametrize("name", ORBITS)
def test_true_frames_agree_and_more_so_under_their_own_cameras(name):
    orbit = ORBITS[name]
    clip = true_clip(orbit)
    [true] = agreement(clip, orbit).tolist()
    assert 0.65 < true <= 1
    other = Orbit(orbit.elevation_deg + 25, orbit.fov_deg, orbit.start_deg, orbit.span_deg)
    assert agreement(clip, other).item() < true - 0.04
    mirrored = clip.flip(1)  # it turns the other way round
    assert agreement(mirrored, orbit).item() < true - 0.04


def test_faults_are_seen_in_the_clip_that_has_them():
    orbit = ORBITS["closed"]
    clip = true_clip(orbit)
    recoloured, bulged = clip.clone(), clip.clone()
    recoloured[:, ::2, :3] = 1 - recoloured[:, ::2, :3]
    bulged[:, ::2, 4] += 0.1
    true, *faulty = agreement(torch.cat([clip, recoloured, bulged]), orbit).tolist()
    assert true == pytest.approx(agreement(clip, orbit).item(), abs=1e-6)
    assert max(faulty) < 0.5 * true


def test_the_last_frame_of_an_open_orbit_has_no_next_one():
    orbit = ORBITS["open"]
    clip = true_clip(orbit)
    spoilt = clip.clone()
    spoilt[:, -1, 3] = 0  # nothing to be found there, and nothing asked of it
    assert agreement(spoilt, orbit).item() < agreement(clip, orbit).item()
    tail = clip.clone()
    tail[:, 0, :3] = 1 - tail[:, 0, :3]
    lost = agreement(clip, orbit) - agreement(tail, orbit)
    assert 0.02 < lost.item() < 1.6 / 15  # the first pair alone, not the one from the end to the beginning


def test_nothing_covered_is_no_share():
    assert agreement(torch.zeros(2, 4, 5, 16, 16), ORBITS["closed"]).tolist() == [0.0, 0.0]
