"""Masks of one's own: matched to frames by order or number, shrunk to them, or refused with the cure."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vid2three.given_masks import load_masks, matched


def saved(folder, masks, names=None) -> Path:
    folder.mkdir(exist_ok=True)
    for index, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / (names[index] if names else f"{index}.png"))
    return folder


@pytest.fixture
def masks() -> np.ndarray:
    """Twelve masks, 24 x 32, the k-th with a white bar at column 2 k."""
    masks = np.zeros((12, 24, 32), np.uint8)
    for index in range(12):
        masks[index, 4:20, 2 * index : 2 * index + 8] = 255
    return masks


def test_one_mask_a_source_frame_or_a_chosen_one_is_matched_by_order(tmp_path, masks):
    chosen = [0, 3, 7, 11]
    read = load_masks(saved(tmp_path / "all", masks), chosen, 12, 24, 32)
    np.testing.assert_array_equal(read.numpy() * 255, masks[chosen])
    read = load_masks(saved(tmp_path / "some", masks[chosen]), chosen, 12, 24, 32)
    np.testing.assert_array_equal(read.numpy() * 255, masks[chosen])


def test_other_counts_are_matched_by_number():
    paths = tuple(Path(f"mask_2_{number:04d}.png") for number in (0, 1, 3, 7, 9))
    assert [path.name for path in matched(paths, [0, 3, 9], 100, Path("m"))] == [
        "mask_2_0000.png",
        "mask_2_0003.png",
        "mask_2_0009.png",
    ]
    with pytest.raises(ValueError, match="m holds 5 masks for 100 frames, of which 3 are used"):
        matched(paths, [0, 2, 9], 100, Path("m"))


def test_masks_of_the_same_shape_are_shrunk_and_others_are_named(tmp_path, masks):
    large = np.kron(masks, np.ones((1, 3, 3), np.uint8))
    read = load_masks(saved(tmp_path / "large", large), list(range(12)), 12, 24, 32)
    np.testing.assert_array_equal(read.numpy() * 255, masks)
    with pytest.raises(ValueError, match=r"0.png has 32 x 24 pixels, its frame 24 x 32; make masks of the frames' own"):
        load_masks(saved(tmp_path / "small", masks), list(range(12)), 12, 32, 24)


def test_alpha_is_the_mask_where_there_is_some(tmp_path, masks):
    rgba = np.zeros((12, 24, 32, 4), np.uint8)
    rgba[..., 3] = masks
    read = load_masks(saved(tmp_path / "rgba", rgba), list(range(12)), 12, 24, 32)
    np.testing.assert_array_equal(read.numpy() * 255, masks)


@pytest.mark.parametrize(("value", "words"), [(0, "show nothing"), (255, "show everything")])
def test_masks_without_an_outline_are_refused(tmp_path, masks, value, words):
    folder = saved(tmp_path / "flat", np.full_like(masks, value))
    with pytest.raises(ValueError, match=words):
        load_masks(folder, list(range(12)), 12, 24, 32)
