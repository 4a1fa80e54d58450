"""Draw where the cameras of a run stand: each frame in its frustum, around the mesh, with the axes of the world."""

import numpy as np
import torch
import trimesh
from PIL import Image, ImageDraw, ImageFont

from recon.camera import Cameras, invert_rigid, project
from recon.mesh_render import render_mesh
from recon.views import Views, composited

WIDTH, HEIGHT, FINE = 1300, 660, 2  # drawn at twice the size and averaged
WIRE, PATH, INK = (226, 110, 30), (206, 206, 200), (60, 60, 62)
AXES = {"x": ((1, 0, 0), (200, 50, 50)), "y": ((0, 1, 0), (60, 140, 60)), "z": ((0, 0, 1), (50, 80, 190))}


def camera_ring(views: Views, mesh: trimesh.Trimesh, *, every: int = 2, front: str = "front, -y") -> Image.Image:
    """Return the picture: every so many of the views, seen from the left of the front and from above."""
    centers = views.cameras.centers.numpy()
    reach = float(np.linalg.norm(centers[:, :2], axis=1).max())
    eye = watching(-28.0, 32.0, 3.3 * reach)
    page = Image.new("RGB", (FINE * WIDTH, FINE * HEIGHT), (250, 250, 248))
    pen = ImageDraw.Draw(page)
    steps = np.linalg.norm(np.roll(centers, -1, axis=0) - centers, axis=1)
    is_closed = steps[-1] < 2.5 * np.median(steps)
    pen.line(_flat(centers if not is_closed else [*centers, centers[0]], eye), PATH, 3 * FINE)
    _axes(pen, eye, float(mesh.bounds[0, 2]), front)
    shown = list(range(0, len(views), every))
    away = np.linalg.norm(centers - eye.centers[0].numpy(), axis=1)
    middle = float(np.linalg.norm(eye.centers[0].numpy()))
    for index in sorted(shown, key=lambda i: -away[i]):
        if away[index] < middle <= max((away[i] for i in shown if away[i] >= middle), default=0):
            _mesh(page, mesh, eye)
            middle = -1.0  # painted: what is nearer follows
        _frustum(page, views, index, eye, 0.2 * reach)
    return page.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def watching(azimuth_deg: float, elevation_deg: float, distance: float) -> Cameras:
    """Return a camera that looks at the origin."""
    turn, rise = np.radians(azimuth_deg), np.radians(elevation_deg)
    outward = np.array([np.sin(turn) * np.cos(rise), -np.cos(turn) * np.cos(rise), np.sin(rise)])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    c2w = np.eye(4)
    c2w[:3] = np.stack([right, np.cross(-outward, right), -outward, distance * outward], axis=1)
    focal = 1.28 * FINE * WIDTH
    K = [[focal, 0, FINE * WIDTH / 2], [0, focal, FINE * HEIGHT * 0.56], [0, 0, 1]]
    w2c = invert_rigid(torch.tensor(c2w, dtype=torch.float32))
    return Cameras(torch.tensor([K], dtype=torch.float32), w2c[None], FINE * HEIGHT, FINE * WIDTH)


def _flat(points: np.ndarray, eye: Cameras) -> list[tuple[float, float]]:
    places, _ = project(torch.tensor(np.asarray(points), dtype=torch.float32), eye)
    return [(float(x), float(y)) for x, y in places[0]]


def _mesh(page: Image.Image, mesh: trimesh.Trimesh, eye: Cameras) -> None:
    seen = render_mesh(mesh, eye)
    alpha = Image.fromarray((255 * seen.alpha[0].numpy()).round().astype(np.uint8))
    rgb = (seen.rgb[0] / seen.alpha[0][..., None].clamp(min=1e-3)).clamp(0, 1)
    page.paste(Image.fromarray((255 * rgb.numpy()).round().astype(np.uint8)), (0, 0), alpha)


def _axes(pen: ImageDraw.ImageDraw, eye: Cameras, level: float, front: str) -> None:
    font = ImageFont.load_default(22 * FINE)
    for name, (way, color) in AXES.items():
        foot = np.array([0, 0, level])
        start, end, label = _flat([foot, foot + 1.9 * np.array(way), foot + 2.05 * np.array(way)], eye)
        pen.line([start, end], color, 4 * FINE)
        pen.text(label, name, color, font, anchor="mm")
    pen.text(_flat([(0, -1.5, level)], eye)[0], front, INK, font, anchor="mm")


def _frustum(page: Image.Image, views: Views, index: int, eye: Cameras, depth: float) -> None:
    cameras = views.cameras
    height, width = cameras.height, cameras.width
    pixels = torch.tensor([[0.0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]])
    rays = pixels @ torch.linalg.inv(cameras.K[index]).T * depth
    c2w = cameras.c2w[index]
    corners = _flat((rays @ c2w[:3, :3].T + c2w[:3, 3]).numpy(), eye)
    (centre,) = _flat(cameras.centers[index][None].numpy(), eye)
    pen = ImageDraw.Draw(page)
    for corner in corners:
        pen.line([centre, corner], WIRE, 2 * FINE)
    frame = Image.fromarray((255 * composited(views[torch.tensor([index])])[0]).round().to(torch.uint8).numpy())
    source = [(0, 0), (frame.width, 0), (frame.width, frame.height), (0, frame.height)]
    laid = frame.transform(
        page.size, Image.Transform.PERSPECTIVE, _homography(corners, source), Image.Resampling.BICUBIC
    )
    inside = Image.new("L", page.size)
    ImageDraw.Draw(inside).polygon(corners, 255)
    page.paste(laid, (0, 0), inside)
    pen.line([*corners, corners[0]], WIRE, 2 * FINE)
    outward = np.array(centre) - np.mean(corners, axis=0)
    place = np.array(centre) + 16 * FINE * outward / max(np.linalg.norm(outward), 1.0)
    pen.text(tuple(place), str(index), INK, ImageFont.load_default(17 * FINE), anchor="mm")


def _homography(here: list, there: list) -> list[float]:
    """Return the eight numbers that take places of the page to places of a frame, as Pillow wants them."""
    rows, values = [], []
    for (x, y), (u, v) in zip(here, there, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()
