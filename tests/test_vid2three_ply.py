"""PLY: splats in 3DGS's own layout, read back as they were, and by another library."""

import numpy as np
import pytest
import torch
import trimesh

from recon.splats import Splats
from vid2three.formats.ply import load_splats, save_mesh, save_splats


def random_splats(num: int, num_sh: int) -> Splats:
    generator = torch.Generator().manual_seed(num_sh)
    sizes = {"means": (num, 3), "log_scales": (num, 3), "quats": (num, 4), "opacity_logits": (num,)}
    sizes["sh"] = (num, num_sh, 3)
    return Splats(**{name: torch.randn(size, generator=generator) for name, size in sizes.items()})


@pytest.mark.parametrize("num_sh", [1, 4, 9, 16])
def test_load_undoes_save_bit_for_bit(tmp_path, num_sh):
    splats = random_splats(7, num_sh)
    save_splats(tmp_path / "a.ply", splats)
    read = load_splats(tmp_path / "a.ply")
    for name in ("means", "log_scales", "quats", "opacity_logits", "sh"):
        assert torch.equal(getattr(read, name), getattr(splats, name)), name


def test_layout_is_that_of_3dgs(tmp_path):
    splats = random_splats(5, 4)
    save_splats(tmp_path / "a.ply", splats, extras={"prompt": "ein roter Becher, größer"}, antialiased=True)
    header, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    names = [line.removeprefix("property float ") for line in lines if line.startswith("property")]
    rest = [f"f_rest_{i}" for i in range(9)]
    assert names == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *rest, "opacity"),
        *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "element vertex 5" in lines
    assert "comment SplatRenderMode: mip" in lines
    assert "comment prompt: ein roter Becher, gr??er" in lines
    table = np.frombuffer(body, "<f4").reshape(5, 26)
    np.testing.assert_array_equal(table[:, 3:6], 0)
    np.testing.assert_array_equal(table[:, 6:9], splats.sh[:, 0])
    np.testing.assert_array_equal(table[:, 9:12], splats.sh[:, 1:, 0])  # all of red, then green, then blue
    np.testing.assert_array_equal(table[:, 12:15], splats.sh[:, 1:, 1])
    np.testing.assert_array_equal(table[:, 18], splats.opacity_logits)
    np.testing.assert_array_equal(table[:, 22:], splats.quats)


def as_text(data: bytes) -> bytes:
    header, body = data.split(b"end_header\n", 1)
    rows = np.frombuffer(body, "<f4").reshape(5, -1)
    text = "\n".join(" ".join(repr(float(number)) for number in row) for row in rows)
    return header.replace(b"binary_little_endian", b"ascii") + b"end_header\n" + text.encode() + b"\n"


def as_big_endian(data: bytes) -> bytes:
    header, body = data.split(b"end_header\n", 1)
    body = np.frombuffer(body, "<f4").astype(">f4").tobytes()
    return header.replace(b"little", b"big") + b"end_header\n" + body


@pytest.mark.parametrize("rewrite", [as_text, as_big_endian])
def test_the_other_two_kinds_of_ply_are_read(tmp_path, rewrite):
    splats = random_splats(5, 4)
    save_splats(tmp_path / "a.ply", splats)
    (tmp_path / "b.ply").write_bytes(rewrite((tmp_path / "a.ply").read_bytes()))
    read = load_splats(tmp_path / "b.ply")
    assert torch.equal(read.sh, splats.sh)
    assert torch.equal(read.quats, splats.quats)


def test_gsply_reads_the_same_splats(tmp_path):
    gsply = pytest.importorskip("gsply")
    splats = random_splats(50, 16)
    save_splats(tmp_path / "a.ply", splats)
    read = gsply.plyread(str(tmp_path / "a.ply"))
    np.testing.assert_allclose(read.means, splats.means.numpy())
    np.testing.assert_allclose(read.scales, splats.log_scales.numpy())
    np.testing.assert_allclose(read.quats, splats.quats.numpy())
    np.testing.assert_allclose(read.sh0, splats.sh[:, 0].numpy())
    np.testing.assert_allclose(np.asarray(read.shN).reshape(50, 15, 3), splats.sh[:, 1:].numpy())


def test_splats_that_are_not_finite_are_refused(tmp_path):
    splats = random_splats(3, 1)
    splats.opacity_logits[1] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        save_splats(tmp_path / "a.ply", splats)


HEADER = b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nend_header\n"


@pytest.mark.parametrize("content", [b"ply", b"hello", b"", HEADER + b"1234", HEADER.replace(b"vertex", b"face")])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(ValueError, match="no PLY of splats"):
        load_splats(tmp_path / "a.ply")


def test_a_mesh_is_not_taken_for_splats(tmp_path):
    save_mesh(tmp_path / "a.ply", trimesh.creation.box())
    with pytest.raises(ValueError, match="lacks f_dc_0"):
        load_splats(tmp_path / "a.ply")
