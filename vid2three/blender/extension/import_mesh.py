"""mesh.glb by Blender's own glTF importer."""

from pathlib import Path

import bpy


def import_mesh(
    context: bpy.types.Context, path: Path, collection: bpy.types.Collection, root: bpy.types.Object
) -> bpy.types.Object:
    """Import the mesh with its material, exactly where the file puts it, and hang it on the root."""
    before = set(bpy.data.objects)
    try:
        bpy.ops.import_scene.gltf(filepath=str(path))
    except AttributeError:
        raise ValueError(
            "Blender's glTF importer is off; enable the add-on 'glTF 2.0 format' in the preferences."
        ) from None
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be opened ({str(error).strip()}); let vid2three make it again.") from None
    made = [thing for thing in bpy.data.objects if thing not in before]
    for thing in made:
        for other in list(thing.users_collection):
            other.objects.unlink(thing)
        collection.objects.link(thing)
        if thing.parent is None:
            thing.parent = root
    meshes = [thing for thing in made if thing.type == "MESH"]
    if not meshes:
        raise ValueError(f"{path} holds no mesh; let vid2three make it again.")
    meshes[0].name = f"{root.name} mesh"
    return meshes[0]
