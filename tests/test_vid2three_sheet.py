"""The contact sheet: every picture where it belongs, whole, and the same pixels every time."""

import numpy as np
import pytest

from vid2three.sheet import GAP, MARGIN, PAGE, WIDTH, Row, contact_sheet, tile_size


def plain(color, height=64, width=64) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


COLORS = [(200, 20, 20), (20, 160, 20), (30, 30, 200), (180, 160, 10)]


@pytest.fixture
def rows() -> list[Row]:
    return [
        Row("Frames", "eight of them", [plain(COLORS[index % 4]) for index in range(8)]),
        Row("Mesh", "from four sides", [plain(color) for color in COLORS], ("front", "right", "back", "left")),
    ]


def test_each_picture_stands_in_its_column(rows):
    sheet = contact_sheet("“a mug”", "seed 0", rows)
    height, width = tile_size(rows[1].pictures, 4)
    middle = sheet.shape[0] - MARGIN - height // 2
    for index, color in enumerate(COLORS):
        np.testing.assert_array_equal(sheet[middle, MARGIN + index * (width + GAP) + width // 2], color)


def test_rows_of_four_and_of_eight_are_equally_wide():
    ends = [MARGIN + n * tile_size([plain(0)], n)[1] + (n - 1) * GAP for n in (4, 8)]
    assert ends == [WIDTH - MARGIN] * 2


def test_nothing_touches_the_margin(rows):
    sheet = contact_sheet("a prompt of many words " * 20, "seed 0", rows)
    for strip in (sheet[:, : MARGIN - 4], sheet[:, 4 - MARGIN :], sheet[4 - MARGIN :], sheet[: MARGIN // 2]):
        np.testing.assert_array_equal(strip.reshape(-1, 3), np.broadcast_to(PAGE, (strip.shape[0] * strip.shape[1], 3)))


def test_tall_pictures_keep_their_shape_and_very_tall_ones_are_cropped_about_the_middle():
    height, width = tile_size([plain(0, 120, 100)], 4)
    assert height / width == pytest.approx(1.2, abs=0.01)
    stripes = plain((255, 255, 255), 300, 100)
    stripes[:60], stripes[-60:] = (255, 0, 0), (0, 0, 255)
    sheet = contact_sheet("t", "", [Row("r", "", [stripes] * 4)])
    tile = sheet[-MARGIN - height // 2 :, MARGIN + width // 2]
    assert not (tile == (255, 0, 0)).all(axis=1).any()


def test_the_same_rows_give_the_same_pixels(rows):
    np.testing.assert_array_equal(contact_sheet("a", "b", rows), contact_sheet("a", "b", rows))
