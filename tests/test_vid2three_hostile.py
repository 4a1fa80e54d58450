"""Files that were made to harm: each is refused in one sentence, before memory is taken or another file is opened."""

import gzip
import importlib.util
import io
import json
import os
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from format_parts import colored_box, lopsided_splats, painted_ball
from vid2three.formats import MESH_READERS, MESH_SAVERS, SPLAT_READERS, SPLAT_SAVERS, kind_of, spz
from vid2three.formats.archive import member

BILLION = 10**9
MOST_MIB = 16  # of memory that a refusal may take


def refused(path: Path, reader, match: str) -> None:
    """Check that a file is refused in one sentence and without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as caught:
            reader(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    assert len(text) < 500
    assert peak < MOST_MIB * 2**20, f"{peak / 2**20:.0f} MiB"


def glb(header: dict, body: bytes = bytes(64)) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(body), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(body), b"BIN\0") + body


def claiming(folder: Path, suffix: str, num: int) -> Path:
    """A small file of splats whose header claims `num` of them."""
    path = folder / f"a{suffix}"
    SPLAT_SAVERS[suffix](path, lopsided_splats(4, 1))
    data = path.read_bytes()
    match suffix:
        case ".ply":
            data = data.replace(b"element vertex 4", b"element vertex %d" % num)
        case ".spz":
            whole = bytearray(gzip.decompress(data))
            struct.pack_into("<I", whole, 8, num)
            data = gzip.compress(bytes(whole))
        case ".glb":
            data = data.replace(b'"count":4', b'"count":%d' % num)  # the chunk's length no longer fits, so make anew
            (length,) = struct.unpack_from("<I", path.read_bytes(), 12)
            header = json.loads(path.read_bytes()[20 : 20 + length])
            for accessor in header["accessors"]:
                accessor["count"] = num
            data = glb(header, path.read_bytes()[28 + length :])
        case ".sog":
            data = repacked(data, "meta.json", lambda text: text.replace(b'"count":4', b'"count":%d' % num, 1))
    path.write_bytes(data)
    return path


def repacked(data: bytes, name: str, change, method: int = zipfile.ZIP_STORED) -> bytes:
    """Change one member of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for entry in old.namelist():
            content = old.read(entry)
            new.writestr(entry, change(content) if entry == name else content)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".sog", ".spz"])
@pytest.mark.parametrize("num", [BILLION, 5_000_000])
def test_a_header_that_claims_more_splats_than_there_are_takes_no_memory(tmp_path, suffix, num):
    what = {".glb": "GLB", ".ply": "PLY", ".sog": "SOG", ".spz": "SPZ"}[suffix]
    path = claiming(tmp_path, suffix, num)
    refused(path, SPLAT_READERS[suffix], f"is no {what} .*that can be read: ")


def test_spz_version_4_that_claims_a_billion_takes_no_memory(tmp_path):
    pytest.importorskip("zstandard")
    spz.save_splats(tmp_path / "a.spz", lopsided_splats(4, 1), version=4)
    data = bytearray((tmp_path / "a.spz").read_bytes())
    struct.pack_into("<I", data, 8, BILLION)
    (tmp_path / "a.spz").write_bytes(data)
    refused(tmp_path / "a.spz", spz.read_splats, "claims 1,000,000,000 splats")


def test_a_gzip_that_unpacks_to_more_than_it_should_is_not_unpacked(tmp_path):
    spz.save_splats(tmp_path / "a.spz", lopsided_splats(4, 1))
    whole = gzip.decompress((tmp_path / "a.spz").read_bytes()) + bytes(200 * 2**20)
    (tmp_path / "a.spz").write_bytes(gzip.compress(whole))
    tracemalloc.start()
    assert len(spz.read_splats(tmp_path / "a.spz").splats) == 4  # what follows is left alone, as extensions are
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MIB * 2**20


def test_a_stream_of_zstandard_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    num = 4
    sizes = [9 * num, num, 3 * num, 3 * num, 4 * num]
    bomb = zstandard.ZstdCompressor().compress(bytes(200 * 2**20))
    table = b"".join(struct.pack("<QQ", len(bomb), size) for size in sizes)
    head = struct.pack("<4sIIBBBBI12x", b"NGSP", 4, num, 0, 12, 0, len(sizes), 32)
    (tmp_path / "a.spz").write_bytes(head + table + bomb * len(sizes))
    refused(tmp_path / "a.spz", spz.read_splats, "shorter or longer than its header says")


def test_a_zip_bomb_in_a_sog_is_not_unpacked(tmp_path):
    path = claiming(tmp_path, ".sog", 4)
    bomb = repacked(path.read_bytes(), "sh0.webp", lambda _: bytes(300 * 2**20), zipfile.ZIP_DEFLATED)
    path.write_bytes(bomb)
    refused(path, SPLAT_READERS[".sog"], "'sh0.webp' in it unpacks to 314,572,800 bytes, more than it can need")


def test_a_picture_bomb_in_a_sog_is_not_decoded(tmp_path):
    path = claiming(tmp_path, ".sog", 4)
    buffer = io.BytesIO()
    Image.new("RGB", (8000, 8000)).save(buffer, format="WEBP", lossless=True)
    path.write_bytes(repacked(path.read_bytes(), "sh0.webp", lambda _: buffer.getvalue()))
    refused(path, SPLAT_READERS[".sog"], "8000 x 8000 pixels, more than it can need")


@pytest.mark.parametrize("name", ["../../secret.webp", "/etc/hostname", "C:\\secret.webp", "meta.json\x00"])
def test_a_path_in_a_sog_is_looked_up_in_the_zip_alone(tmp_path, name):
    path = claiming(tmp_path, ".sog", 4)
    (tmp_path / "secret.webp").write_bytes(b"secret")
    text = json.dumps(name).encode()
    path.write_bytes(repacked(path.read_bytes(), "meta.json", lambda meta: meta.replace(b'"sh0.webp"', text)))
    refused(path, SPLAT_READERS[".sog"], "it lacks ")


def test_members_of_a_zip_are_read_whatever_folder_they_name(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../evil.txt", b"harmless")
    assert member(zipfile.ZipFile(buffer), "../evil.txt", 100) == b"harmless"
    assert not (tmp_path.parent / "evil.txt").exists()


@pytest.mark.parametrize("suffix", sorted({*SPLAT_SAVERS} - {".splat"}))
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"GIF89a" + bytes(200), b"solid x\nendsolid x\n"])
def test_another_kind_of_file_is_refused_by_every_reader(tmp_path, suffix, content):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    refused(path, SPLAT_READERS[suffix], "that can be read: ")
    if suffix in MESH_READERS:
        refused(path, MESH_READERS[suffix], "that can be read: ")
        refused(path, kind_of, "that can be read: ")


@pytest.mark.parametrize("suffix", sorted(SPLAT_SAVERS))
def test_splats_that_are_cut_off_anywhere_are_refused(tmp_path, suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    path = tmp_path / f"a{suffix}"
    SPLAT_SAVERS[suffix](path, lopsided_splats(6, 1))
    data = path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.97):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ValueError, match="that can be read: "):
            SPLAT_READERS[suffix](path)


@pytest.mark.parametrize("suffix", sorted({*MESH_SAVERS} - {".obj"}))
def test_meshes_that_are_cut_off_anywhere_are_refused(tmp_path, suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    path = tmp_path / f"a{suffix}"
    MESH_SAVERS[suffix](path, colored_box())
    data = path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.97):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ValueError, match="that can be read: "):
            MESH_READERS[suffix](path)


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".splat"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_splats_that_are_not_finite_are_refused_with_their_number(tmp_path, suffix, value):
    path = tmp_path / f"a{suffix}"
    splats = lopsided_splats(6, 0)
    SPLAT_SAVERS[suffix](path, splats, up="y" if suffix == ".glb" else "z")
    data = path.read_bytes()
    first = splats.means[0, 0].numpy().tobytes()  # x is x in both frames
    assert data.count(first) >= 1
    path.write_bytes(data.replace(first, np.float32(value).tobytes(), 1))
    refused(path, SPLAT_READERS[suffix], "not finite|beyond all measure")


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".stl"])
def test_meshes_that_are_not_finite_are_refused(tmp_path, suffix):
    box, path = colored_box(), tmp_path / f"a{suffix}"
    MESH_SAVERS[suffix](path, box)
    data = path.read_bytes()
    unit = 1000 if suffix == ".stl" else 1
    x = np.float32(unit * box.vertices[0, 0]).tobytes()
    assert x in data
    path.write_bytes(data.replace(x, np.float32(np.nan).tobytes(), 1))
    refused(path, MESH_READERS[suffix], "not finite")


@pytest.mark.parametrize("corner", ["9", "-9", "0", "1/5", "x", "1/2/3/4/x"])
def test_faces_of_an_obj_that_name_what_is_not_there_are_refused(tmp_path, corner):
    (tmp_path / "a.obj").write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1 2 {corner}\n")
    refused(tmp_path / "a.obj", MESH_READERS[".obj"], "is no OBJ of a mesh that can be read: ")


def test_a_texture_bomb_in_a_glb_is_not_decoded(tmp_path):
    ball = painted_ball()
    ball.visual.material.baseColorTexture = Image.new("1", (9000, 9000))
    MESH_SAVERS[".glb"](tmp_path / "a.glb", ball)
    del ball
    refused(tmp_path / "a.glb", MESH_READERS[".glb"], "9000 x 9000 pixels, more than it can need")


@pytest.mark.parametrize(
    "header",
    [
        [],
        {},
        {"meshes": []},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": -1}, "indices": 0}]}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": 10**12}, "indices": 0}]}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": True}, "indices": 0}]}], "accessors": [{}]},
        {"meshes": {"0": {"primitives": 7}}},
    ],
)
def test_headers_of_a_glb_that_make_no_sense_are_refused(tmp_path, header):
    (tmp_path / "a.glb").write_bytes(glb(header))
    refused(tmp_path / "a.glb", MESH_READERS[".glb"], "is no GLB of a mesh")
    refused(tmp_path / "a.glb", SPLAT_READERS[".glb"], "is no GLB with KHR")


def test_json_nested_without_end_is_refused(tmp_path):
    text = b"[" * 200_000
    data = (
        struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text), len(text), b"JSON")
        + text
        + struct.pack("<I4s", 0, b"BIN\0")
    )
    (tmp_path / "a.glb").write_bytes(data)
    refused(tmp_path / "a.glb", MESH_READERS[".glb"], "is no GLB")


def test_a_usdz_that_hides_a_packed_file_is_refused(tmp_path):
    pytest.importorskip("pxr")
    MESH_SAVERS[".usdz"](tmp_path / "a.usdz", painted_ball())
    data = repacked((tmp_path / "a.usdz").read_bytes(), "texture.png", lambda data: data, zipfile.ZIP_DEFLATED)
    (tmp_path / "a.usdz").write_bytes(data)
    refused(tmp_path / "a.usdz", MESH_READERS[".usdz"], "its first file is no plain USD file")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    for suffix, read in {**MESH_READERS, **SPLAT_READERS}.items():
        if suffix.startswith(".usd"):
            pytest.importorskip("pxr")
        with pytest.raises(FileNotFoundError, match="There is no file"):
            read(tmp_path / f"none{suffix}")


@pytest.mark.slow
def test_mutated_files_of_every_format_are_read_or_refused(root, monkeypatch):
    """V2T_FUZZ_CASES raises the number; docs/reliability.md has the figures of ten thousand."""
    pytest.importorskip("hypothesis")
    monkeypatch.setattr(sys, "path", [str(root / "benchmarks"), *sys.path])
    from fuzz_readers import fuzz

    with_usd = importlib.util.find_spec("pxr") is not None
    cases = int(os.environ.get("V2T_FUZZ_CASES", "200"))
    tally = fuzz(cases, with_usd=with_usd)
    tried = sum(tally.read.values()) + sum(tally.refused.values())
    assert tried == cases
    assert tally.refused
    assert tally.read
