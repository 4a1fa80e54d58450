"""`batch` on Ray with two workers of this machine: one is killed, all assets arrive, with the bytes of the pool."""

import os
import threading
import time
from pathlib import Path

import pytest

import vid2three
from batch_parts import bytes_of, picture, save_tiny

psutil = pytest.importorskip("psutil", reason="no psutil: ray brings it")


@pytest.fixture(scope="module")
def on_ray(root):
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # or a token is written to the user's home
        patch.setenv("PYTHONPATH", str(root))
        yield vid2three.Workers(num=2, engine="ray")
        ray.shutdown()


def kill_first_at_work(killed: list[int]) -> None:
    deadline = time.monotonic() + 300
    while not killed and time.monotonic() < deadline:
        for process in psutil.Process(os.getpid()).children(recursive=True):
            try:
                if process.name() == "ray::call":  # what an idle one is not named
                    time.sleep(1.0)  # into its work
                    process.kill()
                    killed.append(process.pid)
                    return
            except psutil.Error:
                continue
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_worker_costs_no_asset_and_no_byte(on_ray, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(Path("disc.png"))
    rows = [{"prompt": "a red mug"}, {"prompt": "a blue ball", "image": "disc.png"}, {"prompt": "a chair", "seed": 2}]
    tiny, killed = save_tiny(tmp_path), []
    hunter = threading.Thread(target=kill_first_at_work, args=(killed,))
    hunter.start()
    made = vid2three.batch(rows, "ray", config=tiny, workers=on_ray)
    hunter.join()
    assert len(killed) == 1
    assert not psutil.pid_exists(killed[0])
    assert [(entry.name, entry.state) for entry in made.assets] == [
        ("a-red-mug", "done"), ("a-blue-ball", "done"), ("a-chair-seed-2", "done")
    ]  # fmt: skip
    on_pool = vid2three.batch(rows, "pool", config=tiny, workers=vid2three.Workers(2))
    for entry in on_pool.assets:
        assert bytes_of(Path("ray") / entry.name) == bytes_of(Path("pool") / entry.name)
    kept = vid2three.batch(rows, "ray", config=tiny)  # what Ray made is as good to go on with
    assert [entry.attempts for entry in kept.assets] == [1, 1, 1]


def test_a_failure_and_a_worker_that_is_lost_each_time_cost_their_own_task_alone(on_ray):
    pool = on_ray.pool()

    def work(number: int) -> int:
        if number == 1:
            os._exit(1)
        return 10 // (number - 2)

    found = {number: (result, type(error).__name__) for number, result, error in pool.outcomes(work, range(4), 1)}
    assert found[0] == (-5, "NoneType")
    assert found[1] == (None, "WorkerCrashedError")
    assert found[2] == (None, "RayTaskError(ZeroDivisionError)")
    assert found[3] == (10, "NoneType")


def test_pictures_that_cannot_travel_are_told_before_anything_runs(tmp_path, monkeypatch, on_ray):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vid2three.batches.cluster.MOST_BYTES", 100)
    picture(Path("disc.png"))
    with pytest.raises(ValueError, match=r"Row 1: .* travel to Ray's workers"):
        vid2three.batch([{"prompt": "a ball", "image": "disc.png"}], "out", workers=on_ray)
    assert not Path("out").exists()
