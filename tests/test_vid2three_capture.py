"""Views on disk: written and read back, distortion and plain backgrounds taken away."""

import numpy as np
import pytest
import torch
from PIL import Image

from generator.rays import intrinsics, orbit_c2w
from recon.camera import Cameras, invert_rigid
from recon.views import Views, check, composited
from vid2three.capture import cut_out, digest, load_views, save_views
from vid2three.config import InputConfig
from vid2three.run import StageFiles


def made_views(alphas=True, depths=True) -> Views:
    generator = torch.Generator().manual_seed(0)
    c2w = torch.from_numpy(orbit_c2w(3, 15, 4.0)).float()
    K = torch.from_numpy(intrinsics(40, 16, 24)).float().repeat(3, 1, 1)
    values = torch.randint(0, 256, (3, 16, 24, 5), generator=generator).float() / 255
    return Views(
        images=values[..., :3],
        alphas=values[..., 3] if alphas else None,
        depths=(values[..., 4] * 4).round(decimals=3) if depths else None,
        cameras=Cameras(K, invert_rigid(c2w), 16, 24),
    )


def saved(views: Views, folder) -> StageFiles:
    files = StageFiles(folder, {})
    save_views(files, views, "z up")
    return files


@pytest.mark.parametrize("alphas", [True, False])
@pytest.mark.parametrize("depths", [True, False])
def test_load_undoes_save(tmp_path, alphas, depths):
    views = made_views(alphas, depths)
    saved(views, tmp_path)
    read = load_views(tmp_path)
    check(read)
    assert torch.equal(read.images, views.images)
    assert (read.alphas is not None) is alphas
    assert (read.depths is not None) is depths
    if read.alphas is not None:
        assert torch.equal(read.alphas, views.alphas)
    if read.depths is not None:
        torch.testing.assert_close(read.depths, views.depths, rtol=0, atol=1e-5)
    torch.testing.assert_close(read.cameras.w2c, views.cameras.w2c, rtol=0, atol=2e-6)
    assert torch.equal(read.cameras.K, views.cameras.K)


def test_straight_color_is_what_an_rgba_png_holds(tmp_path):
    saved(made_views(), tmp_path)
    picture = np.asarray(Image.open(tmp_path / "views" / "001.png"))
    assert picture.shape == (16, 24, 4)
    np.testing.assert_array_equal(picture[..., :3], (made_views().images[1] * 255).round().numpy())


def test_pictures_that_are_solid_everywhere_have_no_alphas(tmp_path):
    views = made_views(depths=False)
    solid = Views(views.images, torch.ones_like(views.images[..., 0]), None, views.cameras)
    saved(solid, tmp_path)
    assert load_views(tmp_path).alphas is None


def test_digest_sees_every_picture_and_the_cameras(tmp_path):
    saved(made_views(), tmp_path)
    before = digest(tmp_path)
    assert digest(tmp_path / "transforms.json") == before
    Image.new("RGBA", (24, 16)).save(tmp_path / "views" / "002.png")
    assert digest(tmp_path) != before


def test_the_background_is_cut_only_as_told(shared_data):
    views = load_views(shared_data / "orbits" / "spot")[:2]
    photo = Views(composited(views), None, None, views.cameras)
    assert cut_out(views, InputConfig("cut")) is views
    assert cut_out(photo, InputConfig("keep")) is photo
    cut = cut_out(photo, InputConfig("auto"))
    assert cut.alphas is not None
    torch.testing.assert_close(composited(cut), photo.images, rtol=0, atol=0.12)
    room = Views(torch.rand(2, 32, 32, 3, generator=torch.Generator().manual_seed(0)), None, None, views.cameras)
    assert cut_out(room, InputConfig("auto")) is room
    with pytest.raises(ValueError, match="not of one colour"):
        cut_out(room, InputConfig("cut"))


def test_a_phone_capture_loads_without_its_distortion(shared_data):
    views = load_views(shared_data / "captures" / "fox")
    check(views)
    assert views.images.shape == (50, 540, 304, 3)
    assert views.alphas is None
    assert 387.1 <= float(views.cameras.K[0, 0, 0]) < 392  # zoomed in a little, so that no pixel is invented
