"""The table of the orbits: figures where they belong, and a page that keeps all the rest of itself."""

import importlib.util
import subprocess
import sys
import time

import pytest


@pytest.fixture(scope="module")
def orbits(root):
    spec = importlib.util.spec_from_file_location("orbits", root / "benchmarks" / "orbits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(psnr: float) -> dict:
    return {
        "views": {"all": {"psnr": psnr}, "training_elevation": {"num_views": 0}},
        "cost": {"seconds": {"fit": 7.25}},
    }


def test_an_orbit_is_a_column_and_the_mean_is_of_those_that_have_the_figure(orbits):
    lines = orbits.table({"spot": figures(30.0), "bunny": figures(33.0), "bare": {}}).splitlines()
    assert lines[0] == "|  | spot | bunny | bare | mean |"
    assert "| PSNR | 30.00 | 33.00 | - | 31.50 |" in lines
    assert "| PSNR masked, training elevation | - | - | - | - |" in lines


def test_the_page_changes_between_its_presets_markers_only(orbits):
    page = "a\n<!-- orbits draft -->\nold\n<!-- end -->\nb\n<!-- orbits high -->\n<!-- end -->\nc"
    filled = orbits.placed(page, "high", "new")
    assert filled == page.replace("high -->\n", "high -->\nnew\n")
    assert orbits.placed(filled, "high", "new") == filled
    with pytest.raises(ValueError, match="orbits standard"):
        orbits.placed(page, "standard", "new")


def test_the_origin_names_commit_processor_and_threads(orbits):
    text = orbits.origin("draft", 2)
    assert orbits.commit().split()[0] in text
    assert orbits.processor() in text
    assert "2 threads" in text


def test_processor_seconds_are_those_of_ended_processes(orbits):
    before, start = orbits._processor_seconds(), time.process_time()
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    assert orbits._processor_seconds() - before > 0.05
    assert time.process_time() - start < 0.05
