"""Coloured solids for the tests of reconstruction: their views from an orbit, and splats that lie on their surface."""

import numpy as np
import torch
import trimesh
from scipy.spatial.transform import Rotation

from generator.rays import orbit_c2w
from recon.camera import Cameras, invert_rigid
from recon.mesh_render import render_mesh, vertex_colors
from recon.sh import rgb_to_dc
from recon.splats import Splats
from recon.views import Views


def mug() -> trimesh.Trimesh:
    """A red cylinder on flat ground with a green ring for a handle, bluer towards the top; a hole to look through."""
    body = trimesh.creation.cylinder(0.45, 1.2, sections=48).subdivide().subdivide()
    ring = trimesh.creation.torus(0.3, 0.09, major_sections=32, minor_sections=16)
    ring.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    ring.apply_translation((0.5, 0, 0.05))
    body.visual.vertex_colors = colored(body, (200, 40, 30))
    ring.visual.vertex_colors = colored(ring, (30, 170, 60))
    return trimesh.util.concatenate([body, ring])


def colored(mesh: trimesh.Trimesh, rgb: tuple[int, int, int]) -> np.ndarray:
    """One colour, bluer towards the top: colours that a wrong view or a wrong height would give away."""
    colors = np.tile([*rgb, 255], (len(mesh.vertices), 1)).astype(np.uint8)
    colors[:, 2] = np.clip(100 + 150 * mesh.vertices[:, 2], 0, 255)
    return colors


def orbit_views(
    mesh: trimesh.Trimesh, num: int, size: tuple[int, int] = (72, 80), elevation_deg: float = 15.0
) -> Views:
    """Exact pictures, masks and depths of a mesh from an orbit around the origin."""
    height, width = size
    K = torch.tensor([[1.3 * width, 0, width / 2], [0, 1.3 * width, height / 2], [0, 0, 1]]).expand(num, 3, 3)
    c2w = torch.from_numpy(orbit_c2w(num, elevation_deg, radius=3.2)).float()
    cameras = Cameras(K, invert_rigid(c2w), height, width)
    drawn = render_mesh(mesh, cameras)
    straight = drawn.rgb / drawn.alpha.clamp(min=0.25)[..., None]
    return Views(straight.clamp(0, 1), drawn.alpha, drawn.depth, cameras)


def surface_splats(mesh: trimesh.Trimesh, num: int, seed: int = 0) -> Splats:
    """Flat, opaque splats that cover a mesh's surface in its colours."""
    points, faces = trimesh.sample.sample_surface(mesh, num, seed=seed)
    normals = mesh.face_normals[faces]
    side = np.cross(np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]), normals)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    axes = np.stack([side, np.cross(normals, side), normals], axis=-1)
    quats = Rotation.from_matrix(axes).as_quat()[:, [3, 0, 1, 2]]
    spread = 1.2 * np.sqrt(mesh.area / num)
    rgb = torch.from_numpy(vertex_colors(mesh)[mesh.faces[faces]].mean(axis=1))
    return Splats(
        means=torch.from_numpy(points).float(),
        log_scales=torch.tensor([spread, spread, 0.2 * spread]).log().float().repeat(num, 1),
        quats=torch.from_numpy(quats).float(),
        opacity_logits=torch.full((num,), 3.0),
        sh=rgb_to_dc(rgb).float()[:, None],
    )


def potato() -> trimesh.Trimesh:
    """A bumpy lump with spots of colour, the same from no two sides; it fits into a ball of radius 0.25."""
    rng = np.random.default_rng(3)
    mesh = trimesh.creation.icosphere(subdivisions=5)
    bumps = rng.normal(size=(12, 3))
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    near = np.exp(-np.square(mesh.vertices[:, None] - bumps).sum(-1) / 0.15)
    radius = 0.6 + near @ rng.uniform(-0.3, 0.4, 12)
    spots = rng.normal(size=(150, 3))
    spots /= np.linalg.norm(spots, axis=1, keepdims=True)
    nearest = np.square(mesh.vertices[:, None] - spots).sum(-1).argmin(1)
    colors = rng.integers(30, 230, size=(150, 3))[nearest]
    colored = np.concatenate([colors, np.full((len(colors), 1), 255)], axis=1).astype(np.uint8)
    vertices = 0.25 * mesh.vertices * radius[:, None] / radius.max()
    return trimesh.Trimesh(vertices, mesh.faces, vertex_colors=colored, process=False)
