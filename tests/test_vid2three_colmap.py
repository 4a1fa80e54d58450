"""COLMAP's sparse models, in and out, against pycolmap, and a run's views as other trainers read them."""

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

import vid2three
from generator.rays import intrinsics, orbit_c2w
from recon.camera import Cameras, invert_rigid, project
from recon.hull import look_at_point
from vid2three.capture import digest, has_cameras, load_views, settled
from vid2three.cli import main
from vid2three.formats.colmap import load_colmap, save_colmap
from vid2three.run import open_run

HEIGHT, WIDTH = 20, 30
POINTS = np.array([[0.1, 0.2, 0.3], [-0.3, 0.1, 0.0]])
COLORS = np.array([[255, 0, 10], [1, 2, 3]], np.uint8)
FORMS = pytest.mark.parametrize("binary", [True, False])


def orbit(num: int = 6) -> Cameras:
    K = torch.from_numpy(np.stack([intrinsics(40 + i % 2, HEIGHT, WIDTH) for i in range(num)])).float()
    return Cameras(K, invert_rigid(torch.from_numpy(orbit_c2w(num, 20, 4.0)).float()), HEIGHT, WIDTH)


def project_folder(folder: Path, cameras: Cameras, binary: bool = True, model: str = "sparse/0") -> Path:
    """Write a COLMAP project with pictures and return its folder."""
    names = [f"{index}.png" for index in range(len(cameras))]
    (folder / "images").mkdir(parents=True)
    for index, name in enumerate(names):
        Image.new("RGB", (WIDTH, HEIGHT), (index, 2, 3)).save(folder / "images" / name)
    (folder / model).mkdir(parents=True, exist_ok=True)
    save_colmap(folder / model, cameras, names, POINTS, COLORS, binary=binary)
    return folder


@FORMS
@pytest.mark.parametrize("model", ["", "sparse", "sparse/0", "colmap/sparse/0"])
def test_load_undoes_save(tmp_path, binary, model):
    cameras = orbit()
    folder = project_folder(tmp_path, cameras, binary, model)
    read = load_colmap(folder)
    assert has_cameras(folder)
    assert torch.equal(read.cameras.K, cameras.K)
    torch.testing.assert_close(read.cameras.w2c, cameras.w2c, rtol=0, atol=2e-6)
    assert [path.name for path in read.images] == [f"{index}.png" for index in range(6)]
    assert read.points is not None
    np.testing.assert_allclose(read.points.numpy(), POINTS, atol=1e-7)
    assert not read.distortion.any()


@FORMS
def test_pycolmap_projects_as_we_do(tmp_path, binary):
    cameras = orbit()
    project_folder(tmp_path, cameras, binary)
    model = pycolmap.Reconstruction(str(tmp_path / "sparse" / "0"))
    pixels, _ = project(torch.from_numpy(POINTS).float(), cameras)
    assert (model.num_images(), model.num_points3D(), model.num_cameras()) == (6, 2, 2)
    assert [tuple(point.color) for _, point in sorted(model.points3D.items())] == [tuple(c) for c in COLORS.tolist()]
    for image in model.images.values():
        local = image.cam_from_world() * POINTS
        seen = model.cameras[image.camera_id].img_from_cam(local)
        np.testing.assert_allclose(seen, pixels[int(image.name[0])].numpy(), atol=1e-4)


def pycolmap_model(folder: Path, model: str, params: list[float], size: tuple[int, int] = (WIDTH, HEIGHT)):
    """A model of two images, 3 keypoints each, and a point with a track, made by pycolmap."""
    made = pycolmap.Reconstruction()
    made.add_camera_with_trivial_rig(
        pycolmap.Camera(model=model, width=size[0], height=size[1], params=params, camera_id=7)
    )
    for index in (1, 2):
        image = pycolmap.Image(
            name=f"{index}.png", image_id=index, camera_id=7, keypoints=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        )
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([0, 0.6, 0, 0.8])), np.array([index, 0.0, 3.0]))
        made.add_image_with_trivial_frame(image, pose)
    track = pycolmap.Track([pycolmap.TrackElement(1, 0), pycolmap.TrackElement(2, 1)])
    made.add_point3D(np.array([0.5, -1.0, 2.0]), track, np.array([9, 8, 7], np.uint8))
    (folder / "images").mkdir(parents=True)
    for index in (1, 2):
        Image.new("RGB", size).save(folder / "images" / f"{index}.png")
    (folder / "sparse" / "0").mkdir(parents=True)
    return made


@FORMS
@pytest.mark.parametrize(
    ("model", "params", "K", "distortion"),
    [
        ("SIMPLE_PINHOLE", [30.0, 14, 9], (30, 30, 14, 9), (0, 0, 0, 0, 0)),
        ("PINHOLE", [30.0, 31, 14, 9], (30, 31, 14, 9), (0, 0, 0, 0, 0)),
        ("SIMPLE_RADIAL", [30.0, 14, 9, 0.1], (30, 30, 14, 9), (0.1, 0, 0, 0, 0)),
        ("RADIAL", [30.0, 14, 9, 0.1, 0.02], (30, 30, 14, 9), (0.1, 0.02, 0, 0, 0)),
        ("OPENCV", [30.0, 31, 14, 9, 0.1, 0.02, 3e-3, 4e-3], (30, 31, 14, 9), (0.1, 0.02, 3e-3, 4e-3, 0)),
    ],
)
def test_what_pycolmap_writes_is_read(tmp_path, binary, model, params, K, distortion):
    made = pycolmap_model(tmp_path, model, params)
    (made.write_binary if binary else made.write_text)(str(tmp_path / "sparse" / "0"))
    read = load_colmap(tmp_path)
    fx, fy, cx, cy = K
    assert read.cameras.K[1].tolist() == [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    np.testing.assert_allclose(read.distortion, [distortion] * 2)
    poses = [image.cam_from_world().matrix() for _, image in sorted(made.images.items())]
    expected = np.stack([np.vstack([pose, [0, 0, 0, 1]]) for pose in poses])
    np.testing.assert_allclose(read.cameras.w2c.numpy(), expected, atol=1e-6)
    assert read.points.tolist() == [[0.5, -1.0, 2.0]]


@FORMS
def test_a_fisheye_lens_is_refused(tmp_path, binary):
    made = pycolmap_model(tmp_path, "OPENCV_FISHEYE", [30.0, 30, 15, 10, 0, 0, 0, 0])
    (made.write_binary if binary else made.write_text)(str(tmp_path / "sparse" / "0"))
    with pytest.raises(ValueError, match="OPENCV_FISHEYE; undistort the pictures"):
        load_colmap(tmp_path)


def test_faults_are_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no model of COLMAP"):
        load_colmap(tmp_path)
    folder = project_folder(tmp_path / "size", orbit())
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(folder / "images" / "3.png")
    with pytest.raises(ValueError, match=r"3\.png has 31 x 20 pixels and its camera 30 x 20"):
        load_colmap(folder)
    (folder / "images" / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"3\.png of the model is not in"):
        load_colmap(folder)
    for name in ("../images/0.png", "/etc/passwd", "..\\0.png", "C:\\0.png"):
        save_colmap(folder / "sparse" / "0", orbit()[0], [name], POINTS, COLORS)
        with pytest.raises(ValueError, match="outside its folder"):
            load_colmap(folder)
    save_colmap(folder / "sparse" / "0", orbit()[[]], [], POINTS, COLORS)
    with pytest.raises(ValueError, match="registers no picture"):
        load_colmap(folder)


def test_a_count_that_the_file_cannot_hold_is_refused_before_anything_is_made(tmp_path):
    folder = project_folder(tmp_path, orbit())
    for name in ("cameras", "images", "points3D"):
        path = folder / "sparse" / "0" / f"{name}.bin"
        whole = path.read_bytes()
        path.write_bytes((10**9).to_bytes(8, "little") + whole[8:])
        with pytest.raises(ValueError, match=f"{name}.bin is no file of a COLMAP model .it says 1000000000 entries"):
            load_colmap(folder)
        path.write_bytes(whole)


@FORMS
def test_broken_files_are_read_or_refused_by_one_line(tmp_path, binary):
    folder = project_folder(tmp_path, orbit(3), binary)
    suffix = ".bin" if binary else ".txt"
    whole = {name: (folder / "sparse/0" / name).with_suffix(suffix) for name in ("cameras", "images", "points3D")}
    data = {name: path.read_bytes() for name, path in whole.items()}
    nan = np.float64(np.nan).tobytes()
    hurting = st.sampled_from([b"\0", b"\xff" * 8, b"\0" * 8, nan, b"nan ", b"-1 ", b"1e999 ", b"\n", b"../"])

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.sampled_from(sorted(data)), st.floats(0, 1, allow_subnormal=False), hurting, st.booleans())
    def check(name, place, value, cut):
        at = int(place * len(data[name]))
        whole[name].write_bytes(data[name][:at] + value + (b"" if cut else data[name][at + len(value) :]))
        refusal = ""
        try:
            read = load_colmap(folder)
        except (ValueError, FileNotFoundError) as error:
            refusal = str(error)
        finally:
            whole[name].write_bytes(data[name])
        if refusal:
            assert "\n" not in refusal
            assert len(refusal) < 500
        else:
            assert all(torch.isfinite(x).all() for x in (read.cameras.w2c, read.cameras.K, read.points))

    check()


def test_the_digest_knows_model_and_pictures(tmp_path):
    folder = project_folder(tmp_path, orbit())
    before = digest(folder)
    assert digest(folder) == before
    Image.new("RGB", (WIDTH, HEIGHT), (200, 2, 3)).save(folder / "images" / "0.png")
    changed = digest(folder)
    assert changed != before
    save_colmap(folder / "sparse" / "0", orbit(), [f"{i}.png" for i in range(6)], POINTS + 1, COLORS)
    assert digest(folder) != changed


def test_a_world_that_lies_on_its_side_is_turned_upright(tmp_path):
    """COLMAP's world is any; ours has the orbit's axis up, the subject at the origin, the first camera at -y."""
    cameras, scale, shift = orbit(8), 7.0, torch.tensor([3.0, -2.0, 5.0])
    turn = torch.from_numpy(Rotation.from_euler("xyz", [70, 20, 110], degrees=True).as_matrix()).float()
    c2w = cameras.c2w
    c2w[:, :3, :3] = turn @ c2w[:, :3, :3]
    c2w[:, :3, 3] = scale * c2w[:, :3, 3] @ turn.T + shift
    project_folder(tmp_path, Cameras(cameras.K, invert_rigid(c2w), HEIGHT, WIDTH))
    views, matrix = settled(load_views(tmp_path))
    centers = views.cameras.centers
    assert centers[:, 2].std() < 1e-3 * centers.norm(dim=1).mean()
    assert float(centers[0, 0].abs()) < 1e-3
    assert float(centers[0, 1]) < 0
    assert np.linalg.norm(look_at_point(views.cameras)[:2]) < 0.05 * float(centers[0].norm())
    homogeneous = np.hstack([c2w[:, :3, 3].numpy(), np.ones((8, 1))])
    np.testing.assert_allclose((homogeneous @ matrix.T)[:, :3], centers.numpy(), atol=1e-3)
    assert np.linalg.det(matrix[:3, :3]) > 0


@pytest.fixture
def run_folder(tmp_path):
    """A run with views alone: a red ball before nothing, from a ring of cameras."""
    from recon.views import Views
    from vid2three.capture import save_views

    run = open_run(tmp_path / "run", {"command": "generate"}, {"world": "w"})
    cameras = orbit(8)
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    inside = torch.from_numpy((u - WIDTH / 2) ** 2 + (v - HEIGHT / 2) ** 2 < 49).float().expand(8, -1, -1)
    images = torch.tensor([0.8, 0.1, 0.1]).expand(8, HEIGHT, WIDTH, 3)
    run.stage("views", {}, [], lambda files: save_views(files, Views(images, inside, None, cameras), "w"))
    return run.folder


def test_views_go_to_colmap_and_come_back(run_folder, tmp_path):
    folder = vid2three.export_views(run_folder, tmp_path / "out")
    before, after = load_views(run_folder), load_views(folder)
    assert torch.equal(before.images, after.images)
    assert torch.equal(before.alphas, after.alphas)
    torch.testing.assert_close(before.cameras.w2c, after.cameras.w2c, rtol=0, atol=2e-6)
    assert len(after.points) > 100
    assert float(after.points.norm(dim=1).max()) < 2.0
    model = pycolmap.Reconstruction(str(folder / "sparse" / "0"))
    colors = np.stack([point.color for point in model.points3D.values()])
    assert np.abs(np.median(colors, axis=0) - [204, 26, 26]).max() < 3


def test_views_on_white_have_no_alpha(run_folder, tmp_path, capsys):
    main(["export-views", str(run_folder), str(tmp_path / "out"), "--layout", "colmap-text", "--background", "white"])
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    with Image.open(tmp_path / "out" / "images" / "000.png") as image:
        assert image.mode == "RGB"
        assert image.getpixel((0, 0)) == (255, 255, 255)
        assert image.getpixel((WIDTH // 2, HEIGHT // 2)) == (204, 26, 26)
    assert sorted(path.name for path in (tmp_path / "out/sparse/0").iterdir()) == [
        "cameras.txt",
        "images.txt",
        "points3D.txt",
    ]


def test_views_for_nerfstudio_name_their_points(run_folder, tmp_path):
    folder = vid2three.export_views(run_folder, tmp_path / "out", layout="nerfstudio")
    data = json.loads((folder / "transforms.json").read_text())
    cloud = trimesh.load(folder / data["ply_file_path"])
    assert len(cloud.vertices) > 100
    torch.testing.assert_close(load_views(folder).cameras.w2c, load_views(run_folder).cameras.w2c, rtol=0, atol=2e-6)


def test_views_never_land_on_something(run_folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(ValueError, match="is there already and not empty"):
        vid2three.export_views(run_folder, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        vid2three.export_views(run_folder, tmp_path / "no" / "out")
    empty = open_run(tmp_path / "empty", {"command": "make"}, {"world": "w"})
    with pytest.raises(FileNotFoundError, match="holds no views yet; run `vid2three make` again"):
        vid2three.export_views(empty.folder, tmp_path / "other")
