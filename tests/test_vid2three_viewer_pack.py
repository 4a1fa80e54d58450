"""What lies in a viewer's page: small, near to what was packed, and nothing that breaks out of it."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon.splats import Splats
from vid2three.formats.glb import load_mesh, save_mesh
from vid2three.viewer.pack import NUM_BYTES, pack_glb, pack_picture, pack_splats
from vid2three.viewer.page import HERE, as_json, page

HOSTILE = "</script><script>document.title='owned'</script><!--<script> ]]> & \" ' \u2028 <img src=x onerror=alert(1)>"


def some_splats(num: int, degree: int, seed: int = 0) -> Splats:
    rng = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=rng)  # noqa: E731
    return Splats(draw(num, 3), draw(num, 3) - 4, draw(num, 4), 2 * draw(num), 0.5 * draw(num, (degree + 1) ** 2, 3))


def unpacked(packed: dict) -> Splats:
    """The inverse, as web/src/splats.js has it."""
    num, rest = packed["count"], (packed["degree"] + 1) ** 2 - 1
    data, at = base64.b64decode(packed["data"]), 0
    parts = []
    for kind, columns in (("<f4", 3), ("<u2", 3), ("<u2", 3), ("i1", 4), ("u1", 1), ("i1", 3 * rest)):
        values = np.frombuffer(data, kind, num * columns, at).reshape(num, columns)
        at += values.nbytes
        parts.append(torch.from_numpy(values.astype(np.float32)))
    assert at == len(data)
    means, scales, base, quats, opacities, higher = parts
    (scale_low, scale_high), (base_low, base_high), most = packed["ranges"]
    limits = torch.tensor(([most[0]] * 3 + [most[1]] * 5 + [most[2]] * 7)[:rest])[:, None]
    return Splats(
        means,
        scale_low + scales / 65535 * (scale_high - scale_low),
        quats / 127,
        torch.logit((opacities[:, 0] / 255).clamp(1e-6, 1 - 1e-6)),
        torch.cat(
            [(base_low + base / 65535 * (base_high - base_low))[:, None], higher.view(num, rest, 3) / 127 * limits], 1
        ),
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_splats_come_back_within_half_a_step(degree):
    splats = some_splats(57, degree)
    found = unpacked(pack_splats(splats, antialiased=False, low_pass=0.1))
    assert torch.equal(found.means, splats.means)
    span = float(splats.log_scales.max() - splats.log_scales.min())
    torch.testing.assert_close(found.log_scales, splats.log_scales, rtol=0, atol=0.51 * span / 65535 + 1e-6)
    torch.testing.assert_close(found.opacities, splats.opacities, rtol=0, atol=0.51 / 255)
    unit = torch.nn.functional.normalize(splats.quats, dim=1)
    torch.testing.assert_close(found.quats, unit, rtol=0, atol=0.51 / 127)
    torch.testing.assert_close(found.sh[:, :1], splats.sh[:, :1], rtol=0, atol=1e-4)
    for low, high in ((1, 4), (4, 9), (9, 16))[:degree]:
        step = float(splats.sh[:, low:high].abs().max()) / 127
        torch.testing.assert_close(found.sh[:, low:high], splats.sh[:, low:high], rtol=0, atol=0.51 * step)


def test_too_many_splats_lose_harmonics_first_and_then_the_least_seen():
    splats = some_splats(100, 2)
    assert pack_splats(splats, antialiased=False, low_pass=0.1, most_bytes=100 * (NUM_BYTES + 24))["degree"] == 2
    fewer = pack_splats(splats, antialiased=False, low_pass=0.1, most_bytes=100 * (NUM_BYTES + 24) - 1)
    assert (fewer["degree"], fewer["count"]) == (1, 100)
    splats.opacity_logits[:40] = -30.0
    fewest = pack_splats(splats, antialiased=False, low_pass=0.1, most_bytes=60 * NUM_BYTES)
    assert (fewest["degree"], fewest["count"], fewest["total"]) == (0, 60, 100)
    assert torch.equal(unpacked(fewest).means, splats.means[40:])


def test_a_large_mesh_keeps_its_form_and_nearly_its_colours(tmp_path):
    mesh = trimesh.creation.icosphere(subdivisions=3)
    uv = np.random.default_rng(0).uniform(size=(len(mesh.vertices), 2))
    across = np.linspace(20, 230, 512)
    texture = np.stack([np.broadcast_to(across, (512, 512)), np.full((512, 512), 60), np.full((512, 512), 200)], -1)
    bumps = np.broadcast_to(np.array([128, 128, 255], np.uint8), (64, 64, 3))
    rng = np.random.default_rng(1)
    noisy = np.clip(texture + rng.normal(0, 4, texture.shape), 0, 255).astype(np.uint8)
    maps = {"baseColorTexture": Image.fromarray(noisy), "normalTexture": Image.fromarray(bumps)}
    mesh.visual = TextureVisuals(uv=uv, material=PBRMaterial(**maps))
    save_mesh(tmp_path / "large.glb", mesh)
    data = (tmp_path / "large.glb").read_bytes()
    assert pack_glb(data) == data  # small enough as it is
    small = pack_glb(data, most_bytes=1000)
    assert len(small) < 0.5 * len(data)
    (tmp_path / "small.glb").write_bytes(small)
    found, before = load_mesh(tmp_path / "small.glb"), load_mesh(tmp_path / "large.glb")
    np.testing.assert_array_equal(found.vertices, before.vertices)
    np.testing.assert_array_equal(found.faces, before.faces)
    colors = [np.asarray(m.visual.material.baseColorTexture, float) for m in (found, before)]
    assert np.abs(colors[0] - colors[1]).mean() < 4
    other = trimesh.load(tmp_path / "small.glb", force="mesh")  # another reader takes it too
    assert len(other.faces) == len(mesh.faces)


def test_a_frame_keeps_its_transparency():
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:, 30:] = (200, 30, 20, 255)
    address = pack_picture(pixels, 30)
    kind, _, data = address.partition(",")
    assert kind == "data:image/webp;base64"
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")).astype(int)
    assert found.shape == (20, 30, 4)
    assert found[:, :12, 3].max() == 0
    assert np.abs(found[:, 18:] - (200, 30, 20, 255)).max() < 12


class Scripts(HTMLParser):
    """Collects what stands in script elements, and all tags."""

    def __init__(self):
        super().__init__()
        self.tags, self.scripts, self.policy = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append("")
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]

    def handle_data(self, data):
        if self.cdata_elem == "script":
            self.scripts[-1] += data


def test_no_word_of_an_asset_breaks_out_of_the_page():
    asset = {"title": HOSTILE, "facts": [[HOSTILE, HOSTILE]]}
    found = Scripts()
    found.feed(page(asset))
    harmless = Scripts()
    harmless.feed(page({"title": "a mug", "facts": []}))
    assert found.tags == harmless.tags
    held, script = found.scripts
    assert json.loads(held) == {**asset, "live": False}
    assert script == harmless.scripts[1]
    assert not set("<>&") & set(as_json(asset))


def test_the_policy_lets_the_pages_own_script_run_and_no_other():
    found = Scripts()
    found.feed(page({"title": "a mug"}))
    digest = base64.b64encode(hashlib.sha256(found.scripts[1].encode()).digest()).decode()
    assert re.search(r"script-src ([^;]+);", found.policy).group(1) == f"'sha256-{digest}'"
    assert found.policy.startswith("default-src 'none'")
    assert "http" not in found.policy
    assert "'self'" not in found.policy
    live = Scripts()
    live.feed(page({"title": "a mug"}, live=True))
    assert "connect-src 'self' data: blob:" in live.policy


def test_the_bundle_is_what_its_sources_say(root):
    web = HERE / "web"
    banner = (HERE / "viewer.js").read_text("utf-8").split("*/")[0]
    pinned, lock = (json.loads((web / name).read_text("utf-8")) for name in ("package.json", "package-lock.json"))
    for name, version in {**pinned["dependencies"], **pinned["devDependencies"]}.items():
        assert f"{name}@{version}" in banner
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert "MIT License" in banner
    sources = sorted(f"src/{path.name}" for path in (web / "src").iterdir())
    digest = hashlib.sha256()
    for name in ["build.mjs", "package-lock.json", "package.json", *sources]:
        digest.update(f"{name}\n".encode() + (web / name).read_bytes().replace(b"\r\n", b"\n"))
    assert f"sources {digest.hexdigest()}" in banner, "run `npm ci && npm run build` in vid2three/viewer/web"
    licences = (root / "docs/licences.md").read_text("utf-8")
    assert f"three.js {pinned['dependencies']['three']}" in licences
