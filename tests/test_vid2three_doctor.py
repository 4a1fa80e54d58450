"""The doctor: it renders, it names what is broken, and its cures stand in one line."""

import sys

import pytest

from vid2three import doctor
from vid2three.doctor import Finding, examine, table


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_everything_that_was_asked_for_is_looked_at(findings):
    wanted = {"versions", "torchvision", "CUDA", "gsplat", "H.264", "weights", "Blender", "ffmpeg", "nerfstudio"}
    assert wanted | {"self-test"} <= set(findings)


def test_here_the_self_test_passes_and_videos_can_be_written(findings):
    assert findings["self-test"].state == "ok", findings["self-test"]
    assert findings["H.264"].state == "ok"
    assert findings["versions"].state == "ok"


def test_every_broken_thing_has_a_cure_in_one_line(findings):
    assert all(finding.cure for finding in findings.values() if finding.state == "broken")
    assert all("\n" not in finding.what + finding.cure for finding in findings.values())


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
