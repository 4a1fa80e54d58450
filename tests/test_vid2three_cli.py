"""The command line: settings in the right order, and one sentence and exit code 2 for a user's mistake."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generator.rays import orbit_c2w
from vid2three.cli import main, parse
from vid2three.config import MakeConfig
from vid2three.run import open_run


def test_only_what_the_user_gave_overrides_the_preset():
    command = parse(["make", "a mug", "--preset", "draft", "--generate.fov-deg", "50", "--export.height-m", "0.2"])
    assert command.settings.generate.fov_deg == 50
    assert command.settings.export.height_m == 0.2
    assert command.settings.export.pivot == "base"
    assert command.settings.export.turntable_size == 256  # of the preset
    assert command.settings.generate.guidance == MakeConfig().generate.guidance


def test_short_flags_are_the_long_ones():
    for command in (["make", "a mug"], ["reconstruct", "folder"]):
        short = parse([*command, "--faces", "5000", "--texture=2048", "--lods", "2", "--height-m", "0.3"])
        full = ["--mesh.num-faces", "5000", "--mesh.texture-size", "2048", "--mesh.lods", "2"]
        assert short == parse([*command, *full, "--export.height-m", "0.3"])
    assert parse(["export", "run", "-o", "a.glb", "--height-m", "0.3"]).height_m == 0.3


def test_flag_wins_over_file_and_file_over_preset(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("export: {turntable_size: 300, turntable_frames: 9}")
    command = parse(["make", "a mug", "--preset=draft", f"--config={file}", "--export.turntable-frames", "5"])
    assert (command.settings.export.turntable_size, command.settings.export.turntable_frames) == (300, 5)
    command = parse(["reconstruct", "folder", "--config", str(file)])
    assert command.settings.export.turntable_size == 300
    assert command.settings.export.height_m is None


def test_generate_and_train_take_their_own_part():
    assert parse(["generate", "a mug", "--preset", "draft"]).settings.steps == 8
    assert parse(["generate", "a mug", "--preset", "draft", "--steps", "3"]).settings.steps == 3
    assert parse(["train", "--preset", "train-xs", "--num-clips", "7"]).settings.num_clips == 7


def test_train_takes_a_file(root):
    command = parse(["train", str(root / "configs" / "train-xs.yaml"), "--seed", "5"])
    assert (command.settings.name, command.settings.compile, command.settings.seed) == ("orbit-xs", True, 5)


def test_evaluate_takes_the_truth_by_name():
    command = parse(["evaluate", "run", "--truth", "orbit", "--json"])
    assert (str(command.folder), str(command.truth), command.json) == ("run", "orbit", True)


def test_prompt_and_folders_arrive_as_they_were_typed():
    command = parse(["make", "a red mug, with a “blue” handle", "-o", "some/where", "--seed", "7", "--overwrite"])
    assert (command.prompt, command.output, command.seed) == ("a red mug, with a “blue” handle", Path("some/where"), 7)
    assert command.overwrite is True
    assert parse(["make", "a mug"]).output is None


def complaint(capsys, *arguments: str) -> str:
    """Return what a command that must fail with exit code 2 says: exactly one line, and nothing on stdout."""
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--progress", "none"])
    said = capsys.readouterr()
    assert end.value.code == 2, said.err
    assert said.out == ""
    assert said.err.startswith("vid2three: ")
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.fixture
def orbit(tmp_path) -> Path:
    """A folder of four pictures on white with their cameras."""
    folder = tmp_path / "orbit"
    folder.mkdir()
    frames = []
    for index, c2w in enumerate(orbit_c2w(4, 15, 3.0) * [1, -1, -1, 1]):
        picture = np.full((32, 32, 3), 255, np.uint8)
        picture[8:24, 8:24] = (200, 60, 40)
        Image.fromarray(picture).save(folder / f"{index}.png")
        frames.append({"file_path": f"{index}.png", "transform_matrix": c2w.tolist()})
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "w": 32, "h": 32, "frames": frames}))
    return folder


def edit(folder: Path, change) -> None:
    path = folder / "transforms.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def no_frames(folder):
    edit(folder, lambda data: data["frames"].clear())


def missing_key(folder):
    edit(folder, lambda data: data["frames"][1].pop("transform_matrix"))


def no_focal_length(folder):
    edit(folder, lambda data: data.pop("camera_angle_x"))


def wrong_size(folder):
    edit(folder, lambda data: data.update(w=64))


def nan_camera(folder):
    edit(folder, lambda data: data["frames"][2]["transform_matrix"][1].__setitem__(3, float("nan")))


def missing_image(folder):
    (folder / "3.png").unlink()


def corrupt_image(folder):
    (folder / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")


def truncated_image(folder):
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    data = (folder / "0.png").read_bytes()
    (folder / "0.png").write_bytes(data[: len(data) // 2])


BAD_INPUTS = {
    no_frames: "holds no frames",
    missing_key: "frame 1: 'transform_matrix' is missing",
    no_focal_length: "no focal length",
    wrong_size: "says 64 x 32 pixels, the picture has 32 x 32",
    nan_camera: "not finite",
    missing_image: "3.png does not exist",
    corrupt_image: "0.png is no picture",
    truncated_image: "0.png is broken",
}


@pytest.mark.parametrize("spoil", BAD_INPUTS, ids=lambda spoil: spoil.__name__)
def test_bad_pictures_and_cameras_are_named_before_any_work(capsys, orbit, tmp_path, spoil):
    spoil(orbit)
    said = complaint(capsys, "reconstruct", str(orbit), "-o", str(tmp_path / "run"))
    assert BAD_INPUTS[spoil] in said
    assert not (tmp_path / "run").exists()


def test_a_missing_input_is_named(capsys, tmp_path):
    assert "There is no" in complaint(capsys, "reconstruct", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("prompt", ["", "   ", "…!?"])
def test_an_empty_prompt_gets_an_example(capsys, tmp_path, prompt):
    said = complaint(capsys, "make", prompt, "-o", str(tmp_path / "run"))
    assert "a red mug with a blue handle" in said
    assert not (tmp_path / "run").exists()


def test_a_folder_below_a_file_cannot_be_written(capsys, orbit, tmp_path):
    (tmp_path / "file").touch()
    said = complaint(capsys, "reconstruct", str(orbit), "-o", str(tmp_path / "file" / "run"))
    assert "Nothing can be written to" in said


def test_a_folder_with_another_run_is_kept(capsys, orbit, tmp_path):
    open_run(tmp_path / "run", {"command": "make", "prompt": "a mug"}, {})
    said = complaint(capsys, "reconstruct", str(orbit), "-o", str(tmp_path / "run"))
    assert "holds another run" in said
    assert "--overwrite" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "fine"], "no preset 'fine'"),
        (["--config", "nowhere.yaml"], "no config file nowhere.yaml"),
        (["--generate.num-frames", "7"], "even number of frames"),
        (["--generate.height", "50"], "multiples of 16"),
        (["--generate.model", "orbit-xxl"], "no model 'orbit-xxl'"),
        (["--export.height-m", "-1"], "positive number of metres"),
        (["--export.turntable-size", "100"], "even and 256 or more"),
        (["--fit.num-splats", "2"], "at least 4 splats"),
        (["--seed", "-1"], "seed must lie between"),
        (["--threads", "0"], "--threads must be 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(capsys, tmp_path, arguments, words):
    assert words in complaint(capsys, "make", "a mug", "-o", str(tmp_path / "run"), *arguments)
    assert not (tmp_path / "run").exists()


def test_an_unknown_key_in_a_file_is_refused(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text("mesh: {num_facse: 3}")
    said = complaint(capsys, "make", "a mug", "--config", str(tmp_path / "mine.yaml"))
    assert "mine.yaml: Unknown key 'mesh.num_facse'; did you mean 'num_faces'?" in said


def test_export_wants_a_run_and_a_known_ending(capsys, tmp_path):
    assert "is no run folder" in complaint(capsys, "export", str(tmp_path), "-o", "a.obj")
    open_run(tmp_path / "run", {"command": "make"}, {"name": "mug"})
    said = complaint(capsys, "export", str(tmp_path / "run"), "-o", str(tmp_path / "a.fbx"))
    assert "a mesh is written as .glb, .obj, .ply, .stl" in said
    said = complaint(capsys, "export", str(tmp_path / "run"), "-o", str(tmp_path / "a.obj"))
    assert "holds no mesh.glb" in said


def test_an_unknown_flag_exits_with_2(capsys):
    with pytest.raises(SystemExit) as end:
        main(["make", "a mug", "--fit.iteratoins", "3"])
    assert end.value.code == 2
    assert "iterations" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch):
    import vid2three

    monkeypatch.setattr(vid2three, "make", lambda *args, **options: np.zeros(3).reshape(2, 2), raising=False)
    with pytest.raises(ValueError, match="reshape"):
        main(["make", "a mug"])


def test_idle_threads_do_not_spin():
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
