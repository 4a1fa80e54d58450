"""What Open3D finds in files of meshes and splats, run by test_open3d.py in a Python that has it.

    python open3d_script.py REPORT FILE...

Writes JSON: of each file the box, how many vertices and triangles, colours or texture, and what is not there as null.
Nothing of ours is imported.
"""

import json
import sys

import numpy as np
import open3d


def main(report: str, files: list[str]) -> None:
    told = {file: splats(file) if "splats" in file else mesh(file) for file in files}
    with open(report, "w") as file:
        json.dump(told, file)


def mesh(path: str) -> dict:
    found = open3d.io.read_triangle_mesh(path, enable_post_processing=False)
    points, triangles = np.asarray(found.vertices), np.asarray(found.triangles)
    told = {
        "box": [points.min(axis=0).tolist(), points.max(axis=0).tolist()],
        "vertices": len(points),
        "triangles": len(triangles),
        "volume": None,
        "colors": np.asarray(found.vertex_colors).tolist() if found.has_vertex_colors() else None,
        "points": points.tolist(),
        "texture": None,
    }
    welded = open3d.geometry.TriangleMesh(found.vertices, found.triangles).merge_close_vertices(1e-6)
    if welded.is_watertight():
        told["volume"] = welded.get_volume()
    pictures = [np.asarray(texture) for texture in found.textures if not texture.is_empty()]
    if found.has_triangle_uvs() and pictures:
        told["texture"] = spots(points, triangles, np.asarray(found.triangle_uvs), pictures[0])
    return told


def spots(points: np.ndarray, triangles: np.ndarray, uv: np.ndarray, picture: np.ndarray) -> list:
    """Return centre and colour of each triangle, by its UVs as Open3D has them: v down the rows of its picture."""
    middle = uv.reshape(-1, 3, 2).mean(axis=1)
    rows = (middle[:, 1] * picture.shape[0]).astype(int).clip(0, picture.shape[0] - 1)
    columns = (middle[:, 0] * picture.shape[1]).astype(int).clip(0, picture.shape[1] - 1)
    colors = picture[rows, columns, :3] / 255
    return np.concatenate([points[triangles].mean(axis=1), colors], axis=1).tolist()


def splats(path: str) -> dict:
    found = open3d.t.io.read_point_cloud(path)
    return {name: value.numpy().tolist() for name, value in found.point.items()}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
