"""Footage in: real files of every kind come out as a few good frames, bad ones as one sentence."""

import json
import os

import av
import numpy as np
import pytest
from PIL import Image

from vid2three import decode, sources
from vid2three.errors import is_users_mistake, sentence
from vid2three.footage import Footage, read_footage
from vid2three.hdr import light_of_pq
from vid2three.run import peak_memory_mb
from video_parts import turning, write_clip


def read(path, num_frames=24, max_size=512) -> Footage:
    return read_footage(path, num_frames, max_size)


def complaint(path, **options) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as info:
        read(path, **options)
    assert is_users_mistake(info.value)
    said = sentence(info.value)
    assert said.encode("utf-8")
    return said


@pytest.fixture
def clip(tmp_path):
    """A turn in 30 frames, 128 x 96."""
    return write_clip(tmp_path / "clip.mp4", turning(30)[..., :3], options={"crf": "8"})


def write_photos(folder, frames, suffix="jpg"):
    folder.mkdir()
    for index, pixels in enumerate(frames):
        Image.fromarray(pixels).save(folder / f"img_{index}.{suffix}", quality=95)
    return folder


def test_a_clip_becomes_frames_with_their_places_and_times(clip):
    steps = []
    footage = read_footage(clip, 15, 512, lambda step, total: steps.append((step, total)))
    assert footage.frames.shape == (15, 96, 128, 3)
    assert footage.alphas is None
    assert footage.fps == pytest.approx(24)
    assert footage.closed is True
    assert list(footage.indices) == sorted(set(footage.indices))
    np.testing.assert_allclose(footage.times, np.array(footage.indices) / 24, atol=1e-3)
    assert np.abs(footage.frames.astype(float) - turning(30)[list(footage.indices), ..., :3]).mean() < 6
    assert steps[-1] == (30, 30)
    assert json.loads(json.dumps(footage.facts)) == footage.facts
    assert footage.facts["num_source_frames"] == 30


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mov", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mkv", "ffv1", "yuv444p"),
        ("a.mp4", "libx265", "yuv420p10le"),
        ("no-ending", "libx264", "yuv420p"),
    ],
)
def test_every_container_gives_the_same_turn(tmp_path, name, codec, pixel_format):
    options = {"log-level": "none"} if codec == "libx265" else {}
    path = tmp_path / name
    write_clip(
        tmp_path / ("x.mp4" if name == "no-ending" else name),
        turning(24)[..., :3],
        codec,
        pixel_format,
        options=options,
    )
    if name == "no-ending":
        (tmp_path / "x.mp4").rename(path)
    footage = read(path, 64)
    assert len(footage.frames) in (23, 24)
    assert np.abs(footage.frames.astype(float) - turning(24)[list(footage.indices), ..., :3]).mean() < 16


def test_frames_are_shrunk_to_the_largest_size_and_never_enlarged(clip):
    assert read(clip, max_size=64).frames.shape[1:] == (48, 64, 3)
    assert read(clip, max_size=1024).frames.shape[1:] == (96, 128, 3)


def test_times_are_those_of_the_file_where_frames_come_at_varying_rates(tmp_path):
    times = [int(t) for t in np.cumsum([0, *np.random.default_rng(0).integers(10, 200, 23)])]
    footage = read(write_clip(tmp_path / "a.mkv", turning(24)[..., :3], times=times), 64)
    np.testing.assert_allclose(footage.times, np.array(times)[list(footage.indices)] / 1000, atol=2e-3)


def test_repeated_frames_are_left_out_and_counted(tmp_path):
    twice = np.repeat(turning(24)[..., :3], 2, axis=0)
    footage = read(write_clip(tmp_path / "a.mp4", twice), 64)
    assert len(footage.frames) in (23, 24)
    assert footage.facts["num_duplicates"] >= 20


def test_alpha_of_a_video_and_of_pictures_comes_along(tmp_path):
    video = write_clip(tmp_path / "a.webm", turning(16), "libvpx-vp9", "yuva420p", options={"lossless": "1"})
    photos = write_photos(tmp_path / "photos", turning(16), "png")
    for path in (video, photos):
        footage = read(path, 64)
        np.testing.assert_allclose(footage.alphas, turning(16)[list(footage.indices), ..., 3], atol=2)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_shown_as_bright_as_sdr(tmp_path, transfer):
    """A grey of 26 % of white, coded by PQ or HLG, comes out as sRGB codes it."""
    grid = np.linspace(0, 1, 4096)
    signal = np.interp(0.26, light_of_pq(grid), grid) if transfer == 16 else np.interp(0.26, _hlg(grid), grid)
    frames = np.full((12, 96, 128, 3), round(signal * 65535), np.uint16)
    for index in range(12):
        frames[index, 20:60, 8 * index : 8 * index + 20] = 9000
    path = write_clip(
        tmp_path / "a.mkv",
        frames,
        "ffv1",
        "yuv444p10le",
        colorspace=9,
        color_primaries=9,
        color_trc=transfer,
        color_range=1,
    )
    footage = read(path)
    expected = 255 * (1.055 * 0.26 ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(footage.frames[0, 90, 100], expected, atol=3)


def _hlg(grid: np.ndarray) -> np.ndarray:
    from vid2three.hdr import light_of_hlg

    return light_of_hlg(np.repeat(grid[:, None], 3, axis=1))[:, 0]


def test_pictures_are_taken_in_the_order_of_their_numbers(tmp_path):
    footage = read(write_photos(tmp_path / "photos", turning(24)[..., :3], "png"), 64)
    assert len(footage.frames) in (23, 24)
    np.testing.assert_array_equal(footage.frames[11], turning(24)[footage.indices[11], ..., :3])
    assert footage.fps == 0


def test_pictures_are_turned_as_their_camera_was_held(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    orientation = Image.Exif()
    orientation[0x0112] = 6
    for index, pixels in enumerate(turning(12)[..., :3]):
        Image.fromarray(np.rot90(pixels).copy()).save(folder / f"{index}.jpg", exif=orientation, quality=95)
    footage = read(folder)
    assert footage.frames.shape[1:] == (96, 128, 3)
    assert np.abs(footage.frames[0].astype(float) - turning(12)[0, ..., :3]).mean() < 12


def test_pictures_of_one_shape_and_several_sizes_come_out_in_the_smallest(tmp_path):
    folder = write_photos(tmp_path / "photos", turning(12)[..., :3])
    Image.fromarray(turning(12, 192, 256)[3, ..., :3]).save(folder / "img_3.jpg")
    assert read(folder).frames.shape == (12, 96, 128, 3)


def test_a_long_clip_is_looked_at_in_part_within_its_budget(tmp_path, monkeypatch):
    frames = turning(120)[..., :3]
    path = write_clip(tmp_path / "a.mp4", frames, options={"g": "12", "sc_threshold": "0"})
    monkeypatch.setattr(decode.planned, "__defaults__", (60 * 96 * 128,))
    footage = read(path, 16)
    assert footage.facts["num_looked_at"] == 60
    assert "is long: 60 of its 120 frames were looked at" in footage.notes[0]
    assert len(footage.frames) == 16
    assert max(np.diff(footage.indices)) <= 14
    assert footage.closed is not False


def test_of_very_many_frames_every_few_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_LOOKED_AT", 30)
    footage = read(write_clip(tmp_path / "a.mp4", turning(120)[..., :3]), 16)
    assert footage.facts["num_looked_at"] == 30
    assert all(index % 4 == 0 for index in footage.indices)
    assert np.abs(footage.frames.astype(float) - turning(120)[list(footage.indices), ..., :3]).mean() < 12


@pytest.mark.slow
def test_ten_thousand_frames_in_4k_stay_small_in_memory(tmp_path):
    """Repeats one turn of coded pictures: the file is long, its writing is not."""
    path = tmp_path / "long.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "1"})
        stream.height, stream.width, stream.pix_fmt = 2112, 3840, "yuv420p"
        packets = []
        for pixels in turning(24)[..., :3]:
            packets += stream.encode(av.VideoFrame.from_ndarray(np.kron(pixels, np.ones((22, 30, 1), np.uint8))))
        packets += stream.encode(None)
        data = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for index in range(10_000):
            coded, is_key = data[index * 24 // 10_000]
            packet = av.Packet(coded)
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, index, index, is_key
            packet.time_base = stream.codec_context.time_base
            container.mux(packet)
    before = peak_memory_mb()
    footage = read(path, 32)
    assert footage.frames.shape[1:] == (282, 512, 3)
    assert peak_memory_mb() - before < 1000
    assert footage.facts["num_source_frames"] == 10_000


def test_a_clip_that_was_cut_off_gives_what_it_holds(tmp_path):
    path = write_clip(tmp_path / "a.mkv", turning(60)[..., :3], options={"g": "10", "crf": "10"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    footage = read(path)
    assert footage.closed is False
    assert len(footage.frames) == 24
    assert max(footage.indices) < 40


def test_a_clip_that_is_damaged_in_the_middle_goes_on(tmp_path):
    path = write_clip(tmp_path / "a.mkv", turning(60)[..., :3], options={"g": "10", "crf": "10"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    assert len(read(path).frames) == 24


def test_any_file_name_will_do(tmp_path, clip):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe caf\xe9 \n.mp4")
    clip.rename(name)
    assert len(read(clip.with_name(os.path.basename(name))).frames) == 24
    os.truncate(name, 0)
    assert "is empty" in complaint(clip.with_name(os.path.basename(name)))


def test_files_that_are_no_footage_get_a_sentence(tmp_path):
    (tmp_path / "text.mp4").write_text("A text that calls itself a video.\n" * 40)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))
    for name, words in (("text.mp4", "is no video"), ("empty.mp4", "is empty"), ("noise.mp4", "is no video")):
        assert words in complaint(tmp_path / name)
    assert "There is no" in complaint(tmp_path / "nowhere.mp4")
    assert "cannot be read" in complaint(tmp_path / ("long" * 100))
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "is no file" in complaint(tmp_path / "pipe.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_gets_a_sentence(clip):
    clip.chmod(0)
    assert "check its permissions" in complaint(clip)


def test_a_clip_without_its_end_that_players_need_gets_a_sentence(clip):
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])  # an MP4's table of frames stands at its end
    assert "was not written to its end" in complaint(clip)


def test_sound_alone_is_named(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "only sound" in complaint(tmp_path / "a.mp4")


def test_one_frame_a_still_clip_and_too_few_views_are_named(tmp_path):
    frames = turning(30)[..., :3]
    assert "one picture" in complaint(write_clip(tmp_path / "one.mp4", frames[:1]))
    assert "Nothing moves" in complaint(write_clip(tmp_path / "still.mp4", frames[[0] * 40]))
    said = complaint(write_clip(tmp_path / "few.mp4", frames[[0] * 9 + [4] * 9 + [9] * 9]))
    assert "3 views that differ, of 27 pictures; at least 8 are needed" in said


def test_tiny_pictures_are_named(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (12, 1, 1, 3)).astype(np.uint8)
    assert "shows 1 x 1 pixels" in complaint(write_clip(tmp_path / "a.mkv", pixels, "ffv1", "bgr0"))
    assert "shows 1 x 1 pixels" in complaint(write_photos(tmp_path / "photos", pixels, "png"))
    strip = write_clip(tmp_path / "b.mkv", turning(12, 32, 1024)[..., :3], "ffv1", "bgr0")
    assert "after shrinking to 512" in complaint(strip)


def test_folders_that_hold_no_footage_get_a_cure(tmp_path):
    assert "holds no pictures; pass a video" in complaint(tmp_path)
    write_photos(tmp_path / "images", turning(12)[..., :3])
    assert "did you mean" in complaint(tmp_path)
    assert "images" in complaint(tmp_path)
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "IMG_1.HEIC").touch()
    assert "save them as JPEG" in complaint(tmp_path / "phone")
    assert "one picture" in complaint(write_photos(tmp_path / "single", turning(1)[..., :3]))


def test_pictures_of_different_shapes_are_named(tmp_path):
    folder = write_photos(tmp_path / "photos", turning(12)[..., :3])
    Image.fromarray(turning(1, 128, 96)[0, ..., :3]).save(folder / "img_7.jpg")
    said = complaint(folder)
    assert "128 x 96" in said
    assert "img_7.jpg 96 x 128" in said


def test_a_broken_picture_is_named(tmp_path):
    folder = write_photos(tmp_path / "photos", turning(12)[..., :3])
    (folder / "img_5.jpg").write_bytes((folder / "img_5.jpg").read_bytes()[:300])
    assert "img_5.jpg" in complaint(folder)
    (folder / "img_5.jpg").write_text("no picture")
    assert "img_5.jpg is no picture" in complaint(folder)


def test_the_same_file_gives_the_same_frames(clip):
    first, second = read(clip), read(clip)
    np.testing.assert_array_equal(first.frames, second.frames)
    assert (first.indices, first.times, first.facts) == (second.indices, second.times, second.facts)
