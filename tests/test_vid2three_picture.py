"""A picture to begin with: cut out, put in its place, refused where it shows nothing, and shown by the clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generator.config import GenerateConfig
from generator.sample import generate
from generator.weights import save_model
from generator_parts import tiny_dit, tiny_vae
from vid2three.picture import REACH, load_picture
from vid2three.stages import checked_prompt

FEW = GenerateConfig(steps=4, num_frames=8)


def photo(path: Path, background: tuple[int, ...], box: tuple[int, int, int, int] = (260, 40, 420, 140)) -> Path:
    pixels = np.empty((300, 500, len(background)), np.uint8)
    pixels[:] = background
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = (200, 30, 20, 255)[: len(background)]
    pixels[bottom - 20 : bottom, left:right] = (20, 40, 190, 255)[: len(background)]
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("background", [(0, 0, 0, 0), (235, 230, 220), (20, 120, 60)])
def test_the_subject_is_cut_out_centred_and_as_large_as_in_training(tmp_path, background):
    picture = load_picture(photo(tmp_path / "photo.png", background), 96, 96)
    assert picture.shape == (4, 96, 96)
    rows, columns = np.nonzero(picture[3].numpy() > 0.5)
    assert abs(rows.mean() - 47.5) < 1
    assert abs(columns.mean() - 47.5) < 1
    assert np.hypot(rows - 47.5, columns - 47.5).max() == pytest.approx(48 * REACH, abs=2)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(1.6, rel=0.08)
    upper, lower = (picture[:3, row, 47] for row in (int(rows.min()) + 8, int(rows.max()) - 3))
    torch.testing.assert_close(upper, torch.tensor([200, 30, 20]) / 255, atol=0.06, rtol=0)
    torch.testing.assert_close(lower, torch.tensor([20, 40, 190]) / 255, atol=0.06, rtol=0)
    assert (picture[:3, 0, 0] > 0.99).all()  # on white


def test_a_wide_clip_shows_it_as_large_as_its_height_allows(tmp_path):
    picture = load_picture(photo(tmp_path / "photo.png", (0, 0, 0, 0)), 64, 128)
    rows, columns = np.nonzero(picture[3].numpy() > 0.5)
    assert np.hypot(rows - 31.5, columns - 63.5).max() == pytest.approx(32 * REACH, abs=2)


def test_a_picture_of_nothing_is_refused_with_the_cure(tmp_path):
    with pytest.raises(ValueError, match="hardly to be seen: crop the picture closer, or cut the subject out"):
        load_picture(photo(tmp_path / "far.png", (0, 0, 0, 0), (200, 100, 208, 106)), 64, 64)
    Image.new("RGB", (200, 200), (120, 130, 140)).save(tmp_path / "wall.png")
    with pytest.raises(ValueError, match=r"wall\.png"):
        load_picture(tmp_path / "wall.png", 64, 64)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        checked_prompt("a red box", 0, replace(FEW, image=str(tmp_path / "nowhere.png")))


def test_the_clip_begins_with_the_picture(tmp_path):
    picture = load_picture(photo(tmp_path / "photo.png", (0, 0, 0, 0)), 128, 128)
    shown, free = (generate("a red gift", FEW, seed=0, picture=p).frames[0].float() / 255 for p in (picture, None))
    error = [(frame - picture[:3].movedim(0, -1)).square().mean() for frame in (shown, free)]
    assert error[0] < 0.01
    assert error[0] < error[1] / 4


def test_a_model_that_takes_no_picture_says_so(tmp_path):
    save_model(tmp_path / "blind.safetensors", tiny_vae(), tiny_dit(0), {"num_frames": 4, "size": 16, "steps": 0})
    config = replace(FEW, model=str(tmp_path / "blind.safetensors"), num_frames=4, height=16, width=16)
    with pytest.raises(ValueError, match="takes no picture"):
        generate("a red mug", config, seed=0, picture=torch.ones(4, 16, 16))


def test_a_size_that_the_model_has_not_learnt_gets_a_note():
    usual = replace(FEW, num_frames=24)
    for height in (64, 128):
        assert checked_prompt("a red mug", 0, replace(usual, height=height, width=height)).notes == ()
    (note,) = checked_prompt("a red mug", 0, replace(usual, height=64)).notes
    assert "learnt clips of 64 x 64 and 128 x 128 pixels; those of 128 x 64" in note


def test_a_thing_that_the_weights_have_not_seen_gets_a_note(tmp_path):
    learnt = {"num_frames": 24, "size": 128, "steps": 0, "categories": 54}
    save_model(tmp_path / "tiny.safetensors", tiny_vae(), tiny_dit(), learnt)
    for prompt in ("a red fox", "a cat next to a fox"):
        usual = replace(FEW, num_frames=24)
        assert checked_prompt(prompt, 0, replace(usual, model=str(tmp_path / "tiny.safetensors"))).notes == (
            "The model has hardly seen any foxes yet: the result may vary.",
        )
        assert checked_prompt(prompt, 0, usual).notes == ()


def test_far_cameras_few_frames_and_parts_of_a_turn_get_notes():
    usual = replace(FEW, num_frames=24)
    for changed, words in (
        ({"num_frames": 2}, "clips of 24 frames; 2 may come out badly"),
        ({"elevation_deg": -20.0}, "from -10 to 50 degrees of elevation; from -20"),
        ({"span_deg": 180.0}, "covers 180 of 360 degrees"),
    ):
        (note,) = checked_prompt("a red mug", 0, replace(usual, **changed)).notes
        assert words in note


def test_a_prompt_that_is_too_long_gets_a_note():
    long = "a kangaroo with " + ", ".join(["wings"] * 30) + " and a tiny silver bell"
    notes = checked_prompt(long, 0, replace(FEW, num_frames=24)).notes
    assert any(note.startswith("The prompt is longer") and "a tiny silver bell" in note for note in notes)
