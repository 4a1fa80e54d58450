"""What a program and a person read while a walk goes on: JSON lines, quiet, verbose, no colours on a pipe."""

import json
import subprocess
import sys

import pytest

import vid2three
from vid2three.cli import main
from vid2three.reporters import Reporter, message, reporter
from vid2three.run import open_run


@pytest.fixture
def walk(monkeypatch, tmp_path):
    """Let `make` be two stages of a real run folder, so that a command takes no time."""

    def make(prompt, output, settings, *, seed, overwrite, nerfstudio_env, allow_download, progress):
        run = open_run(tmp_path / "run", {"command": "make"}, {})
        progress("prompt", 1, 1, {"notes": ["No crimson is known; red is taken."]})

        def work(files):
            progress("fit", 20, 40, {"psnr": 21.25})
            with files.file("splats.ply") as path:
                path.write_bytes(b"ply")

        run.stage("fit", {}, [], work, progress)
        return run

    monkeypatch.setattr(vid2three, "make", make, raising=False)
    return tmp_path / "run"


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_tells_every_step_in_words_and_numbers_and_the_folder_last(walk, capsys):
    main(["make", "a mug", "--progress", "json"])
    *steps, last = lines(capsys)
    assert [(entry["stage"], entry["step"], entry["total"]) for entry in steps] == [
        ("prompt", 1, 1),
        ("fit", 0, 1),
        ("fit", 20, 40),
        ("fit", 1, 1),
    ]
    assert steps[0]["message"] == "Read the prompt: No crimson is known; red is taken."
    assert steps[2]["message"] == "Fitting the splats: 20 of 40, 21.2 dB"
    assert last["done"] == str(walk)
    assert last["files"]["splats.ply"]["bytes"] == 3


def test_json_tells_a_mistake_as_the_sentence_that_a_person_reads(capsys):
    for arguments in (["make", "   "], ["make", "a mug", "--preset", "fine"]):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--progress", "json"])
        said = capsys.readouterr()
        (line,) = said.out.splitlines()
        assert f"vid2three: {json.loads(line)['error']}\n" == said.err
        assert end.value.code == 2


def test_json_tells_a_bug_too(monkeypatch, capsys):
    monkeypatch.setattr(vid2three, "make", lambda *args, **options: {}["nothing"], raising=False)
    with pytest.raises(KeyError):
        main(["make", "a mug", "--progress=json"])
    assert lines(capsys) == [{"error": "KeyError: 'nothing' This is a bug of vid2three."}]


def test_quiet_says_nothing_and_json_then_the_end_alone(walk, capsys):
    main(["make", "a mug", "--quiet"])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    main(["make", "a mug", "-q", "--progress", "json"])
    (last,) = lines(capsys)
    assert last["done"] == str(walk)


def test_quiet_still_says_what_went_wrong(capsys):
    with pytest.raises(SystemExit):
        main(["make", "   ", "--quiet"])
    assert capsys.readouterr().err.startswith("vid2three: ")


def test_verbose_says_what_each_stage_took(walk, capsys):
    main(["make", "a mug", "--progress", "none"])
    assert "Fitting the splats" not in capsys.readouterr().err
    main(["make", "a mug", "--progress", "none", "--verbose"])
    assert "Fitting the splats: done before\n" in capsys.readouterr().err


def test_every_stage_of_the_walks_has_words_of_its_own(root):
    import re

    source = "".join(path.read_text("utf-8") for path in (root / "vid2three").glob("*.py"))
    source += (root / "vid2three/nerfstudio/stages.py").read_text("utf-8")
    stages = set(re.findall(r"run\.stage\(\s*\"(\w+)\"", source)) | set(re.findall(r"progress\(\"(\w+)\"", source))
    assert {"generate", "fit", "mesh", "poses"} <= stages
    assert [stage for stage in stages if message(stage, 0, 1, {}) == stage.capitalize()] == []


@pytest.mark.parametrize("progress", ["auto", "bar", "none"])
def test_no_colour_reaches_a_pipe(progress):
    for arguments in (["make", " ", "--progress", progress], ["make", "--help"], ["make", "a", "--nonsense"]):
        result = subprocess.run([sys.executable, "-m", "vid2three.cli", *arguments], capture_output=True, timeout=120)
        assert result.stdout + result.stderr
        assert b"\x1b" not in result.stdout + result.stderr, arguments


def test_bars_on_a_pipe_hold_no_colour(capsys):
    with reporter("bar", verbose=True) as report:
        report("fit", 0, 1, {})
        report("fit", 3, 10, {"psnr": 20.0, "notes": ["as it is"]})
        report("fit", 1, 1, {"seconds": 1.0})
    said = capsys.readouterr().err
    assert "fit" in said
    assert "\x1b" not in said


def test_a_stop_that_was_dropped_comes_at_the_next_step():
    report = Reporter()
    report("fit", 0, 2, {})
    report.stop_signal = 15
    with pytest.raises(KeyboardInterrupt) as stop:
        report("fit", 1, 2, {})
    assert stop.value.args == (15,)


def test_what_a_batch_tells_names_its_asset(capsys):
    at_work, ended = {"asset": "mug", "worker": 1}, {"asset": "mug", "worker": 1, "state": "failed", "reason": "No."}
    for kind in ("json", "none", "bar"):
        with reporter(kind) as report:
            report("batch", 0, 2, {})
            report("fit", 20, 40, at_work)
            report("log", 0, 1, {**at_work, "notes": ["Again."]})
            report("batch", 1, 2, ended)
        out, err = capsys.readouterr()
        if kind == "json":
            told = [json.loads(line) for line in out.splitlines()]
            assert told[1]["message"] == "mug: Fitting the splats: 20 of 40"
            assert (told[3]["step"], told[3]["reason"]) == (1, "No.")
        else:
            assert out == ""
            assert [line for line in err.splitlines() if "mug: Again" in line] == ["Note: mug: Again."]
            assert "mug: failed: No." in err.splitlines()
        if kind == "bar":
            assert "worker 2" in err
            assert "1/2" in err
