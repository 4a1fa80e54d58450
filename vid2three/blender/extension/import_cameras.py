"""The cameras of a run: one that goes through all views, a frame each, and one for each view where they are wanted."""

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from .run_folder import Cameras, RunFolder

SENSOR_MM = 36.0
NEAR, FAR = 0.02, 50.0  # of the distance to the subject


def import_cameras(
    run: RunFolder,
    collection: bpy.types.Collection,
    root: bpy.types.Object,
    place: Matrix,
    *,
    animated: bool,
    single: bool,
    with_pictures: bool,
) -> bpy.types.Object | None:
    """Make the cameras, brought to the mesh by `place`, and return the animated one or else the first."""
    cameras = run.cameras
    assert cameras is not None
    matrices = [_placed(place, c2w) for c2w in cameras.c2w]
    scale = place.to_scale()[0]
    reach = scale * _distances(cameras)
    pictures = cameras.pictures if with_pictures else ()
    first = None
    if animated:
        first = _camera(f"{run.name} camera", collection, root, cameras, reach)
        _animate(first, matrices, cameras)
        if pictures:
            _sequence_behind(first.data, pictures)
    if single:
        below = bpy.data.collections.new(f"{run.name} cameras")
        collection.children.link(below)
        for index, matrix in enumerate(matrices):
            made = _camera(f"{run.name} camera {index:03d}", below, root, cameras, reach[index : index + 1])
            made.matrix_local = matrix
            for name, value in _lens(cameras, index).items():
                setattr(made.data, name, value)
            if pictures:
                _behind(made.data, bpy.data.images.load(str(pictures[index]), check_existing=True))
            first = first or made
    return first


def _camera(
    name: str, collection: bpy.types.Collection, root: bpy.types.Object, cameras: Cameras, reach: np.ndarray
) -> bpy.types.Object:
    data = bpy.data.cameras.new(name)
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_MM
    data.sensor_height = SENSOR_MM * cameras.height / cameras.width
    data.clip_start, data.clip_end = max(1e-4, NEAR * float(reach.min())), FAR * float(reach.max())
    data.display_size = 0.1 * float(reach.min())
    made = bpy.data.objects.new(name, data)
    made.rotation_mode = "QUATERNION"
    collection.objects.link(made)
    made.parent = root
    return made


def _animate(camera: bpy.types.Object, matrices: list[Matrix], cameras: Cameras) -> None:
    """Set a key for each view: view k is frame k + 1."""
    lenses = [_lens(cameras, index) for index in range(len(matrices))]
    for name, value in lenses[0].items():
        setattr(camera.data, name, value)
    changing = [name for name in lenses[0] if any(lens[name] != lenses[0][name] for lens in lenses)]
    before = None
    for index, matrix in enumerate(matrices):
        turn = matrix.to_quaternion()
        if before is not None:
            turn.make_compatible(before)  # the shorter way round
        before = turn
        camera.location, camera.rotation_quaternion = matrix.translation, turn
        camera.keyframe_insert("location", frame=index + 1)
        camera.keyframe_insert("rotation_quaternion", frame=index + 1)
        for name in changing:
            setattr(camera.data, name, lenses[index][name])
            camera.data.keyframe_insert(name, frame=index + 1)


def _lens(cameras: Cameras, index: int) -> dict[str, float]:
    """Return focal length in mm and the shift of the principal point, in widths of the picture."""
    fx, fy, cx, cy = (float(cameras.K[index][at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return {
        "lens": SENSOR_MM * fx / cameras.width,
        "shift_x": (cameras.width / 2 - cx) / cameras.width,
        "shift_y": (cy - cameras.height / 2) * (fx / fy) / cameras.width,
    }


def _placed(place: Matrix, c2w: np.ndarray) -> Matrix:
    """Bring a camera to the mesh; it keeps its size, as a camera's picture does not know scale."""
    matrix = place @ Matrix(c2w.tolist())
    location, rotation, _ = matrix.decompose()
    return Matrix.LocRotScale(location, rotation, None)


def _distances(cameras: Cameras) -> np.ndarray:
    """Return how far the cameras stand from the point that they look at together, in the world's units."""
    centers, axes = cameras.c2w[:, :3, 3], cameras.c2w[:, :3, 2]
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]  # N 3 3: what is off the axis
    system = across.sum(0) + 1e-6 * len(axes) * np.eye(3)  # parallel axes meet nowhere
    point = np.linalg.solve(system, (across @ centers[:, :, None]).sum(0)[:, 0])
    return np.maximum(np.linalg.norm(centers - point, axis=1), 1e-3)


def _behind(data: bpy.types.Camera, image: bpy.types.Image) -> bpy.types.CameraBackgroundImage:
    data.show_background_images = True
    behind = data.background_images.new()
    behind.image, behind.alpha, behind.frame_method = image, 1.0, "STRETCH"
    return behind


def _sequence_behind(data: bpy.types.Camera, pictures: tuple[Path, ...]) -> None:
    image = bpy.data.images.load(str(pictures[0]))
    image.source = "SEQUENCE"
    user = _behind(data, image).image_user
    user.frame_start, user.frame_duration = 1, len(pictures)
    user.frame_offset = int(pictures[0].stem) - 1  # frame 1 shows the first picture
    user.use_auto_refresh = True
