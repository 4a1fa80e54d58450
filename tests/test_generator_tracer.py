"""The sphere tracer against analytic rays and against a slow march; its symmetries and conventions."""

import numpy as np
import pytest

from generator import sdf
from generator.grammar import Attributes, make_scene
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.shading import primitive_distance
from generator.shapes.form import euler_rotation
from generator.tracer import trace_clip
from generator_parts import solid

HEIGHT, WIDTH, FOV = 32, 48, 40.0
K = intrinsics(FOV, HEIGHT, WIDTH)
TEAPOT = Attributes("teapot", "round", "red", "blue", "checks", "glossy")


def pixel_rays(c2w: np.ndarray, across: float = 0.5, down: float = 0.5) -> np.ndarray:
    """Directions [H,W,3] whose z in the camera's frame is 1, so that a ray's parameter is its depth."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    local = [(u + across - K[0, 2]) / K[0, 0], (v + down - K[1, 2]) / K[1, 1], np.ones(u.shape)]
    return np.stack(local, axis=-1) @ c2w[:3, :3].T


CENTRE, *GRID = (0.5, 0.5), (0.125, 0.125), (0.625, 0.375), (0.375, 0.625), (0.875, 0.875)  # rays of an edge pixel


def test_depth_and_coverage_of_a_sphere_are_analytic():
    center, radius = np.array([0.1, -0.2, 0.15]), 0.6
    c2w = orbit_c2w(5, 20, orbit_radius(FOV))
    trace = trace_clip(solid(sdf.ELLIPSOID, [radius] * 3, center)[None], c2w, K, HEIGHT, WIDTH)
    for f in range(5):
        covered, offset = trace.alpha[f] > 0, c2w[f, :3, 3] - center
        assert covered.sum() > 200
        hits, gaps, errors = [], [], []
        for place in (CENTRE, *GRID):
            rays = pixel_rays(c2w[f], *place)
            a, b, c = (rays**2).sum(-1), rays @ offset, offset @ offset - radius**2
            root = b * b - a * c  # the quadratic formula
            hits.append(root > 0)
            errors.append(trace.depth[f] - (-b - np.sqrt(np.maximum(root, 0))) / a)
            gaps.append(np.linalg.norm(offset + trace.depth[f][..., None] * rays, axis=-1) - radius)
        gap = np.abs(gaps).min(0)[covered]  # each depth lies on the sphere, on a ray of its pixel
        assert np.quantile(gap, 0.95) < 2e-3
        assert gap.max() < 0.02  # a ray that grazes runs out of steps
        assert np.median(np.abs(errors).min(0)[covered]) < 1e-3  # on its near side
        assert np.mean(trace.alpha[f] == np.mean(hits[1:], axis=0)) > 0.98  # a ray that grazes may count
        assert (trace.alpha[f][np.all(hits, axis=0)] == 1).all()


def march(scene: np.ndarray, origin: np.ndarray, ray: np.ndarray) -> tuple[float, int]:
    """Depth and solid where small steps first get inside one."""
    for depth in np.arange(2.0, 4.5, 0.008):
        distances = [primitive_distance.py_func(scene, k, *(origin + depth * ray)) for k in range(len(scene))]
        if min(distances) < 0:
            return depth, int(np.argmin(distances))
    return np.inf, -1


def test_trace_is_the_slow_march():
    scene = make_scene(TEAPOT, np.random.default_rng(3))
    c2w = orbit_c2w(1, 15, orbit_radius(FOV))
    trace = trace_clip(scene, c2w, K, HEIGHT, WIDTH)
    rays = [pixel_rays(c2w[0], *place) for place in (CENTRE, *GRID)]
    rows, columns = np.nonzero(trace.alpha[0] == 1)
    same_part = 0
    for i in np.random.default_rng(0).choice(len(rows), 12, replace=False):
        pixel = rows[i], columns[i]
        marched = [march(scene, c2w[0, :3, 3], ray[pixel]) for ray in rays]
        depths = np.array([depth for depth, _ in marched])
        errors = trace.depth[0][pixel] - [depths[0], depths[1:].min()]
        assert np.abs(errors).min() < 0.012, pixel
        same_part += trace.part[0][pixel] in {scene[k, sdf.PART] for _, k in marched}
    assert same_part == 12


def test_turning_the_subject_is_orbiting_the_other_way():
    scene = make_scene(TEAPOT, np.random.default_rng(3))
    turn, turned = euler_rotation((0, 0, 90)), scene.copy()
    for row in turned:
        row[sdf.CENTER : sdf.CENTER + 3] = turn @ row[sdf.CENTER : sdf.CENTER + 3]
        row[sdf.ROTATION : sdf.SIZE] = (row[sdf.ROTATION : sdf.SIZE].reshape(3, 3) @ turn.T).ravel()
    c2w = orbit_c2w(4, 10, orbit_radius(FOV))
    before, after = trace_clip(scene, c2w, K, HEIGHT, WIDTH), trace_clip(turned, c2w, K, HEIGHT, WIDTH)
    for f in range(4):  # counter-clockwise: what the front camera saw, the next one sees
        assert np.mean(before.alpha[f] == after.alpha[(f + 1) % 4]) > 0.99
        same = before.alpha[f] == 1
        assert np.median(np.abs(before.depth[f] - after.depth[(f + 1) % 4])[same]) < 1e-3
    assert np.mean(before.alpha[0] == after.alpha[0]) < 0.97


def test_frames_do_not_depend_on_each_other():
    scene = make_scene(TEAPOT, np.random.default_rng(4))
    c2w = orbit_c2w(6, 25, orbit_radius(FOV))
    whole, some = trace_clip(scene, c2w, K, HEIGHT, WIDTH), trace_clip(scene, c2w[[4, 1]], K, HEIGHT, WIDTH)
    for name in ("rgb", "alpha", "depth", "part"):
        assert np.array_equal(getattr(whole, name)[[4, 1]], getattr(some, name))


def test_background_is_white_and_edges_are_quarters():
    trace = trace_clip(make_scene(TEAPOT, np.random.default_rng(5)), orbit_c2w(2, 0, 3.0), K, HEIGHT, WIDTH)
    empty = trace.alpha == 0
    assert (trace.rgb[empty] == 255).all()
    assert (trace.depth[empty] == 0).all()
    assert (trace.part[empty] == -1).all()
    assert (trace.part[~empty] >= 0).all()
    assert set(np.unique(trace.alpha)) == {0, 0.25, 0.5, 0.75, 1}


def test_an_empty_scene_is_white():
    trace = trace_clip(np.zeros((0, sdf.NUM_COLUMNS)), orbit_c2w(1, 0, 3.0), K, HEIGHT, WIDTH)
    assert (trace.rgb == 255).all()
    assert not trace.alpha.any()


def test_the_nearer_solid_hides_the_farther():
    near = solid(sdf.BOX, (0.2, 0.1, 0.2, 0), (0, -0.5, 0), (0.9, 0, 0), part=0)
    far = solid(sdf.BOX, (0.6, 0.1, 0.6, 0), (0, 0.5, 0), (0, 0, 0.9), part=1)
    trace = trace_clip(np.stack([far, near]), orbit_c2w(2, 0, 3.0), K, HEIGHT, WIDTH)
    middle = trace.part[:, HEIGHT // 2, WIDTH // 2]
    assert middle.tolist() == [0, 1]  # from the front (-y) the near one, from behind the other
    assert trace.depth[:, HEIGHT // 2, WIDTH // 2] == pytest.approx([3 - 0.6, 3 - 0.6], abs=3e-3)


def test_a_scene_of_other_columns_is_refused():
    with pytest.raises(ValueError, match=r"\[P, 34\], not \(2, 7\)"):
        trace_clip(np.zeros((2, 7)), orbit_c2w(1, 0, 3.0), K, HEIGHT, WIDTH)
