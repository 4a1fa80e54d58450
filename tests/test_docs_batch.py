"""The examples of docs/batch.md do what they say; with tiny settings, so that they take seconds."""

import re
from pathlib import Path

import pytest

from batch_parts import save_tiny
from vid2three.batches.jobs import Defaults, jobs_of
from vid2three.batches.table import load_rows
from vid2three.stages import slug


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def test_the_lists_of_the_page_are_lists(root, tmp_path):
    page = root / "docs/batch.md"
    found = {}
    for ending, text in zip(("csv", "jsonl"), blocks(page, "text"), strict=True):
        (tmp_path / f"a.{ending}").write_text(text, encoding="utf-8")
        found[ending] = jobs_of(*load_rows(tmp_path / f"a.{ending}"), tmp_path, Defaults(), slug)
    assert [job.name for job in found["csv"]] == ["mug", "a-chair-wooden-seed-7", "lamp"]
    assert found["csv"][1].config.generate.elevation_deg == 30
    assert [job.seed for job in found["jsonl"]] == [0, 4, 9, 0]
    assert found["jsonl"][-1].extra == {"masks": str(tmp_path / "photos/shoe-masks"), "force": True}


@pytest.mark.slow
def test_the_example_of_a_batch_makes_its_assets(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_tiny(tmp_path)
    (example,) = blocks(root / "docs/batch.md", "python")
    exec(example.replace('preset="draft"', 'config="tiny.yaml"'), {})
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["a-red-mug", "done"],
        ["chair", "done"],
    ]
