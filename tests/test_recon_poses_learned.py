"""Matchers from a folder: a real one of transformers, small and untrained, which still knows a picture again."""

import json

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.config import PosesConfig
from recon.mesh_render import render_mesh
from recon.poses import orbit
from recon.poses.compare import compare
from recon.poses.estimate import estimate
from recon.poses.learned import check_matcher, learned_matches
from subjects import potato


@pytest.fixture(scope="module")
def matcher(tmp_path_factory):
    from transformers import EfficientLoFTRConfig, EfficientLoFTRForKeypointMatching
    from transformers.models.efficientloftr.image_processing_pil_efficientloftr import EfficientLoFTRImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("loftr")
    config = EfficientLoFTRConfig(
        stage_num_blocks=[1, 1, 1, 1],
        out_features=[16, 16, 32, 64],
        hidden_size=64,
        num_attention_layers=1,
        num_attention_heads=8,
        coarse_matching_threshold=0.0,
        initializer_range=0.6,
    )
    model = EfficientLoFTRForKeypointMatching(config).train()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean of what they see
    with torch.no_grad():
        for _ in range(8):
            model(pictures(8, 96, 96).view(4, 2, 3, 96, 96))
    model.save_pretrained(folder)
    EfficientLoFTRImageProcessorPil(size={"height": 96, "width": 96}).save_pretrained(folder)
    return folder


def pictures(num, height, width):
    """Smooth noise."""
    coarse = torch.rand(num, 3, height // 4, width // 4)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def test_the_same_picture_matches_itself(matcher):
    torch.manual_seed(1)
    picture = pictures(1, 72, 104)[0].permute(1, 2, 0)
    matches = learned_matches(torch.stack([picture, picture]), None, matcher)
    assert len(matches) > 5
    apart = np.linalg.norm(matches.xy_first - matches.xy_second, axis=1)
    assert np.median(apart) < 2.0
    assert matches.xy_first[:, 0].max() > 72  # in pixels of the frame, across and down
    assert matches.xy_first[:, 1].max() < 72


def test_nothing_is_matched_outside_of_the_subject(matcher):
    torch.manual_seed(1)
    picture = pictures(1, 72, 104)[0].permute(1, 2, 0)
    alpha = torch.zeros(72, 104)
    alpha[20:60, 10:50] = 1
    matches = learned_matches(torch.stack([picture, picture]), torch.stack([alpha, alpha]), matcher)
    assert len(matches) > 0
    for xy in (matches.xy_first, matches.xy_second):
        assert (xy >= [10, 20]).all()
        assert (xy <= [50, 60]).all()


def test_a_loop_pairs_its_end_with_its_start(matcher):
    clip = pictures(12, 48, 48).permute(0, 2, 3, 1)
    seen = {}
    for is_loop in (False, True):
        counted = []
        learned_matches(clip, None, matcher, is_loop=is_loop, progress=lambda i, n, c=counted: c.append(n))
        seen[is_loop] = counted[-1]
    assert seen[True] > seen[False]


def test_an_untrained_matcher_does_not_spoil_the_cameras(matcher):
    params = orbit.level_orbit(np.deg2rad(18), orbit.log_focal(42), 1.0)
    focal = orbit.focal_px(params, 96, 112)
    K = torch.tensor([[focal, 0, 56], [0, focal, 48], [0, 0, 1]], dtype=torch.float32).repeat(16, 1, 1)
    cameras = Cameras(K, torch.from_numpy(orbit.poses(params, orbit.frame_times(16))).float(), 96, 112)
    drawn = render_mesh(potato(), cameras)
    images = (drawn.rgb / drawn.alpha.clamp(min=1 / 8)[..., None]).clamp(0, 1).float()
    told = []
    found = estimate(
        images,
        drawn.alpha.float(),
        PosesConfig(matcher=str(matcher)),
        is_closed=True,
        progress=lambda step, total, facts: told.append(facts.get("candidates")),
    )
    assert any(names and "orbit, learned" in names for names in told)
    assert compare(found.cameras, cameras).auc_15 > 80


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, FileNotFoundError, "takes the folder"),
        ("{", ValueError, "does not say"),
        (json.dumps({"model_type": "bert"}), ValueError, "'bert'"),
    ],
)
def test_what_is_no_matcher_is_named(tmp_path, text, error, words):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(error, match=words):
        check_matcher(tmp_path)


def test_a_matcher_without_weights_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "efficientloftr"}))
    with pytest.raises(ValueError, match="cannot be read"):
        learned_matches(torch.zeros(2, 48, 48, 3), None, tmp_path)
