"""USD: what usd-core itself finds in our files, and that nothing outside a file is touched."""

import sys
import zipfile

import numpy as np
import pytest
import trimesh

from format_parts import NOTES, colored_box, lopsided_splats, painted_ball
from recon.mesh_render import vertex_colors
from recon.unwrap import welded
from vid2three.formats import usd
from vid2three.formats.glb import srgb_to_linear

pxr = pytest.importorskip("pxr")
from pxr import Sdf, Usd, UsdGeom, UsdShade, UsdValidation, UsdVol  # noqa: E402

SUFFIXES = [".usd", ".usda", ".usdc", ".usdz"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_textured_mesh_comes_back_with_its_maps(tmp_path, suffix):
    ball = painted_ball(with_maps=True)
    usd.save_mesh(tmp_path / f"a{suffix}", ball, name="ball 7", extras=NOTES)
    found = usd.read_mesh(tmp_path / f"a{suffix}")
    assert (found.name, found.up, found.extras) == ("ball_7", "z", NOTES)
    assert welded(found.mesh)[0].is_watertight
    np.testing.assert_allclose(found.mesh.bounds, ball.bounds, atol=1e-6)
    assert found.mesh.volume == pytest.approx(ball.volume, rel=1e-5)
    for key in ("baseColorTexture", "normalTexture", "occlusionTexture"):
        a, b = getattr(found.mesh.visual.material, key), getattr(ball.visual.material, key)
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    points = found.mesh.vertices - [0, 0, 1]
    colors = vertex_colors(found.mesh)
    assert (colors[(points[:, 1] < -0.3) & (points[:, 2] < 0.5), 0] > 0.6).all()
    assert (colors[points[:, 2] > 0.9, 1] > 0.6).all()


def test_vertex_colours_are_linear_display_colours_and_come_back(tmp_path):
    box = colored_box()
    usd.save_mesh(tmp_path / "a.usda", box)
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/asset/mesh"))
    stored = np.array(mesh.GetDisplayColorAttr().Get())
    order = np.lexsort(np.asarray(box.vertices).T[::-1])  # as `welded` sorts
    np.testing.assert_allclose(stored, srgb_to_linear(box.visual.vertex_colors[order, :3] / 255), atol=1e-6)
    found = usd.read_mesh(tmp_path / "a.usda").mesh
    np.testing.assert_array_equal(found.visual.vertex_colors[:, :3], box.visual.vertex_colors[order, :3])


def test_stage_says_axes_units_size_and_where_it_comes_from(tmp_path):
    usd.save_mesh(tmp_path / "a.usdz", painted_ball(), name="a-mug", extras=NOTES)
    stage = Usd.Stage.Open(str(tmp_path / "a.usdz"))
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    root = stage.GetDefaultPrim()
    assert root.GetName() == "a_mug"
    (prim,) = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    mesh = UsdGeom.Mesh(prim)
    assert mesh.GetSubdivisionSchemeAttr().Get() == "none"
    np.testing.assert_allclose(mesh.GetExtentAttr().Get(), [[-1, -1, 0], [1, 1, 2]], atol=1e-2)
    box = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"]).ComputeWorldBound(root).ComputeAlignedRange()
    np.testing.assert_allclose([box.GetMin(), box.GetMax()], mesh.GetExtentAttr().Get(), atol=1e-6)
    notes = stage.GetRootLayer().customLayerData["vid2three"]
    assert {key: notes[key] for key in NOTES} == NOTES
    assert notes["generator"].startswith("vid2three ")


def test_material_is_a_preview_surface_that_reads_the_texture_in_srgb(tmp_path):
    usd.save_mesh(tmp_path / "a.usdz", painted_ball(with_maps=True))
    stage = Usd.Stage.Open(str(tmp_path / "a.usdz"))
    (prim,) = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
    surface = material.ComputeSurfaceSource()[0]
    assert surface.GetShaderId() == "UsdPreviewSurface"
    assert surface.GetInput("roughness").Get() == pytest.approx(0.9)
    (source,), _ = surface.GetInput("diffuseColor").GetConnectedSources()
    texture = UsdShade.Shader(source.source.GetPrim())
    assert texture.GetInput("sourceColorSpace").Get() == "sRGB"
    assert texture.GetInput("file").Get().resolvedPath  # usd-core finds it inside the package
    (source,), _ = surface.GetInput("normal").GetConnectedSources()
    texture = UsdShade.Shader(source.source.GetPrim())
    assert texture.GetInput("sourceColorSpace").Get() == "raw"
    assert tuple(texture.GetInput("scale").Get()) == (2, 2, 2, 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", ["mesh", "colours", "splats"])
def test_every_validator_of_usd_core_is_content(tmp_path, suffix, what):
    path = tmp_path / f"a{suffix}"
    if what == "splats":
        usd.save_splats(path, lopsided_splats(20, 2), extras=NOTES)
    else:
        usd.save_mesh(path, painted_ball(with_maps=True) if what == "mesh" else colored_box(), extras=NOTES)
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    found = UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(path)))
    assert [error.GetMessage() for error in found] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("up", ["z", "y"])
def test_a_mesh_stands_beside_splats_as_their_proxy(tmp_path, suffix, up):
    ball, splats = painted_ball(), lopsided_splats(20, 1)
    path = tmp_path / f"a{suffix}"
    usd.save_splats(path, splats, extras=NOTES, up=up, proxy=ball)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    stage = Usd.Stage.Open(str(path))
    (field,) = [prim for prim in stage.Traverse() if prim.IsA(UsdVol.ParticleField3DGaussianSplat)]
    assert UsdGeom.Imageable(field).ComputePurpose() == "render"
    proxy, render = UsdGeom.Imageable(field).ComputeProxyPrim()
    assert (proxy.IsA(UsdGeom.Mesh), render) == (True, field)
    assert UsdGeom.Imageable(proxy).ComputePurpose() == "proxy"
    points = np.array(UsdGeom.Mesh(proxy).GetPointsAttr().Get())
    points = points if up == "z" else points @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # z up again
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], ball.bounds, atol=1e-6)
    colors = np.array(UsdGeom.Mesh(proxy).GetDisplayColorAttr().Get())
    in_front = (points[:, 1] < -0.3) & (points[:, 2] < 1.5)
    assert (colors[in_front, 0] > 0.3).all()
    assert (colors[in_front, 2] < 0.1).all()
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    found = UsdValidation.ValidationContext(validators).Validate(stage)
    assert [error.GetMessage() for error in found] == []
    assert usd.holds_splats(path)
    assert len(usd.read_splats(path).splats) == 20


def test_splats_without_a_mesh_are_for_every_purpose(tmp_path):
    usd.save_splats(tmp_path / "a.usda", lopsided_splats(20, 1))
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    (field,) = [prim for prim in stage.Traverse() if prim.IsA(UsdVol.ParticleField3DGaussianSplat)]
    assert UsdGeom.Imageable(field).ComputePurpose() == "default"


def test_a_stand_in_before_the_splats_is_not_taken_for_them(tmp_path):
    usd.save_splats(tmp_path / "a.usda", lopsided_splats(20, 1), proxy=painted_ball())
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    layer = stage.GetRootLayer()
    layer.GetPrimAtPath("/splats").nameChildrenOrder = ["proxy", "material", "gaussians"]
    layer.Export(str(tmp_path / "b.usda"))
    stage = Usd.Stage.Open(str(tmp_path / "b.usda"))
    assert [prim.GetName() for prim in stage.Traverse()][:2] == ["splats", "proxy"]
    assert usd.holds_splats(tmp_path / "b.usda")


def test_canary_a_validator_finds_a_missing_default_prim(tmp_path):
    usd.save_mesh(tmp_path / "a.usda", colored_box())
    text = (tmp_path / "a.usda").read_text().replace('defaultPrim = "asset"', "")
    (tmp_path / "b.usda").write_text(text)
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(tmp_path / "b.usda")))


def test_y_up_is_said_and_done(tmp_path):
    ball = painted_ball()
    usd.save_mesh(tmp_path / "a.usda", ball, up="y")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    points = np.array(UsdGeom.Mesh(stage.GetPrimAtPath("/asset/mesh")).GetPointsAttr().Get())
    np.testing.assert_allclose([points[:, 1].min(), points[:, 1].max()], [0, 2], atol=1e-6)
    np.testing.assert_allclose(usd.read_mesh(tmp_path / "a.usda").mesh.bounds, ball.bounds, atol=1e-6)
    with pytest.raises(ValueError, match="z up or y up"):
        usd.save_mesh(tmp_path / "b.usda", ball, up="y-down")


def test_centimetres_of_another_program_become_metres(tmp_path):
    usd.save_mesh(tmp_path / "a.usda", colored_box())
    text = (tmp_path / "a.usda").read_text().replace("metersPerUnit = 1", "metersPerUnit = 0.01")
    (tmp_path / "a.usda").write_text(text)
    np.testing.assert_allclose(usd.read_mesh(tmp_path / "a.usda").mesh.extents, [0.001, 0.002, 0.003], rtol=1e-5)


def test_splats_are_a_particle_field_whose_extent_covers_them(tmp_path):
    splats = lopsided_splats(50, 3)
    usd.save_splats(tmp_path / "a.usdc", splats)
    stage = Usd.Stage.Open(str(tmp_path / "a.usdc"))
    (prim,) = [prim for prim in stage.Traverse() if prim.IsA(UsdVol.ParticleField3DGaussianSplat)]
    field = UsdVol.ParticleField3DGaussianSplat(prim)
    assert len(field.GetRadianceSphericalHarmonicsCoefficientsAttr().Get()) == 50 * 16
    assert field.GetProjectionModeHintAttr().Get() == "perspective"
    low, high = np.array(field.GetExtentAttr().Get())
    assert (splats.means.numpy() > low).all()
    assert (splats.means.numpy() < high).all()


def test_files_in_a_package_are_stored_and_aligned_to_64_bytes(tmp_path):
    usd.save_mesh(tmp_path / "a.usdz", painted_ball(with_maps=True))
    archive = Sdf.ZipFile.Open(str(tmp_path / "a.usdz"))  # OpenUSD's own reader
    names = archive.GetFileNames()
    assert names == ["asset.usdc", "texture.png", "texture_normal.png", "texture_occlusion.png"]
    for name in names:
        info = archive.GetFileInfo(name)
        assert info.dataOffset % 64 == 0
        assert info.compressionMethod == 0
    assert zipfile.ZipFile(tmp_path / "a.usdz").testzip() is None


@pytest.mark.parametrize(
    "line", ["subLayers = [@./other.usda@]", 'defaultPrim = "asset"\n    subLayers = [@/etc/passwd@]']
)
def test_other_files_that_a_layer_names_are_not_opened(tmp_path, line):
    usd.save_mesh(tmp_path / "a.usda", colored_box())
    text = (tmp_path / "a.usda").read_text().replace('defaultPrim = "asset"', line)
    (tmp_path / "a.usda").write_text(text)
    with pytest.raises(ValueError, match="refers to other files"):
        usd.read_mesh(tmp_path / "a.usda")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "sub/x.png", "..\\\\x.png"])
def test_a_texture_is_taken_from_right_beside_the_file_alone(tmp_path, name):
    (tmp_path / "sub").mkdir()
    usd.save_mesh(tmp_path / "sub" / "a.usda", painted_ball())
    (tmp_path / "secret.png").write_bytes((tmp_path / "sub" / "a.png").read_bytes())
    text = (tmp_path / "sub" / "a.usda").read_text().replace("@./a.png@", f"@{name}@")
    (tmp_path / "sub" / "a.usda").write_text(text)
    with pytest.raises(ValueError, match="does not lie beside it"):
        usd.read_mesh(tmp_path / "sub" / "a.usda")


def test_without_usd_core_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(ImportError, match=r"vid2three\[usd\]"):
        usd.save_mesh(tmp_path / "a.usda", colored_box())


def test_a_mesh_is_not_taken_for_splats_nor_splats_for_a_mesh(tmp_path):
    usd.save_mesh(tmp_path / "a.usda", trimesh.creation.box())
    usd.save_splats(tmp_path / "b.usda", lopsided_splats(5, 0))
    with pytest.raises(ValueError, match="holds mesh"):
        usd.read_splats(tmp_path / "a.usda")
    with pytest.raises(ValueError, match="holds splats"):
        usd.read_mesh(tmp_path / "b.usda")
