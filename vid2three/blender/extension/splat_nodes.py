"""The geometry nodes and the material of splats: an ellipsoid on each point, as dense as its Gaussian.

A ball of REACH standard deviations is put on each point, turned and stretched by its attributes. On the ball's own
axes the Gaussian is round, so a ray that passes its centre at the distance d, in standard deviations, sees the alpha
opacity exp(-d^2 / 2). With p where the ray enters and v its unit direction, d^2 = p.p - (p.v)^2, whatever the ball is
stretched to. The nodes work that out, in Cycles and in EEVEE.
"""

import bpy

NAME = "vid2three splats"
REACH = 3.0  # standard deviations; beyond, less than 0.012 of the opacity is left
BALL_SUBDIVISIONS = 2  # 80 triangles


def splat_group() -> tuple[bpy.types.NodeTree, bpy.types.Material]:
    """Return the node group and the material, made on first use and shared by all splats of the file."""
    material = bpy.data.materials.get(NAME) or _material()
    group = bpy.data.node_groups.get(NAME)
    if group is None or group.bl_idname != "GeometryNodeTree":
        group = _group(material)
    return group, material


def _group(material: bpy.types.Material) -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    size = tree.interface.new_socket("Size", in_out="INPUT", socket_type="NodeSocketFloat")
    size.default_value, size.min_value, size.max_value = 1.0, 0.0, 10.0
    size.description = "1 is as fitted; less shows single splats"
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    given, result = _node(tree, "NodeGroupInput", -600, 0), _node(tree, "NodeGroupOutput", 600, 0)
    ball = _node(tree, "GeometryNodeMeshIcoSphere", -300, -120)
    ball.inputs["Radius"].default_value, ball.inputs["Subdivisions"].default_value = REACH, BALL_SUBDIVISIONS
    painted = _node(tree, "GeometryNodeSetMaterial", -80, -120)
    painted.inputs["Material"].default_value = material
    rotation = _named(tree, "rotation", "QUATERNION", -300, -320)
    scale = _named(tree, "scale", "FLOAT_VECTOR", -300, -480)
    sized = _node(tree, "ShaderNodeVectorMath", -80, -480)
    sized.operation = "SCALE"
    instances = _node(tree, "GeometryNodeInstanceOnPoints", 300, 0)
    link = tree.links.new
    link(given.outputs["Geometry"], instances.inputs["Points"])
    link(ball.outputs["Mesh"], painted.inputs["Geometry"])
    link(painted.outputs["Geometry"], instances.inputs["Instance"])
    link(_shown(rotation), instances.inputs["Rotation"])
    link(_shown(scale), sized.inputs[0])
    link(given.outputs["Size"], sized.inputs["Scale"])
    link(sized.outputs[0], instances.inputs["Scale"])
    link(instances.outputs["Instances"], result.inputs["Geometry"])
    return tree


def _material() -> bpy.types.Material:
    material = bpy.data.materials.new(NAME)
    if bpy.app.version < (5, 0, 0):  # later it always has nodes
        material.use_nodes = True
    material.surface_render_method = "DITHERED"  # sorts by pixels, however many splats there are
    tree = material.node_tree
    tree.nodes.clear()
    link = tree.links.new
    color, opacity = (_attribute(tree, name, -400, y) for name, y in (("Color", 300), ("opacity", 100)))
    place, shape = _node(tree, "ShaderNodeTexCoord", -1000, -100), _node(tree, "ShaderNodeNewGeometry", -1200, -300)
    turned = _node(tree, "ShaderNodeVectorTransform", -1000, -350)
    turned.vector_type, turned.convert_from, turned.convert_to = "VECTOR", "WORLD", "OBJECT"
    link(shape.outputs["Incoming"], turned.inputs["Vector"])
    direction = _vector(tree, "NORMALIZE", -800, -350, turned.outputs["Vector"])
    squared = _vector(tree, "DOT_PRODUCT", -600, -100, place.outputs["Object"], place.outputs["Object"])
    along = _vector(tree, "DOT_PRODUCT", -600, -300, place.outputs["Object"], direction)
    along = _math(tree, "MULTIPLY", -400, -300, along, along)
    distance = _math(tree, "SUBTRACT", -200, -200, squared, along)
    dense = _math(tree, "EXPONENT", 200, -200, _math(tree, "MULTIPLY", 0, -200, distance, -0.5))
    alpha = _math(tree, "MULTIPLY", 400, 0, opacity.outputs["Fac"], dense)
    entering = _math(tree, "SUBTRACT", 0, -400, 1.0, shape.outputs["Backfacing"])
    alpha = _math(tree, "MULTIPLY", 600, 0, alpha, entering)
    clear, light = _node(tree, "ShaderNodeBsdfTransparent", 600, 300), _node(tree, "ShaderNodeEmission", 600, 200)
    mixed, result = _node(tree, "ShaderNodeMixShader", 800, 200), _node(tree, "ShaderNodeOutputMaterial", 1000, 200)
    link(color.outputs["Color"], light.inputs["Color"])
    link(alpha, mixed.inputs["Fac"])
    link(clear.outputs[0], mixed.inputs[1])
    link(light.outputs[0], mixed.inputs[2])
    link(mixed.outputs[0], result.inputs["Surface"])
    return material


def _node(tree: bpy.types.NodeTree, kind: str, x: float, y: float) -> bpy.types.Node:
    node = tree.nodes.new(kind)
    node.location = (x, y)
    return node


def _named(tree: bpy.types.NodeTree, name: str, kind: str, x: float, y: float) -> bpy.types.Node:
    node = _node(tree, "GeometryNodeInputNamedAttribute", x, y)
    node.data_type, node.inputs["Name"].default_value = kind, name
    return node


def _shown(node: bpy.types.Node) -> bpy.types.NodeSocket:
    """Return the output of the type that a node is set to: older versions keep one of each type."""
    return next(output for output in node.outputs if output.enabled and output.name == "Attribute")


def _attribute(tree: bpy.types.NodeTree, name: str, x: float, y: float) -> bpy.types.Node:
    node = _node(tree, "ShaderNodeAttribute", x, y)
    node.attribute_type, node.attribute_name = "INSTANCER", name
    return node


def _vector(tree: bpy.types.NodeTree, operation: str, x: float, y: float, *given) -> bpy.types.NodeSocket:
    node = _node(tree, "ShaderNodeVectorMath", x, y)
    node.operation = operation
    for index, socket in enumerate(given):
        tree.links.new(socket, node.inputs[index])
    return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]


def _math(tree: bpy.types.NodeTree, operation: str, x: float, y: float, *given) -> bpy.types.NodeSocket:
    node = _node(tree, "ShaderNodeMath", x, y)
    node.operation = operation
    for index, value in enumerate(given):
        if isinstance(value, float):
            node.inputs[index].default_value = value
        else:
            tree.links.new(value, node.inputs[index])
    return node.outputs[0]
