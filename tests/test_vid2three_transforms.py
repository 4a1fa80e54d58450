"""transforms.json: written and read back, NeRF's and nerfstudio's dialects, and one sentence for every fault."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generator.rays import intrinsics, orbit_c2w
from recon.camera import Cameras, invert_rigid
from vid2three.formats.images import depth_unit, load_depth, save_depth
from vid2three.formats.transforms import load_transforms, save_transforms


def write(folder: Path, data: dict, size: tuple[int, int] = (20, 30), num_images: int = 3) -> Path:
    """Write pictures of height x width and a transforms.json; return its path."""
    for index in range(num_images):
        Image.new("RGB", size[::-1], (index, 2, 3)).save(folder / f"{index}.png")
    path = folder / "transforms.json"
    path.write_text(json.dumps(data))
    return path


@pytest.fixture
def good() -> dict:
    matrices = orbit_c2w(3, 20, 4.0) * [1, -1, -1, 1]  # to OpenGL's axes
    frames = [{"file_path": f"{index}.png", "transform_matrix": m.tolist()} for index, m in enumerate(matrices)]
    return {"fl_x": 33.0, "fl_y": 34.0, "cx": 14.0, "cy": 11.0, "w": 30, "h": 20, "frames": frames}


def test_load_undoes_save(tmp_path):
    c2w = torch.from_numpy(orbit_c2w(3, 20, 4.0)).float()
    K = torch.from_numpy(np.stack([intrinsics(40 + fov, 20, 30) for fov in range(3)])).float()
    for same in (True, False):
        cameras = Cameras(K[:1].repeat(3, 1, 1) if same else K, invert_rigid(c2w), 20, 30)
        write(tmp_path, {})
        save_transforms(tmp_path / "transforms.json", cameras, [f"{index}.png" for index in range(3)])
        read = load_transforms(tmp_path)
        assert torch.equal(read.cameras.K, cameras.K)
        torch.testing.assert_close(read.cameras.w2c, cameras.w2c, rtol=0, atol=2e-6)
        assert (read.cameras.height, read.cameras.width) == (20, 30)
        assert [path.name for path in read.images] == ["0.png", "1.png", "2.png"]
        assert ("fl_x" in json.loads((tmp_path / "transforms.json").read_text())) is same


def test_a_camera_of_opengl_looks_along_its_minus_z(tmp_path, good):
    """The file's own words: column 1 is up, column 2 points backward."""
    cameras = load_transforms(write(tmp_path, good)).cameras
    matrix = torch.tensor(good["frames"][1]["transform_matrix"])
    ahead = matrix[:3, 3] - 2 * matrix[:3, 2] + 0.5 * matrix[:3, 1]
    local = cameras.w2c[1, :3, :3] @ ahead + cameras.w2c[1, :3, 3]
    torch.testing.assert_close(local, torch.tensor([0.0, -0.5, 2.0]), rtol=0, atol=1e-5)


def test_field_of_view_and_missing_endings_as_nerf_writes_them(tmp_path, good):
    data = {"camera_angle_x": 0.8, "frames": good["frames"]}
    for frame in data["frames"]:
        frame["file_path"] = "./" + frame["file_path"].removesuffix(".png")
    K = load_transforms(write(tmp_path, data)).cameras.K[0]
    focal = 15 / math.tan(0.4)
    torch.testing.assert_close(K, torch.tensor([[focal, 0, 15], [0, focal, 10], [0, 0, 1]]))


def test_a_frame_may_have_its_own_intrinsics(tmp_path, good):
    good["frames"][2] |= {"fl_x": 50.0, "cy": 9.0}
    K = load_transforms(write(tmp_path, good)).cameras.K
    assert K[0].tolist() == [[33, 0, 14], [0, 34, 11], [0, 0, 1]]
    assert K[2].tolist() == [[50, 0, 14], [0, 34, 9], [0, 0, 1]]


def drop(key, frame=None):
    return lambda data: (data if frame is None else data["frames"][frame]).pop(key)


def put(key, value, frame=None):
    return lambda data: (data if frame is None else data["frames"][frame]).update({key: value})


def matrix_entry(value):
    return lambda data: data["frames"][1]["transform_matrix"][0].__setitem__(3, value)


FAULTS = {
    "no frames": (put("frames", []), "holds no frames"),
    "frames missing": (drop("frames"), "lacks the list 'frames'"),
    "matrix missing": (drop("transform_matrix", 1), "frame 1: 'transform_matrix' is missing"),
    "path missing": (drop("file_path", 2), "frame 2: 'file_path' is missing"),
    "no focal length": (drop("fl_x"), "no focal length"),
    "size disagrees": (put("w", 31), "says 31 x 20 pixels, the picture has 30 x 20"),
    "NaN camera": (matrix_entry(math.nan), "frame 1 (1.png): transform_matrix holds a value that is not finite"),
    "infinite focal length": (put("fl_x", math.inf), "'fl_x' must be a finite number"),
    "negative focal length": (put("fl_x", -3.0), "must be positive"),
    "text for a number": (put("cx", "14"), "'cx' must be a finite number"),
    "matrix of three rows of three": (put("transform_matrix", [[1, 0, 0]] * 3, 0), "4 rows of 4 numbers"),
    "mirrored camera": (put("transform_matrix", np.diag([-1.0, 1, 1, 1]).tolist(), 0), "holds no rotation"),
    "scaled camera": (put("transform_matrix", np.diag([2.0, 2, 2, 1]).tolist(), 0), "holds no rotation"),
    "fisheye": (put("camera_model", "OPENCV_FISHEYE"), "'OPENCV_FISHEYE' is not supported"),
    "higher distortion": (put("k4", 0.1), "k4 = 0.1 is not supported"),
    "picture missing": (put("file_path", "7.png", 0), "7.png does not exist"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence(tmp_path, good, fault):
    spoil, words = FAULTS[fault]
    spoil(good)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load_transforms(write(tmp_path, good))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_corrupt_picture_is_named(tmp_path, good):
    path = write(tmp_path, good)
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(ValueError, match=r"1\.png is no picture"):
        load_transforms(path)


def test_pictures_of_two_sizes_are_named(tmp_path, good):
    del good["w"], good["h"]
    path = write(tmp_path, good)
    Image.new("RGB", (31, 20)).save(tmp_path / "2.png")
    with pytest.raises(ValueError, match=r"0\.png has 30 x 20 pixels and 2\.png 31 x 20"):
        load_transforms(path)


def test_a_folder_without_cameras_says_how_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="ns-process-data"):
        load_transforms(tmp_path)


def test_text_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "transforms.json").write_text("{frames: ")
    with pytest.raises(ValueError, match="is not JSON"):
        load_transforms(tmp_path)


@pytest.mark.parametrize("capture", ["captures/fox", "captures/dinoSparseRing", "captures/lego", "orbits/spot"])
def test_real_captures_load(shared_data, capture):
    read = load_transforms(shared_data / capture)
    size = {"captures/fox": (540, 304), "captures/dinoSparseRing": (480, 640)}.get(capture, (256, 256))
    assert (read.cameras.height, read.cameras.width) == size
    rotation = read.cameras.w2c[:, :3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), rtol=0, atol=1e-5)
    assert bool(read.distortion.any()) is (capture == "captures/fox")


def test_depth_maps_keep_their_unit(tmp_path):
    """A capture in millimetres has depths that steps of a thousandth of a unit cannot hold."""
    for most in (0.02, 3.0, 800.0):
        depth = np.linspace(0.2 * most, most, 64 * 48).reshape(64, 48)
        unit = depth_unit(most)
        save_depth(tmp_path / "depth.png", depth, unit)
        assert np.abs(load_depth(tmp_path / "depth.png", unit) - depth).max() < 1e-3 * most
