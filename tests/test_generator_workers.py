"""Clips made by Ray's workers: the bytes of local processes, also where a worker is killed."""

import dataclasses
import itertools
import sys
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest

from generator.config import TrainConfig
from generator.corpus import pack
from generator.data import Recipe, draw_shard, shard_paths, write_shard
from generator.shard_clips import ShardClips
from generator.train import check
from generator.workers import Workers

FRAMES, SIZE, SHARDS = 4, 16, 4
RECIPE = Recipe(seed=5, edit_pairs_share=0.3)
ON_RAY = Workers(num=2, engine="ray")


@pytest.fixture(scope="module")
def on_ray(root):
    """Ray with two workers on this machine, which find the checkout."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # or a token is written to the user's home
        patch.setenv("PYTHONPATH", str(root))
        yield ON_RAY
        ray.shutdown()


def workers_at_work() -> list:
    import psutil

    def is_busy(process: psutil.Process) -> bool:
        try:
            return process.name() == "ray::call"  # what an idle one is not named
        except psutil.Error:
            return False

    return [process for process in psutil.Process().children(recursive=True) if is_busy(process)]


@pytest.mark.slow
def test_a_killed_worker_costs_no_shard_and_no_byte(on_ray, tmp_path):
    clips = ShardClips(tmp_path / "ray", RECIPE, SHARDS, FRAMES, SIZE, on_ray)
    (tmp_path / "ray").mkdir()
    clips.renderers = clips._start_renderers()
    deadline = time.monotonic() + 120
    while not (busy := workers_at_work()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    done_before = len(shard_paths(clips.folder))
    busy[0].kill()
    clips.renderers[0].join(120)
    assert not clips.renderers[0].is_alive()
    assert done_before < SHARDS
    assert not busy[0].is_running()

    (tmp_path / "pool").mkdir()
    for index in range(SHARDS):
        write_shard(tmp_path / "pool", index, RECIPE, FRAMES, SIZE)
    made = {path.name: path.read_bytes() for path in (tmp_path / "ray").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "pool").iterdir()}
    assert len(made) == 2 * SHARDS


def test_results_come_in_order_or_as_they_are_done(on_ray):
    pool = on_ray.pool()
    assert list(pool.imap(partial(pow, 2), range(11))) == [2**i for i in range(11)]
    assert sorted(pool.imap_unordered(partial(pow, 2), range(11))) == [2**i for i in range(11)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_inside_a_task_ends_the_run(on_ray, tmp_path):
    clips = ShardClips(tmp_path, dataclasses.replace(RECIPE, corpus=str(tmp_path / "not.npz")), 1, FRAMES, SIZE, on_ray)
    (tmp_path / "not.npz").write_bytes(b"no corpus")
    with pytest.raises(RuntimeError, match="renderers ended"):
        clips.start()


def test_ray_is_asked_for_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'vid2three\[ray\]'"):
        check(TrainConfig(folder=str(tmp_path / "run"), engine="ray"))
    assert not (tmp_path / "run").exists()
    check(TrainConfig(folder=str(tmp_path / "run")))


def test_a_recipe_that_carries_its_corpus_draws_the_same(shared_data, tmp_path):
    packed = tmp_path / "corpus.npz"
    pack_few(shared_data, packed)
    recipe = Recipe(seed=2, corpus=str(packed), corpus_share=1.0)
    carried = recipe.carried()
    there = draw_shard(recipe, 0)
    packed.unlink()
    assert [sample for sample, _ in draw_shard(carried, 0)] == [sample for sample, _ in there]
    assert Recipe(2).carried() == Recipe(2)


def pack_few(shared_data: Path, path: Path) -> None:
    """Pack the first twenty of the shared models."""
    source = shared_data / "cc0"
    if not source.is_dir():
        pytest.skip("no ../shared/data/cc0 beside the checkout")
    with tarfile.open(source / "models.tar.xz") as archive, tarfile.open(path.parent / "models.tar.xz", "w") as copy:
        for member in itertools.islice((member for member in archive if member.isfile()), 20):
            copy.addfile(member, archive.extractfile(member))
    (path.parent / "models.jsonl").write_text((source / "models.jsonl").read_text())
    pack(path.parent, path)
