"""Clips without fault, of several makers: path-traced orbits, the generator's scenes, artists' models, photographs.

Cameras, pictures, alphas and depths are exact. All are closed orbits in order, so that faults can be planted into them
(planted_faults.py).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh

sys.path.insert(0, str(Path(__file__).parents[1]))

from planted_faults import Truth

from generator.corpus import Corpus
from generator.data import Subject
from generator.grammar import make_scene, sample_attributes
from generator.mesh_tracer import trace_mesh
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import trace_clip
from recon.camera import Cameras, invert_rigid
from recon.masks import unmixed
from recon.mesh_render import base_color, render_mesh
from recon.poses.blob import shrunk
from recon.views import Views
from vid2three.capture import load_views

SUN = np.array([-0.45, -0.6, 0.75]) / 1.0618  # paints light onto meshes that have no texture
FOV_DEG = 40.0


def orbit(folder: Path, size: int) -> Truth:
    """Return one of the path-traced orbits at `size` pixels, drawn from elsewhere by its mesh."""
    mesh = trimesh.load(folder / "mesh.glb", force="mesh")
    assert isinstance(mesh, trimesh.Trimesh)
    if base_color(mesh) is None:
        light = 0.35 + 0.65 * np.clip(mesh.vertex_normals @ SUN, 0, 1)
        grey = np.repeat((200 * light[:, None]).astype(np.uint8), 3, axis=1)
        mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=grey)
    views = shrunk(load_views(folder / "transforms_train.json"), size)
    views = replace(views, depths=render_mesh(mesh, views.cameras).depth)
    return Truth(folder.name, views, lambda cameras: _drawn(mesh, cameras))


def _drawn(mesh: trimesh.Trimesh, cameras: Cameras) -> Views:
    picture = render_mesh(mesh, cameras)
    straight = picture.rgb / picture.alpha.clamp(min=0.25)[..., None]
    return Views(straight.clamp(0, 1), picture.alpha, picture.depth, cameras)


def ring(capture: Path, name: str, size: int, num: int) -> Truth:
    """Return photographs from a ring: of a capture all around a subject, those nearest to one elevation, in order."""
    views = load_views(capture)
    center = views.cameras.centers - views.cameras.centers.mean(dim=0) * torch.tensor([1.0, 1.0, 0.0])
    azimuth = torch.atan2(center[:, 1], center[:, 0])
    elevation = torch.rad2deg(torch.asin(center[:, 2] / center.norm(dim=1)))
    bins = torch.linspace(-torch.pi, torch.pi, num + 1)[:-1]
    chosen = []
    for start in bins:
        away = torch.remainder(azimuth - start, 2 * torch.pi)
        inside = (away < 2 * torch.pi / num).nonzero()[:, 0]
        if len(inside):
            chosen.append(int(inside[(elevation[inside] - 30).abs().argmin()]))
    return Truth(name, shrunk(views[torch.tensor(chosen)], size))


def scene(seed: int, num_frames: int, size: int) -> Truth:
    """Return a scene of the generator's grammar."""
    rng = np.random.default_rng(seed)
    attributes = sample_attributes(rng)
    name = f"{attributes.color} {attributes.category} ({seed})"
    return traced(name, make_scene(attributes, rng), float(rng.uniform(5, 30)), num_frames, size)


def model(corpus: Corpus, name: str, num_frames: int, size: int) -> Truth:
    """Return an artist's model, by its name in the corpus."""
    index = next(i for i, item in enumerate(corpus.models) if item.id == name)
    subject = corpus.subject(index, None, np.random.default_rng(0))
    return traced(corpus.models[index].short, subject, 15.0, num_frames, size)


def traced(name: str, subject: Subject, elevation_deg: float, num_frames: int, size: int) -> Truth:
    """Return a subject as a closed orbit, traced."""
    K, radius = intrinsics(FOV_DEG, size, size), orbit_radius(FOV_DEG)
    c2w = torch.from_numpy(orbit_c2w(num_frames, elevation_deg, radius)).float()
    cameras = Cameras(torch.from_numpy(K).float().repeat(num_frames, 1, 1), invert_rigid(c2w), size, size)

    def draw(cameras: Cameras) -> Views:
        places = cameras.c2w.double().numpy()
        if isinstance(subject, np.ndarray):
            trace = trace_clip(subject, places, K, size, size)
        else:
            trace = trace_mesh(subject, places, K, size, size)
        alphas, depths = torch.from_numpy(trace.alpha), torch.from_numpy(trace.depth)
        images = unmixed(torch.from_numpy(trace.rgb).float() / 255, alphas, torch.ones(len(alphas), 3))
        return Views(images, alphas, depths, cameras)

    return Truth(name, draw(cameras), draw)
