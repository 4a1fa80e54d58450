"""Things to write into files: splats whose colours turn with the view, a textured mesh, and cameras that tell."""

import numpy as np
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from generator.rays import intrinsics, orbit_c2w
from recon.camera import Cameras, invert_rigid
from recon.metrics import psnr
from recon.render import render
from recon.splats import Splats
from recon.unwrap import texels, unwrap

NOTES = {"prompt": "a “red” mug", "seed": 3, "model": "orbit-s", "model_licence": "Apache-2.0", "ai_generated": True}


def lopsided_splats(num: int = 300, degree: int = 3, seed: int = 0) -> Splats:
    """Long splats, turned every way, on a body without any symmetry; harmonics large enough to be seen."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator)

    means = 0.3 * draw(num, 3) * torch.tensor([1.0, 0.5, 0.8]) + torch.tensor([0.2, -0.1, 0.3])
    means[: num // 6] = torch.tensor([0.8, 0.0, 0.9]) + 0.05 * draw(num // 6, 3)  # an arm, up and to the right
    sh = 0.25 * draw(num, (degree + 1) ** 2, 3)
    sh[:, 0] = 1.2 * draw(num, 3)
    return Splats(means, -2.8 + 0.6 * draw(num, 3), draw(num, 4), 1 + 2 * draw(num), sh)


def orbit_cameras(size: int = 64) -> Cameras:
    """Four cameras around the origin from above, z up."""
    c2w = torch.from_numpy(orbit_c2w(4, 25, 4.0, start_deg=20)).float()
    return Cameras(torch.from_numpy(intrinsics(40, size, size)).float().expand(4, 3, 3), invert_rigid(c2w), size, size)


def turned_cameras(cameras: Cameras, matrix: np.ndarray) -> Cameras:
    """Return cameras taken along with a world that a turn [4,4] turns."""
    w2c = cameras.w2c.double() @ torch.from_numpy(np.linalg.inv(matrix))
    return Cameras(cameras.K, w2c.float(), cameras.height, cameras.width)


def likeness(a: Splats, b: Splats, cameras_a: Cameras, cameras_b: Cameras | None = None) -> float:
    """Return the PSNR in dB of what the one looks like beside the other."""
    drawn = [
        render(splats, cameras, background=torch.ones(3)).rgb.clamp(0, 1)
        for splats, cameras in ((a, cameras_a), (b, cameras_b or cameras_a))
    ]
    return psnr(*drawn)


def painted_ball(with_maps: bool = False) -> trimesh.Trimesh:
    """A ball cut by its charts, 2 high on z = 0: red in front (-y), blue behind, green on top."""
    ball = trimesh.creation.icosphere(3)
    ball.apply_translation((0, 0, 1))
    origin, uv, faces = unwrap(np.asarray(ball.vertices), np.asarray(ball.faces), 128)
    atlas = texels(uv, faces, 128)
    places = atlas.mean(np.asarray(ball.vertices)[origin], faces)
    colors = np.where(places[:, 1:2] < 0, [[200, 30, 20]], [[20, 40, 210]])
    colors[places[:, 2] > 1.7] = (30, 180, 50)
    picture = np.zeros((128 * 128, 3), np.uint8)
    picture[atlas.index] = colors
    maps = {"baseColorTexture": Image.fromarray(picture.reshape(128, 128, 3))}
    if with_maps:
        maps["normalTexture"] = Image.new("RGB", (128, 128), (128, 128, 255))
        maps["occlusionTexture"] = Image.new("L", (128, 128), 255)
    visual = TextureVisuals(uv=uv, material=PBRMaterial(**maps))
    return trimesh.Trimesh(ball.vertices[origin], faces, visual=visual, process=False)


def colored_box() -> trimesh.Trimesh:
    """A box 0.1 x 0.2 x 0.3 on z = 0, each corner of a colour of its own."""
    box = trimesh.creation.box((0.1, 0.2, 0.3))
    box.apply_translation((0.02, 0, 0.15))
    colors = np.random.default_rng(0).integers(0, 256, (len(box.vertices), 4)).astype(np.uint8)
    colors[:, 3] = 255
    return trimesh.Trimesh(box.vertices, box.faces, vertex_colors=colors, process=False)
