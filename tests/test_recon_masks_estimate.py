"""Masks of any clip: plain backgrounds with shadows and gradients, still and moving photographs, and honest doubt."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from recon.masks import estimate_alphas
from recon.masks.backdrop import border, fitted_backdrop, soft_shadow
from recon.masks.cut import cut
from recon.masks.edges import refined
from recon.masks.plates import background_motion

HEIGHT, WIDTH, NUM_FRAMES = 90, 120, 10


@pytest.fixture(scope="module")
def blob() -> tuple[np.ndarray, np.ndarray]:
    """A turning, lopsided blob with stripes: colours [F,H,W,3], straight, and alphas [F,H,W], antialiased."""
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    colors, alphas = [], []
    for turn in np.arange(NUM_FRAMES) * 2 * np.pi / NUM_FRAMES:
        radius = np.hypot(u - 60 - 6 * np.cos(turn), v - 45)
        reach = 24 + 4 * np.cos(2 * np.arctan2(v - 45, u - 60) + turn)
        alphas.append(np.clip(reach - radius + 0.5, 0, 1))
        stripes = 0.5 + 0.3 * np.sin(u / 4 + 3 * turn)
        colors.append(np.stack([0.3 + 0.6 * stripes, 0.15 + 0.2 * stripes, 0.1 + 0 * u], -1))
    return np.stack(colors).astype(np.float32), np.stack(alphas).astype(np.float32)


def laid(blob, behind, noise=0.01):
    colors, alphas = blob
    images = colors * alphas[..., None] + behind * (1 - alphas[..., None])
    images = images + np.random.default_rng(0).normal(0, noise, images.shape)
    return torch.from_numpy(np.clip(images, 0, 1).astype(np.float32))


def ious(masking, alphas):
    ours, truth = masking.alphas.numpy() > 0.5, alphas > 0.5
    return (ours & truth).sum((1, 2)) / (ours | truth).sum((1, 2))


def clouds(width=WIDTH):
    """Blurred colour noise over a grain: a picture full of features."""
    generator = np.random.default_rng(3)
    picture = sum(
        ndimage.gaussian_filter(generator.normal(0, 1, (HEIGHT, width, 3)), (s, s, 0)) * s for s in (1.0, 3.0, 8.0)
    )
    return np.clip(0.5 + 0.15 * picture / picture.std(), 0, 1).astype(np.float32)


def gradient(height=HEIGHT, width=WIDTH):
    v, u = np.mgrid[:height, :width] / height
    return np.stack([0.6 + 0.3 * v, 0.8 - 0.1 * u**2, 0.9 - 0.2 * v * u], -1)


@pytest.mark.parametrize("behind", [np.ones(3), np.zeros(3), np.array([0.1, 0.7, 0.2]), gradient()])
def test_subject_on_a_plain_or_graded_background_is_found(blob, behind):
    masking = estimate_alphas(laid(blob, behind))
    assert masking.method == "plain background"
    assert ious(masking, blob[1]).min() > 0.97
    assert float(np.abs(masking.alphas.numpy() - blob[1]).mean()) < 0.01
    assert masking.doubt < 0.2
    assert masking.notes == ()


def test_a_soft_shadow_is_no_subject(blob):
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    shadow = 0.4 * np.exp(-(((u - 60) / 40) ** 2) - ((v - 70) / 14) ** 2)
    masking = estimate_alphas(laid(blob, 0.95 * (1 - shadow)[..., None] * np.ones(3), noise=0.004))
    assert ious(masking, blob[1]).min() > 0.93


def test_subject_before_a_still_photograph_is_found(blob):
    masking = estimate_alphas(laid(blob, clouds()))
    assert masking.method == "grabcut"
    assert ious(masking, blob[1]).mean() > 0.93


def test_subject_before_a_panned_photograph_is_found(blob):
    wide = clouds(3 * WIDTH)
    behind = np.stack([wide[:, 15 * index : 15 * index + WIDTH] for index in range(NUM_FRAMES)])
    images = laid(blob, behind)
    motion = background_motion(images.numpy())
    assert not motion.is_still
    np.testing.assert_allclose(motion.warps[0, 1], [[1, 0, -15], [0, 1, 0], [0, 0, 1]], atol=0.3)
    masking = estimate_alphas(images)
    assert ious(masking, blob[1]).mean() > 0.9


def test_a_picture_without_a_subject_gives_no_alphas():
    wide = clouds(3 * WIDTH)
    images = np.stack([wide[:, 15 * index : 15 * index + WIDTH] for index in range(NUM_FRAMES)])
    masking = estimate_alphas(torch.from_numpy(images))
    assert masking.alphas is None
    assert masking.method == "none"
    assert masking.doubt > 0.5
    assert ["--masks FOLDER" in note for note in masking.notes] == [True]


def test_an_empty_backdrop_gives_no_alphas():
    masking = estimate_alphas(torch.full((3, 40, 60, 3), 0.8))
    assert masking.alphas is None


def test_a_subject_that_runs_out_of_the_picture_is_told(blob):
    images = laid(blob, np.ones(3))[:, :, :70]
    masking = estimate_alphas(images)
    assert any("runs out of the picture" in note for note in masking.notes)


def test_same_pictures_give_same_alphas_and_progress_ends_at_one(blob):
    images, shares = laid(blob, clouds())[:4], []
    first = estimate_alphas(images, progress=shares.append)
    second = estimate_alphas(images)
    assert first.doubt == second.doubt
    if first.alphas is not None:
        torch.testing.assert_close(first.alphas, second.alphas, rtol=0, atol=0)
        assert shares[-1] == pytest.approx(1)
    assert shares == sorted(shares)


def test_a_polynomial_backdrop_is_found_under_a_subject():
    picture = gradient().astype(np.float32)
    covered = picture.copy()
    covered[60:, 40:70] = 0
    fit, share = fitted_backdrop(covered, border(HEIGHT, WIDTH, 0.04), order=3)
    assert float(np.abs(fit - picture).max()) < 0.02
    assert share > 0.85


def test_the_inside_of_a_grey_disc_is_no_shadow():
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    disc = np.hypot(u - 60, v - 45) < 25
    image = np.where(disc, 0.6, 0.9)[..., None] * np.ones(3)
    assert not soft_shadow(image, np.full_like(image, 0.9), ~disc)[disc].any()


def test_the_cut_follows_the_edge_and_ignores_stray_evidence():
    v, u = np.mgrid[:60, :80]
    disc = np.hypot(u - 40, v - 30) < 18
    image = np.where(disc[..., None], [0.8, 0.2, 0.2], [0.2, 0.3, 0.8]).astype(np.float32)
    generator = np.random.default_rng(0)
    evidence = np.where(disc, 0.2, -0.2) + generator.normal(0, 0.4, disc.shape)
    found = cut(evidence.astype(np.float32), image, 200) > 0.5
    assert (evidence > 0)[disc].mean() < 0.75
    assert (found & disc).sum() / (found | disc).sum() > 0.98


def test_refined_edges_are_the_true_alphas_of_a_mask_of_half_the_size(blob):
    colors, alphas = blob
    image = colors[0] * alphas[0, ..., None] + np.array([0.1, 0.3, 0.8]) * (1 - alphas[0, ..., None])
    small = alphas[0].reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3)) > 0.5
    found = refined(small, image.astype(np.float32))
    edge = (alphas[0] > 0.02) & (alphas[0] < 0.98)
    assert found.shape == (HEIGHT, WIDTH)
    assert float(np.abs(found - alphas[0])[edge].mean()) < 0.12
    assert float(np.abs(found - alphas[0]).mean()) < 0.01


def test_renders_on_a_gradient_give_back_their_alpha(shared_data):
    files = sorted((shared_data / "orbits/fuze/train").glob("*.png"))[::8]
    rgba = np.stack([np.asarray(Image.open(file)) for file in files]).astype(np.float32) / 255
    behind = gradient(256, 256)
    masking = estimate_alphas(laid((rgba[..., :3], rgba[..., 3]), behind))
    assert ious(masking, rgba[..., 3]).min() > 0.98
    assert masking.doubt < 0.2


@pytest.mark.slow
def test_photographs_of_a_whole_room_are_not_cut(shared_data):
    files = sorted((shared_data / "captures/fox/images").glob("*.jpg"))[::2]
    photos = np.stack([np.asarray(Image.open(file)) for file in files]).astype(np.float32) / 255
    assert estimate_alphas(torch.from_numpy(photos)).alphas is None
