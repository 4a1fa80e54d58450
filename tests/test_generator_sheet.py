"""Contact sheets: one caption a row, the orbit side by side, the same picture for the same model."""

import numpy as np
from PIL import Image

from generator.sheet import CAPTIONS, SHOWN_FRAMES, write_sheet
from generator.text import load_text_encoder
from generator_parts import tiny_dit, tiny_vae

SIZE = 16


def sheet(path, num_frames: int, seed: int = 0) -> np.ndarray:
    write_sheet(path, tiny_vae(seed), tiny_dit(seed), load_text_encoder(), num_frames, SIZE, coarsest=SIZE)
    return np.asarray(Image.open(path))


def test_a_sheet_shows_eight_frames_of_a_long_orbit(tmp_path):
    assert sheet(tmp_path / "a.png", 16).shape == (len(CAPTIONS) * SIZE, SHOWN_FRAMES * SIZE, 3)


def test_sheets_of_one_model_are_equal(tmp_path):
    one = sheet(tmp_path / "a.png", 4)
    assert one.shape == (len(CAPTIONS) * SIZE, 4 * SIZE, 3)
    assert np.array_equal(sheet(tmp_path / "b.png", 4), one)
    rows = one.reshape(len(CAPTIONS), SIZE, 4, SIZE, 3)
    assert not any(np.array_equal(rows[i], rows[i + 1]) for i in range(len(CAPTIONS) - 1))
