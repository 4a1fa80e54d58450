"""Proves docs/conventions.md, sentence by sentence: test_convention_NAME for the line that starts with NAME."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from generator import sdf
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from recon import camera, sh
from recon.camera import Cameras
from recon.render import render
from recon.splats import Splats
from recon.views import Views, composited, resized

HEIGHT, WIDTH = 24, 40


def one_camera(c2w: np.ndarray | None = None, focal: float = 30.0) -> Cameras:
    """A camera of unequal height and width; at the origin looking along +z unless told."""
    K = torch.tensor([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]])[None]
    matrix = torch.eye(4) if c2w is None else torch.as_tensor(c2w, dtype=torch.float32)
    return Cameras(K, camera.invert_rigid(matrix)[None], HEIGHT, WIDTH)


def one_splat(mean=(0.0, 0, 4), scales=(0.5, 0.05, 0.05), quat=(1.0, 0, 0, 0), sh_rows=((1.0, 1, 1),)) -> Splats:
    return Splats(
        means=torch.tensor([mean]),
        log_scales=torch.tensor([scales]).log(),
        quats=torch.tensor([quat]),
        opacity_logits=torch.tensor([4.0]),
        sh=torch.tensor([sh_rows]),
    )


def box_row(center: tuple, half: tuple, color: tuple) -> np.ndarray:
    """A box as a row of the tracer's scene."""
    row = np.zeros(sdf.NUM_COLUMNS)
    row[sdf.KIND] = sdf.BOX
    row[sdf.CENTER : sdf.CENTER + 3] = center
    row[sdf.ROTATION : sdf.ROTATION + 9] = np.eye(3).ravel()
    row[sdf.SIZE : sdf.SIZE + 3] = half
    row[sdf.BOUND] = np.linalg.norm(half)
    row[sdf.COLOR : sdf.COLOR + 3] = row[sdf.PATTERN_COLOR : sdf.PATTERN_COLOR + 3] = color
    row[sdf.PERIOD] = row[sdf.AROUND] = 1
    return row


# Cameras and space


def test_convention_camera_axes():
    points = torch.tensor([[0.0, 0, 5], [1, 0, 5], [0, 1, 5]])
    uv, z = camera.project(points, one_camera())
    assert uv[0].tolist() == [[WIDTH / 2, HEIGHT / 2], [WIDTH / 2 + 6, HEIGHT / 2], [WIDTH / 2, HEIGHT / 2 + 6]]
    assert z[0].tolist() == [5, 5, 5]


def test_convention_camera_matrices():
    c2w = orbit_c2w(5, 20, 3.0)
    cameras = Cameras(torch.eye(3).expand(5, 3, 3), torch.linalg.inv(torch.from_numpy(c2w)).float(), HEIGHT, WIDTH)
    assert torch.allclose(cameras.c2w, torch.from_numpy(c2w).float(), atol=1e-6)
    assert torch.allclose(cameras.w2c[:, :3, :3] @ cameras.w2c[:, :3, :3].mT, torch.eye(3), atol=1e-6)
    origin = cameras.w2c @ torch.tensor([0.0, 0, 0, 1])
    assert torch.allclose(origin, torch.tensor([0.0, 0, 3, 1]).expand(5, 4), atol=1e-6)


def test_convention_world_axes():
    c2w = orbit_c2w(7, 30, 2.0)
    assert np.allclose(np.linalg.det(c2w[:, :3, :3]), 1)
    assert np.allclose(c2w[:, 2, 3], 2 * math.sin(math.radians(30)))  # above the ground by +z
    assert (c2w[:, 2, 1] < -0.5).all()  # the picture's down points down in the world
    assert np.allclose(c2w[:, 2, 0], 0)  # and its right lies level


def test_convention_front():
    from generator.tracer import trace_clip

    front, back = box_row((0, -0.3, 0), (0.4, 0.3, 0.4), (1, 0, 0)), box_row((0, 0.3, 0), (0.4, 0.3, 0.4), (0, 0, 1))
    c2w = orbit_c2w(2, 0, orbit_radius(40))
    trace = trace_clip(np.stack([front, back]), c2w, intrinsics(40, HEIGHT, WIDTH), HEIGHT, WIDTH)
    centre = trace.rgb[:, HEIGHT // 2, WIDTH // 2].astype(int)
    assert centre[0, 0] > centre[0, 2] + 50
    assert centre[1, 2] > centre[1, 0] + 50
    assert np.allclose(c2w[0, :3, 2], [0, 1, 0], atol=1e-12)


def test_convention_azimuth():
    stands = orbit_c2w(4, 0, 1.0)[:, :3, 3]
    assert np.allclose(stands, [[0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]], atol=1e-12)


def test_convention_unit_sphere():
    fov = 40.0
    tangent = math.asin(1 / orbit_radius(fov))  # half the angle under which the sphere is seen
    assert 0.9 < tangent / math.radians(fov / 2) < 1
    K = intrinsics(fov, HEIGHT, WIDTH)
    assert HEIGHT / 2 - K[1, 1] * math.tan(tangent) == pytest.approx(0.6, abs=0.3)  # pixels left free above it


def test_convention_opengl_axes():
    blender = torch.eye(4)  # a new camera of Blender's looks along -z with +y up
    c2w = camera.opengl_to_opencv(blender)
    assert c2w[:3, 2].tolist() == [0, 0, -1]
    assert c2w[:3, 1].tolist() == [0, -1, 0]
    moved = torch.from_numpy(orbit_c2w(3, 10, 2.0))
    assert torch.equal(camera.opengl_to_opencv(camera.opencv_to_opengl(moved)), moved)


# Pixels


def test_convention_pixel_centres():
    cameras = one_camera(orbit_c2w(3, 25, 2.0)[1])
    origins, directions = camera.rays(cameras)
    uv, _ = camera.project((origins + 2 * directions).reshape(-1, 3), cameras)
    v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    assert torch.allclose(uv[0], torch.stack([u + 0.5, v + 0.5], -1).reshape(-1, 2), atol=1e-4)


def test_convention_intrinsics():
    small = one_camera()
    large = camera.resized(small, 3 * HEIGHT, 2 * WIDTH)
    points = torch.tensor([[0.3, -0.2, 2.0], [-0.7, 0.4, 3.0]])
    assert torch.allclose(camera.project(points, large)[0], camera.project(points, small)[0] * torch.tensor([2.0, 3.0]))
    K = intrinsics(90.0, HEIGHT, WIDTH)  # the vertical field of view
    assert np.allclose(K, [[HEIGHT / 2, 0, WIDTH / 2], [0, HEIGHT / 2, HEIGHT / 2], [0, 0, 1]])


def test_convention_depth_is_z():
    from generator.tracer import trace_clip

    wall = box_row((0, 0.5, 0), (3, 0.5, 3), (1, 1, 1))  # its face is the plane y = 0
    c2w = orbit_c2w(1, 0, 2.0)
    depth = trace_clip(wall[None], c2w, intrinsics(60, HEIGHT, WIDTH), HEIGHT, WIDTH).depth
    assert np.allclose(depth, 2.0, atol=5e-3)
    nothing = trace_clip(wall[None], orbit_c2w(1, 0, 2.0) * [[-1], [-1], [1], [1]], intrinsics(60, HEIGHT, WIDTH), 4, 6)
    assert (nothing.depth[nothing.alpha == 0] == 0).all()
    disc = one_splat(mean=(0.0, 0.0, 4.0), scales=(3.0, 3.0, 1e-3))
    rendered = render(disc, one_camera()).depth[0]
    assert rendered[rendered > 0] == pytest.approx(4.0, abs=1e-2)
    assert (rendered > 0).sum() > HEIGHT * WIDTH / 2
    _, z = camera.project(torch.tensor([[3.0, 4.0, 2.0]]), one_camera())
    assert z.item() == 2.0


def test_convention_srgb():
    grey = one_splat(sh_rows=((0.0, 0.0, 0.0),), scales=(3.0, 3.0, 3.0))
    picture = render(grey, one_camera()).rgb
    assert picture.shape == (1, HEIGHT, WIDTH, 3)
    middle = picture[0, HEIGHT // 2, WIDTH // 2] / render(grey, one_camera()).alpha[0, HEIGHT // 2, WIDTH // 2]
    assert middle.tolist() == pytest.approx([0.5] * 3, abs=1e-3)  # half of the byte range: no light curve in between


def test_convention_straight_alpha(tmp_path):
    from vid2three.formats.images import load_image, save_image

    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[...] = [200, 100, 50, 51]  # a fifth covered
    save_image(tmp_path / "a.png", rgba)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), rgba)
    values = torch.tensor(load_image(tmp_path / "a.png")).float()[None] / 255
    K = torch.eye(3)[None] * torch.tensor([2.0, 2.0, 1.0])
    views = Views(values[..., :3], values[..., 3], None, Cameras(K, torch.eye(4)[None], 2, 3))
    assert composited(views, 1.0)[0, 0, 0].tolist() == pytest.approx([0.2 * c / 255 + 0.8 for c in (200, 100, 50)])
    assert torch.allclose(resized(views, 1, 1).images[0, 0, 0], values[0, 0, 0, :3], atol=1e-6)


# Splats


def spread(splats: Splats) -> tuple[float, float]:
    """Return how far a rendered splat spreads along u and along v, in pixels."""
    alpha = render(splats, one_camera()).alpha[0]
    v, u = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    return tuple(float(((alpha * (x - n / 2) ** 2).sum() / alpha.sum()).sqrt()) for x, n in ((u, WIDTH), (v, HEIGHT)))


def test_convention_quats_wxyz():
    along_x = spread(one_splat(scales=(0.3, 0.05, 0.05)))
    half = math.sqrt(0.5)
    about_z = spread(one_splat(scales=(0.3, 0.05, 0.05), quat=(half, 0, 0, half)))
    assert along_x[0] > 3 * along_x[1]
    assert about_z == pytest.approx(along_x[::-1], rel=0.02)
    twice = spread(one_splat(scales=(0.3, 0.05, 0.05), quat=(2 * half, 0, 0, 2 * half)))
    assert twice == pytest.approx(about_z, rel=1e-4)
    needle = one_splat(scales=(0.3, 0.02, 0.02), quat=(math.cos(0.3), 0, 0, math.sin(0.3)))
    tilted = render(needle, one_camera()).alpha[0]
    right_below = tilted[HEIGHT // 2 :, WIDTH // 2 :].sum()  # from x towards y, which points down in the picture
    assert right_below > 4 * tilted[: HEIGHT // 2, WIDTH // 2 :].sum()


def test_convention_log_scales():
    splats = one_splat(scales=(0.3, 0.2, 0.1))
    assert splats.scales[0].tolist() == pytest.approx([0.3, 0.2, 0.1])
    assert splats.opacities.item() == pytest.approx(1 / (1 + math.exp(-4)))
    faint = Splats(splats.means, splats.log_scales, splats.quats, torch.tensor([-3.0]), splats.sh)
    sigma = spread(faint)  # alpha 0.047 at most, so the footprint is the Gaussian, cut at 1/255
    assert 0.7 * 0.3 * 30 / 4 < sigma[0] < 1.1 * 0.3 * 30 / 4


def test_convention_sh():
    x, y, z = 0.48, -0.6, 0.64
    first = 0.4886025119029199
    weights = sh.basis(torch.tensor([[x, y, z]]), 1)[0].tolist()
    assert weights == pytest.approx([0.28209479177387814, -first * y, first * z, -first * x])
    rows = torch.zeros(1, 4, 3)
    rows[0, 3, 0] = 1.0  # red, by x
    assert sh.colors(rows, torch.tensor([[-1.0, 0, 0]]))[0].tolist() == pytest.approx([0.5 + first, 0.5, 0.5])
    rows[0, 0, 2] = -10
    assert sh.colors(rows, torch.tensor([[1.0, 0, 0]]))[0].tolist() == pytest.approx([0.5 - first, 0.5, 0])
    seen_from_right = orbit_c2w(4, 0, 3.0)[1]  # the camera on +x looks along -x
    splat = one_splat(mean=(0.0, 0, 0), scales=(0.5, 0.5, 0.5), sh_rows=((0.0,) * 3,) * 3 + ((1.0, 0, 0),))
    picture = render(splat, one_camera(seen_from_right))
    middle = (picture.rgb / picture.alpha[..., None].clamp(min=1e-6))[0, HEIGHT // 2, WIDTH // 2]
    assert middle.tolist() == pytest.approx([0.5 + first, 0.5, 0.5], abs=2e-3)


# Files


def flat_walls(opacities: tuple[float, ...], turn: float = 0.0) -> Splats:
    """Wide discs at z = 4, 5, ..., their normals turned about y, in angles, from facing a camera at the origin."""
    num = len(opacities)
    return Splats(
        means=torch.tensor([[0.0, 0.0, 4.0 + k] for k in range(num)]),
        log_scales=torch.tensor([0.9, 0.9, 9.0]).log().repeat(num, 1),
        quats=torch.tensor([math.cos(turn / 2), 0.0, math.sin(turn / 2), 0.0]).repeat(num, 1),
        opacity_logits=torch.logit(torch.tensor(opacities)),
        sh=torch.ones(num, 1, 3),
    )


def off_axis() -> Cameras:
    """The camera whose axis goes through the middle of pixel (12, 20)."""
    view = one_camera()
    view.K[0, :2, 2] = torch.tensor([20.5, 12.5])
    return view


def test_convention_flat_splats():
    wall = flat_walls((0.9,))
    drawn = render(wall, off_axis(), primitive="2dgs")
    assert drawn.alpha[0, 12, 20] == pytest.approx(0.9, abs=1e-5)
    u, v = (26.5 - 20.5) * 4 / 30, (16.5 - 12.5) * 4 / 30  # where the ray of pixel (16, 26) meets the disc
    assert drawn.alpha[0, 16, 26] == pytest.approx(0.9 * math.exp(-0.5 * (u**2 + v**2) / 0.9**2), abs=1e-5)
    assert torch.allclose(drawn.normal[0, 12, 20], torch.tensor([0.0, 0, -0.9]), atol=1e-5)  # +-z, its third axis
    wall.log_scales[:, 2] = -9
    assert torch.equal(render(wall, off_axis(), primitive="2dgs").rgb, drawn.rgb)


def test_convention_flat_depths():
    drawn = render(flat_walls((0.4, 0.5, 0.6)), off_axis(), primitive="2dgs")
    shares = torch.tensor([0.4, 0.6 * 0.5, 0.3 * 0.6])
    assert drawn.depth[0, 12, 20] == pytest.approx(5, abs=1e-5)  # 0.6 of the light is left before it, 0.3 after
    assert drawn.mean_depth[0, 12, 20] == pytest.approx(
        float(shares @ torch.tensor([4.0, 5, 6]) / shares.sum()), abs=1e-5
    )
    thin = render(flat_walls((0.4,)), off_axis(), primitive="2dgs")
    assert not thin.depth.any()
    assert not thin.mean_depth.any()
    tilted = render(flat_walls((0.9,), turn=0.5), off_axis(), primitive="2dgs")
    slope = (22.5 - 20.5) / 30  # the plane z = 4 - x tan(turn) cut by the ray x = slope z
    assert tilted.depth[0, 12, 22] == pytest.approx(4 / (1 + slope * math.tan(0.5)), abs=1e-5)


def test_convention_flat_normals():
    drawn = render(flat_walls((0.4, 0.5)), off_axis(), primitive="2dgs")
    assert torch.allclose(drawn.normal[0, 12, 20], torch.tensor([0.0, 0, -0.7]), atol=1e-5)
    tilted = render(flat_walls((0.9,), turn=0.5), off_axis(), primitive="2dgs")
    towards = -0.9 * torch.tensor([math.sin(0.5), 0.0, math.cos(0.5)])
    assert torch.allclose(tilted.normal[0, 12, 20], towards, atol=1e-5)


def test_convention_flat_distortion():
    drawn = render(flat_walls((0.4, 0.5, 0.6)), off_axis(), primitive="2dgs")
    first, second, third = 0.4, 0.6 * 0.5, 0.3 * 0.6
    assert drawn.distortion[0, 12, 20] == pytest.approx(first * second + 4 * first * third + second * third, abs=1e-4)


def test_convention_ply_frame(tmp_path):
    from vid2three.formats.ply import save_splats

    splats = one_splat(mean=(0.1, 0.2, 0.3), scales=(0.5, 0.25, 0.125), quat=(0.1, 0.2, 0.3, 0.4))
    save_splats(tmp_path / "a.ply", splats)
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert b"format binary_little_endian 1.0" in header
    columns = re.findall(r"property float (\w+)", header.decode())
    row = dict(zip(columns, np.frombuffer(body, "<f4").tolist(), strict=True))
    assert [row[name] for name in "xyz"] == pytest.approx([0.1, 0.2, 0.3])
    assert [row[f"scale_{i}"] for i in range(3)] == pytest.approx(np.log([0.5, 0.25, 0.125]))
    assert [row[f"rot_{i}"] for i in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert row["opacity"] == 4.0
    assert [row[f"f_dc_{i}"] for i in range(3)] == [1, 1, 1]


def test_convention_transforms_axes(tmp_path):
    from vid2three.formats.transforms import load_transforms, save_transforms

    c2w = orbit_c2w(4, 20, 3.0)[1]
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "000.png")
    save_transforms(tmp_path / "transforms.json", one_camera(c2w), ["000.png"])
    matrix = np.array(json.loads((tmp_path / "transforms.json").read_text())["frames"][0]["transform_matrix"])
    assert np.allclose(matrix[:3, 3], c2w[:3, 3], atol=1e-5)
    assert np.allclose(matrix[:3, 2], c2w[:3, 3] / 3, atol=1e-5)  # its z points from the subject to the camera
    assert matrix[2, 1] > 0.9  # its y points up
    assert torch.allclose(load_transforms(tmp_path).cameras.c2w[0].double(), torch.from_numpy(c2w), atol=1e-5)


@pytest.fixture
def wedge() -> trimesh.Trimesh:
    """A tetrahedron without any symmetry, one colour a vertex."""
    vertices = [[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0.2, 0.3, 3]]
    colors = [[255, 0, 0, 255], [0, 128, 0, 255], [0, 0, 64, 255], [10, 20, 30, 255]]
    return trimesh.Trimesh(vertices, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], vertex_colors=colors, process=False)


def test_convention_gltf_axes(tmp_path, wedge):
    from vid2three.formats.glb import save_mesh

    save_mesh(tmp_path / "a.glb", wedge)
    read = trimesh.load(tmp_path / "a.glb", process=False).to_geometry()  # another reader than ours
    x, y, z = np.asarray(wedge.vertices).T
    assert np.allclose(read.vertices, np.stack([x, z, -y], axis=1), atol=1e-6)
    assert read.volume == pytest.approx(wedge.volume)
    assert wedge.volume > 0


def test_convention_gltf_colors(tmp_path, wedge):
    from vid2three.formats.glb import save_mesh

    save_mesh(tmp_path / "a.glb", wedge)
    (read,) = trimesh.load(tmp_path / "a.glb", process=False).geometry.values()
    stored = np.asarray(read.visual.vertex_attributes["color"], float)[:, :3]
    stored /= 65535 if stored.max() > 255 else 255
    assert stored[0].tolist() == pytest.approx([1, 0, 0], abs=1e-4)
    assert stored[1, 1] == pytest.approx(((128 / 255 + 0.055) / 1.055) ** 2.4, abs=3e-3)  # IEC 61966-2-1
    assert stored[3, 0] == pytest.approx(10 / 255 / 12.92, abs=3e-3)


def test_convention_usd_axes(tmp_path, wedge):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom

    from vid2three.formats.usd import save_mesh

    save_mesh(tmp_path / "a.usda", wedge)
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Z", 1.0)
    points = np.array(UsdGeom.Mesh(stage.GetPrimAtPath("/asset/mesh")).GetPointsAttr().Get())
    assert np.allclose(sorted(points.tolist()), sorted(np.asarray(wedge.vertices).tolist()), atol=1e-6)


def test_convention_splat_axes(tmp_path):
    from vid2three.formats import SPLAT_READERS, SPLAT_SAVERS

    generator = torch.Generator().manual_seed(0)
    splats = one_splat(mean=(0.1, 0.2, 0.3), scales=(0.5, 0.25, 0.125), quat=(0.1, 0.2, 0.3, 0.4))
    splats = replace(splats, sh=0.3 * torch.randn(1, 16, 3, generator=generator))
    direction = torch.nn.functional.normalize(torch.tensor([[0.6, -0.2, 0.7]]), dim=1)
    for suffix, there in {
        ".glb": lambda x, y, z: (x, z, -y),
        ".spz": lambda x, y, z: (x, z, -y),
        ".sog": lambda x, y, z: (-x, -z, -y),
        ".splat": lambda x, y, z: (-x, -z, -y),
    }.items():
        SPLAT_SAVERS[suffix](tmp_path / f"a{suffix}", splats)
        raw = SPLAT_READERS[suffix](tmp_path / f"a{suffix}", "z").splats  # the values as they lie in the file
        turn = torch.tensor([there(*row) for row in torch.eye(3).tolist()]).T  # its columns are the turned axes
        assert torch.allclose(raw.means[0], turn @ splats.means[0], atol=1e-4)
        axes, turned = (
            torch.from_numpy(Rotation.from_quat(s.quats[0, [1, 2, 3, 0]]).as_matrix()).float() for s in (splats, raw)
        )
        assert torch.allclose(turned, turn @ axes, atol=0.02)
        if suffix != ".splat":
            seen = sh.colors(raw.sh, direction @ turn.T)
            assert torch.allclose(seen, sh.colors(splats.sh, direction), atol=0.15 if suffix == ".spz" else 1e-3)


def test_convention_uv(tmp_path):
    from recon.unwrap import to_texels
    from vid2three.formats.glb import load_header, save_mesh

    assert to_texels(np.array([[0.25, 1.0], [0.0, 0.0]]), 8).tolist() == [[2, 0], [0, 8]]
    picture = Image.new("RGB", (8, 8), (0, 0, 200))
    picture.putpixel((1, 0), (200, 0, 0))  # column 1 of the top row
    visual = trimesh.visual.TextureVisuals(
        uv=[[0, 1], [0.375, 1], [0.1875, 0.9375]],
        material=trimesh.visual.material.PBRMaterial(baseColorTexture=picture),
    )
    mesh = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 2]], visual=visual, process=False)
    save_mesh(tmp_path / "a.glb", mesh)
    assert "COLOR_0" not in load_header(tmp_path / "a.glb")["meshes"][0]["primitives"][0]["attributes"]
    (read,) = trimesh.load(tmp_path / "a.glb", process=False).geometry.values()  # trimesh's v grows upwards
    assert np.allclose(read.visual.uv, visual.uv)
    assert read.visual.to_color().vertex_colors[2, :3].tolist() == [200, 0, 0]


def test_convention_height_and_pivot(wedge):
    from vid2three.place import moved, placement

    placed = moved(wedge, placement(wedge, 0.6, "base"))
    assert np.allclose(placed.bounds, [[-0.1, -0.2, 0], [0.1, 0.2, 0.6]])
    assert np.allclose(moved(wedge, placement(wedge, 0.6, "centre")).bounds, [[-0.1, -0.2, -0.3], [0.1, 0.2, 0.3]])
    assert np.allclose(placement(wedge, None, "keep"), np.eye(4))


# The two lists


def missing(document: str, tests: set[str]) -> set[str]:
    """Return the names that only one of the two lists has."""
    return set(re.findall(r"^- \*\*(\w+)\*\* .+\.$", document, re.MULTILINE)) ^ tests


def test_every_sentence_has_its_test(root):
    tests = {name.removeprefix("test_convention_") for name in globals() if name.startswith("test_convention_")}
    document = (root / "docs" / "conventions.md").read_text("utf-8")
    assert missing(document, tests) == set()
    assert len(tests) >= 20


def test_canary_a_sentence_without_a_test_is_found():
    assert missing("- **a** One.\n- **b** Two.\n", {"a", "c"}) == {"b", "c"}
