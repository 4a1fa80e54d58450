"""Film a mesh as a hand would: a video that goes once around it, before a wall, and says nothing of its cameras.

python docs/film.py MODEL.glb film.mp4

Something to try `vid2three reconstruct` with where no phone is at hand. The lamp stands still; the pace, the height and
the distance of the camera drift a little.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import trimesh

from recon.camera import Cameras, invert_rigid
from recon.mesh_render import render_mesh
from vid2three.formats.glb import load_mesh
from vid2three.video import save_video

NUM_FRAMES, FPS, SIZE, FOV_DEG = 96, 24, 480, 38.0
ELEVATION_DEG, DISTANCE = 18.0, 3.4  # of the camera; distances are in radii of the model
LAMP, AMBIENT = np.array([-0.5, -0.6, 0.62]), 0.55
WALLS = {"blue": ((0.25, 0.38, 0.52), (0.38, 0.50, 0.62)), "pale": ((0.80, 0.80, 0.78), (0.90, 0.89, 0.86))}
NOISE = 0.008  # of the sensor, of full scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a .glb with a texture or vertex colours")
    parser.add_argument("film", type=Path, help="the .mp4 to write")
    parser.add_argument("--seed", type=int, default=0, help="of the hand that holds the camera")
    parser.add_argument("--wall", choices=list(WALLS), default="blue", help="what stands behind")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    mesh = within_unit_sphere(load_mesh(args.model))
    cameras = hand_held(rng)
    seen = render_mesh(mesh, cameras)
    light = render_mesh(lit(mesh), cameras).rgb[..., :1]
    alpha = seen.alpha[..., None]
    top, foot = (torch.tensor(color) for color in WALLS[args.wall])
    wall = torch.lerp(top, foot, torch.linspace(0, 1, SIZE)[:, None, None])
    frames = seen.rgb * light / alpha.clamp(min=1e-3) + (1 - alpha) * wall  # both renders are on black: premultiplied
    frames = frames.numpy() + rng.normal(0, NOISE, frames.shape)
    save_video(args.film, (255 * frames.clip(0, 1)).round().astype(np.uint8), FPS)


def within_unit_sphere(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return the mesh with the middle of its box at the origin and its farthest corner at a distance of 1."""
    mesh.apply_translation(-mesh.bounds.mean(axis=0))
    mesh.apply_scale(1 / np.linalg.norm(mesh.vertices, axis=1).max())
    return mesh


def lit(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return the mesh in greys: what a lamp and the room's light leave of a white one."""
    facing = (mesh.vertex_normals @ (LAMP / np.linalg.norm(LAMP))).clip(0)
    grey = (255 * (AMBIENT + (1 - AMBIENT) * facing)).astype(np.uint8)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=np.stack([grey] * 3, axis=1), process=False)


def hand_held(rng: np.random.Generator) -> Cameras:
    """Make cameras that go once around the origin, counter-clockwise, as steadily as a hand does."""
    turn = 2 * np.pi * (np.arange(NUM_FRAMES) / NUM_FRAMES) + np.radians(2.0) * drift(rng)
    elevation = np.radians(ELEVATION_DEG + 2.0 * drift(rng))
    distance = DISTANCE * (1 + 0.02 * drift(rng))
    outward = np.stack([np.sin(turn) * np.cos(elevation), -np.cos(turn) * np.cos(elevation), np.sin(elevation)], axis=1)
    right = np.stack([np.cos(turn), np.sin(turn), np.zeros(NUM_FRAMES)], axis=1)
    c2w = torch.eye(4).repeat(NUM_FRAMES, 1, 1)
    axes = np.stack([right, np.cross(-outward, right), -outward, distance[:, None] * outward], axis=2)
    c2w[:, :3] = torch.from_numpy(axes)
    focal = SIZE / 2 / np.tan(np.radians(FOV_DEG) / 2)
    K = torch.tensor([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]], dtype=torch.float32)
    return Cameras(K.repeat(NUM_FRAMES, 1, 1), invert_rigid(c2w), SIZE, SIZE)


def drift(rng: np.random.Generator) -> np.ndarray:
    """Return a slow wave through all frames, about 1 high, that ends where it begins."""
    waves = np.arange(1, 5)
    phases, weights = rng.uniform(0, 2 * np.pi, len(waves)), rng.normal(size=len(waves)) / len(waves) ** 0.5
    turn = 2 * np.pi * np.arange(NUM_FRAMES)[:, None] / NUM_FRAMES
    return (weights * np.sin(waves * turn + phases)).sum(axis=1)


if __name__ == "__main__":
    main()
