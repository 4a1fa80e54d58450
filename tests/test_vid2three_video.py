"""Videos: what any player needs, the pictures that went in, and equal bytes for equal frames."""

import av
import numpy as np
import pytest

from vid2three.video import enlarged, has_h264, load_video, save_video


@pytest.fixture
def frames() -> np.ndarray:
    """Six frames 256 high and 320 wide: a bright square that walks over a gradient."""
    ramp = np.linspace(30, 200, 320)[None, :, None] * np.ones((256, 1, 3))
    frames = np.repeat(ramp[None], 6, axis=0)
    for index in range(6):
        frames[index, 100:160, 40 * index : 40 * index + 60] = (230, 60, 40)
    return frames.astype(np.uint8)


def test_a_player_finds_h264_in_yuv420p(frames, tmp_path):
    save_video(tmp_path / "a.mp4", frames, 12)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width, stream.frames) == (256, 320, 6)


def test_load_gives_the_frames_that_were_saved(frames, tmp_path):
    save_video(tmp_path / "a.mp4", frames, 12)
    read, fps = load_video(tmp_path / "a.mp4")
    assert fps == pytest.approx(12)
    assert read.shape == frames.shape
    assert np.abs(read.astype(float) - frames).mean() < 2


def test_equal_frames_give_equal_bytes(frames, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        save_video(tmp_path / name, frames, 24)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("shape", [(0, 64, 64, 3), (2, 63, 64, 3), (2, 64, 63, 3)])
def test_frames_that_no_player_takes_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match="even height and width"):
        save_video(tmp_path / "a.mp4", np.zeros(shape, np.uint8), 24)


def test_small_frames_grow_by_a_whole_factor_and_keep_their_mean():
    small = np.random.default_rng(0).integers(60, 200, (2, 64, 80, 3)).astype(np.uint8)
    large = enlarged(small)
    assert large.shape == (2, 256, 320, 3)
    blocks = large.reshape(2, 64, 4, 80, 4, 3).mean(axis=(2, 4))
    assert np.abs(blocks - small).mean() < 12
    assert abs(large.mean() - small.mean()) < 0.5


def test_large_frames_are_only_trimmed_to_even_sides():
    frames = np.random.default_rng(0).integers(0, 255, (1, 301, 403, 3)).astype(np.uint8)
    np.testing.assert_array_equal(enlarged(frames), frames[:, :300, :402])


def test_this_pyav_can_write_h264():
    assert has_h264()
