"""Videos decoded: the right way up, in the right colours, with their alpha, and long ones only in part."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vid2three import decode
from vid2three.decode import Turn, decoded, grey, index_video, picture, planned, uprightness
from video_parts import turning, write_clip

# The display matrix (a, b, c, d) of a track, and what it does to the picture as NumPy says it; y points down.
TURNS = {
    "as it is": ((1, 0, 0, 1), lambda p: p),
    "clockwise": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "counterclockwise": ((0, -1, 1, 0), lambda p: np.rot90(p)),
    "upside down": ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
}


def first_picture(path, size=None) -> np.ndarray:
    height, width, turn = uprightness(path)
    height, width = size or (height, width)
    return next(picture(frame, height, width, turn) for _, frame in decoded(path, planned(index_video(path))))


@pytest.mark.parametrize("turn", TURNS)
def test_the_display_matrix_turns_the_picture(tmp_path, turn):
    frames = turning(3)[..., :3]
    path = write_clip(tmp_path / "a.mp4", frames, options={"crf": "1"})
    (a, b, c, d), expected = TURNS[turn]
    data = path.read_bytes()
    track = data.index(b"tkhd")
    place = data.index(struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), track)
    matrix = struct.pack(">9i", a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:place] + matrix + data[place + 36 :])
    wanted = expected(frames[0].astype(float))
    assert uprightness(path)[:2] == wanted.shape[:2]
    assert np.abs(first_picture(path) - wanted).mean() < 6


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = write_clip(tmp_path / "a.mkv", turning(3)[..., :3], "mpeg4", sample_aspect_ratio=Fraction(16, 11))
    assert uprightness(path)[:2] == (96, 186)
    path = write_clip(tmp_path / "b.mkv", turning(3)[..., :3], "mpeg4", sample_aspect_ratio=Fraction(3, 4))
    assert uprightness(path)[:2] == (128, 128)


@pytest.mark.parametrize(("number", "name"), [(1, "ITU709"), (5, "ITU601")])
def test_colours_come_back_by_the_matrix_that_the_file_states(tmp_path, number, name):
    frames = np.full((3, 64, 64, 3), (200, 60, 30), np.uint8)
    path = write_clip(tmp_path / "a.mkv", frames, "ffv1", "yuv444p", colorspace=number, color_range=1)
    np.testing.assert_allclose(first_picture(path)[9, 9], (200, 60, 30), atol=2)


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "options"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p", {"lossless": "1"}),
        ("a.mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
        ("b.mov", "qtrle", "argb", {}),
    ],
)
def test_alpha_survives(tmp_path, name, codec, pixel_format, options):
    frames = turning(3)
    path = write_clip(tmp_path / name, frames, codec, pixel_format, options=options)
    read = first_picture(path)
    assert read.shape == (96, 128, 4)
    assert np.abs(read[..., 3].astype(float) - frames[0, ..., 3]).mean() < 4
    solid = frames[0, ..., 3] == 255
    assert np.abs(read[solid][:, :3].astype(float) - frames[0][solid][:, :3]).mean() < 20  # colour at half resolution


def test_a_gif_keeps_its_transparency(tmp_path):
    pictures = [Image.fromarray(frame) for frame in turning(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=40, disposal=2)
    read = first_picture(tmp_path / "a.gif")
    np.testing.assert_array_equal(read[..., 3], turning(3)[0, ..., 3])


def test_shrinking_does_not_mix_in_the_colour_of_what_is_transparent(tmp_path):
    frames = np.zeros((3, 64, 64, 4), np.uint8)
    frames[:, :, 33:] = (200, 100, 50, 255)  # an odd column: the edge falls into a pixel
    path = write_clip(tmp_path / "a.mov", frames, "qtrle", "argb")
    small = first_picture(path, (32, 32))
    np.testing.assert_allclose(small[5, 16], (200, 100, 50, 128), atol=1)


def test_odd_sizes_are_read_whole(tmp_path):
    frames = turning(3, 77, 101)[..., :3]
    path = write_clip(tmp_path / "a.mkv", frames, "ffv1", "bgr0")
    np.testing.assert_array_equal(first_picture(path), frames[0])


def test_brightness_and_picture_stand_the_same_way(tmp_path):
    path = write_clip(tmp_path / "a.mp4", turning(3)[..., :3], options={"crf": "1"})
    frame = next(frame for _, frame in decoded(path, [(0, 3)]))
    shown = picture(frame, 48, 64, Turn()) @ np.array([0.299, 0.587, 0.114])
    assert np.corrcoef(grey(frame, 48, 64, Turn()).ravel(), shown.ravel())[0, 1] > 0.99


def test_a_budget_takes_the_start_of_every_group(tmp_path):
    frames = turning(40)[..., :3]
    path = write_clip(tmp_path / "a.mp4", frames, options={"g": "10", "sc_threshold": "0", "crf": "1"})
    index = index_video(path)
    assert (index.num_packets, index.keyframes) == (40, (0, 10, 20, 30))
    assert planned(index) == [(0, 40)]
    runs = planned(index, budget=12 * 96 * 128)
    assert runs == [(0, 3), (10, 13), (20, 23), (30, 33)]
    for (run, place), frame in decoded(path, runs):
        shown = picture(frame, 96, 128, Turn()).astype(float)
        near = min(range(40), key=lambda k: np.abs(shown - frames[k]).mean())
        assert abs(near - (runs[run][0] + place)) <= 6  # frames are decoded in another order than they are shown in
    again = [(key, picture(frame, 96, 128, Turn())) for key, frame in decoded(path, runs, frozenset({2}))]
    whole = [(key, picture(frame, 96, 128, Turn())) for key, frame in decoded(path, runs) if key[0] == 2]
    assert [key for key, _ in again] == [key for key, _ in whole]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(again, whole))


def test_keyframes_alone_are_thinned_to_the_budget(tmp_path):
    path = write_clip(tmp_path / "a.mp4", turning(24)[..., :3], options={"g": "1"})
    assert planned(index_video(path), budget=6 * 96 * 128) == [(k, k + 1) for k in range(0, 24, 4)]


def test_a_playlist_named_mp4_leads_nowhere(tmp_path):
    write_clip(tmp_path / "real.mp4", turning(12)[..., :3])
    real = tmp_path / "real.mp4"
    for text in (f"#EXTM3U\n#EXTINF:1,\n{real}\n#EXT-X-ENDLIST\n", f"ffconcat version 1.0\nfile {real}\n"):
        (tmp_path / "list.mp4").write_text(text)
        with pytest.raises(ValueError, match="is no video that can be read"):
            index_video(tmp_path / "list.mp4")


def test_frames_of_absurd_size_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", turning(3)[..., :3])
    monkeypatch.setattr(decode, "MOST_PIXELS", 64 * 64)
    with pytest.raises(ValueError, match="128 x 96 pixels; make it smaller"):
        index_video(path)
