"""The extension's zip, and those of its files that need no Blender: command lines, the process, what files may say."""

import importlib
import json
import os
import stat
import sys
import time
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.camera import Cameras, opencv_to_opengl
from recon.sh import C0 as SH_C0
from recon.splats import Splats
from vid2three import __version__
from vid2three.blender.package import SOURCES, save_zip
from vid2three.cli import main, parse
from vid2three.formats.glb import srgb_to_linear
from vid2three.formats.ply import save_splats
from vid2three.formats.transforms import save_transforms

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

extension = types.ModuleType("extension")  # the package without its __init__.py, which imports bpy
extension.__path__ = [str(SOURCES)]
sys.modules["extension"] = extension
commands, job, run_folder, splat_file = (
    importlib.import_module(f"extension.{name}") for name in ("commands", "job", "run_folder", "splat_file")
)
Order = commands.Order


def test_the_zip_holds_the_sources_and_a_manifest_and_is_the_same_twice(tmp_path):
    first, second = save_zip(tmp_path / "a.zip"), save_zip(tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert set(archive.namelist()) == {"blender_manifest.toml", *(p.name for p in SOURCES.glob("*.py"))}
        assert archive.read("__init__.py").decode() == (SOURCES / "__init__.py").read_text("utf-8")
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert (manifest["id"], manifest["version"], manifest["schema_version"]) == ("vid2three", __version__, "1.0.0")
    assert "wheels" not in manifest


def test_the_command_line_writes_it_with_and_without_a_path(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert parse(["blender", "--zip", "a.zip"]).zip == Path("a.zip")
    for arguments in (["--zip"], ["--zip", "--quiet"], []):
        main(["blender", *arguments])
        (name,) = capsys.readouterr().out.split()
        assert zipfile.is_zipfile(tmp_path / name)
        (tmp_path / name).unlink()
    with pytest.raises(SystemExit) as end:
        main(["blender", "--zip", "a.tar"])
    assert end.value.code == 2
    assert "ends in .zip" in capsys.readouterr().err


def test_the_extension_imports_the_standard_library_numpy_and_blender_alone():
    import ast

    allowed = {*sys.stdlib_module_names, "numpy", "bpy", "mathutils"}
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, path
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or str(node.module).split(".")[0] in allowed, path


@pytest.mark.parametrize(
    "order",
    [
        Order("PROMPT", "a red mug", preset="draft", seed=7, height_m=0.12),
        Order("PICTURE", "-- a robot", path="front.png", threads=2),
        Order("PICTURE", "a robot", path="front.png", model="models/wan"),
        Order("VIDEO", path="clip.mp4", height_m=12.5),
        Order("PHOTOS", path="photos"),
    ],
    ids=lambda order: order.source,
)
def test_every_order_is_a_command_line_that_vid2three_takes(order, tmp_path):
    (_, *words) = commands.command("vid2three", order, tmp_path / "run")
    command = parse(words)
    assert command.output == tmp_path / "run"
    assert (command.seed, command.presets.preset) == (order.seed, order.preset)
    assert (command.settings.export.height_m, command.settings.export.pivot) == (order.height_m, "base")
    assert (command.options.progress, command.options.threads) == ("json", order.threads or None)
    if order.source in ("PROMPT", "PICTURE"):
        assert command.prompt == order.prompt.lstrip("- ")
        settings = command.settings.generator if order.model else command.settings.generate
        assert (settings.image or "") == order.path
        assert settings.model == (order.model or "orbit-s")
    else:
        assert command.source == Path(order.path)


def test_the_same_order_goes_on_in_its_folder_and_another_gets_one_of_its_own(tmp_path):
    picture = tmp_path / "front.png"
    picture.write_bytes(b"1")
    order = Order("PICTURE", "A robot, made of tin!", path=str(picture))
    folder = commands.run_folder(order, tmp_path)
    assert folder == commands.run_folder(order, tmp_path)
    assert folder.name.startswith("a-robot-made-of-tin-")
    picture.write_bytes(b"22")
    others = [commands.run_folder(order, tmp_path), commands.run_folder(Order("PROMPT", "A robot"), tmp_path)]
    others.append(commands.run_folder(Order("PROMPT", "A robot", height_m=0.5), tmp_path))
    others.append(commands.run_folder(Order("PROMPT", "A robot", model="models/wan"), tmp_path))
    assert len({folder, *others}) == 5


def test_orders_that_cannot_be_are_refused_with_the_cure(tmp_path):
    for order, words in [
        (Order("PROMPT", "  "), "Say what to make"),
        (Order("PICTURE", "a robot"), "Choose a picture"),
        (Order("PROMPT", "a robot", model=str(tmp_path)), "no video model of diffusers; choose another Model"),
        (Order("VIDEO", path=str(tmp_path)), "There is no file"),
        (Order("PHOTOS", path=str(tmp_path / "nowhere")), "There is no folder"),
    ]:
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            commands.check(order)


def test_a_text_holds_a_prompt_on_each_line():
    assert commands.prompts("a mug\n\n  # later\n a chair \r\n") == ["a mug", "a chair"]


def read_all(running: job.Job) -> list[dict]:
    told: list[dict] = []
    end = time.monotonic() + 60
    while not told or not ("done" in told[-1] or "error" in told[-1]):
        assert time.monotonic() < end
        told += running.read()
        time.sleep(0.02)
    return told


def test_a_job_hands_on_lines_of_json_and_skips_others():
    code = "print('{\"stage\": \"fit\"}'); print('a warning'); print('[1]'); print('{\"done\": \"run\"}')"
    assert read_all(job.Job([sys.executable, "-c", code])) == [{"stage": "fit"}, {"done": "run"}]


def test_a_job_that_dies_tells_its_last_words_or_its_exit_code():
    code = "import sys; print('first', file=sys.stderr); print('out of memory', file=sys.stderr); sys.exit(3)"
    assert read_all(job.Job([sys.executable, "-c", code])) == [{"error": "out of memory"}]
    told = read_all(job.Job([sys.executable, "-c", "import os; os._exit(5)"]))
    assert told == [{"error": "vid2three ended with exit code 5."}]


@pytest.mark.skipif(os.name == "nt", reason="looks for processes as POSIX does")
@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_canceled_job_takes_its_children_with_it(monkeypatch, is_deaf):
    monkeypatch.setattr(job, "GRACE_S", 0.5)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if is_deaf else ""
    child = f"{deaf}import time; print('here', flush=True); time.sleep(300)"
    code = f"""{deaf}
import json, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(json.dumps({{'child': child.pid}}), flush=True)
child.wait()
"""
    running = job.Job([sys.executable, "-c", code])
    told: list[dict] = []
    while not told:
        told = running.read()
    running.cancel()
    assert "error" in read_all(running)[-1]
    for pid in (running.pid, told[0]["child"]):
        end = time.monotonic() + 10
        while is_alive(pid):
            assert time.monotonic() < end, pid
            time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # one that its parent's parent has not buried yet is dead too
    return not status.is_file() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_program_is_found_in_a_file_in_an_environment_or_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "env" / "bin" / "vid2three"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho something else\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert job.find_program(str(program)) == job.find_program(str(tmp_path / "env")) == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert Path(job.find_program("")) == program
    with pytest.raises(ValueError, match="does not answer like vid2three"):
        job.version(str(program))
    monkeypatch.setenv("PATH", str(tmp_path))
    for asked, words in [("", "not on the PATH"), (str(tmp_path), "holds no vid2three"), ("/nowhere/x", "There is no")]:
        with pytest.raises(FileNotFoundError, match=words):
            job.find_program(asked)


def some_splats(num: int = 5) -> Splats:
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return Splats(draw(num, 3), draw(num, 3) - 3, 2 * draw(num, 4), draw(num), 0.5 * draw(num, 4, 3))


@pytest.fixture
def run(tmp_path) -> Path:
    """A run folder with two cameras of different lenses, splats, and a mesh that was scaled by 2 and moved."""
    save_splats(tmp_path / "splats.ply", some_splats())
    K = torch.tensor([[[50.0, 0, 30], [0, 55, 21], [0, 0, 1]], [[60.0, 0, 33], [0, 66, 20], [0, 0, 1]]])
    w2c = torch.eye(4).repeat(2, 1, 1)
    w2c[:, 2, 3], w2c[1, 0, 3] = 3.0, 0.5
    save_transforms(tmp_path / "transforms.json", Cameras(K, w2c, 40, 64), ["views/000.png", "views/001.png"])
    placing = np.array([[2.0, 0, 0, 1], [0, 2, 0, -3], [0, 0, 2, 5], [0, 0, 0, 1]])  # of the world, z up
    y_up = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    facts = {"world_from_file": np.linalg.inv(y_up @ placing).tolist()}
    files = {"mesh.glb": facts, "orbit.mp4": {"fps": 12.5}}
    (tmp_path / "asset.json").write_text(json.dumps({"schema": 1, "name": "mug", "seed": 3, "files": files}))
    return tmp_path


def test_a_run_folder_tells_placement_cameras_and_rate(run):
    found = run_folder.load(run)
    wanted = [[2, 0, 0, 1], [0, 2, 0, -3], [0, 0, 2, 5], [0, 0, 0, 1]]
    np.testing.assert_allclose(found.blender_from_world, wanted, atol=1e-12)
    assert (found.name, found.fps, found.facts["seed"]) == ("mug", 12.5, 3)
    assert found.cameras.K[:, 0, 0].tolist() == [50, 60]
    assert found.cameras.K[:, 1, 2].tolist() == [21, 20]
    expected = opencv_to_opengl(torch.tensor([[[1.0, 0, 0, -0.5], [0, 1, 0, 0], [0, 0, 1, -3], [0, 0, 0, 1]]]))
    np.testing.assert_allclose(found.cameras.c2w[1], expected[0].numpy(), atol=1e-6)
    assert found.cameras.pictures == ()  # they are not there


def test_a_picture_outside_the_run_folder_is_not_followed(run):
    (run / "views").mkdir()
    for name in ("000", "001"):
        (run / "views" / f"{name}.png").touch()
    assert len(run_folder.load(run).cameras.pictures) == 2
    data = json.loads((run / "transforms.json").read_text())
    for path in ("../secret.png", "/etc/passwd", "views/../../000.png"):
        data["frames"][1]["file_path"] = path
        (run / "transforms.json").write_text(json.dumps(data))
        assert run_folder.load(run).cameras.pictures == ()


def test_the_rate_of_a_video_is_that_of_its_chosen_frames(run):
    (run / "asset.json").write_text(json.dumps({"schema": 1, "files": {}}))
    (run / "frames.json").write_text(json.dumps({"fps": 30, "times_s": [1.0, 1.25]}))
    assert run_folder.load(run).fps == 4
    (run / "frames.json").write_text(json.dumps({"fps": 0, "times_s": [0, 1]}))
    assert run_folder.load(run).fps is None


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("asset.json", "{", "no JSON file"),
        ("asset.json", "[]", "no JSON object"),
        ("asset.json", '{"schema": 2, "files": {}}', "not written by a version"),
        ("asset.json", '{"schema": 1, "files": {"mesh.glb": {"world_from_file": [[1]]}}}', "4 rows of 4"),
        (
            "asset.json",
            '{"schema": 1, "files": {"mesh.glb": {"world_from_file": %s}}}' % ([[0] * 4] * 4),
            "turned round",
        ),
        ("transforms.json", '{"frames": []}', "no list of frames"),
        ("transforms.json", '{"frames": [7]}', "no object"),
        ("transforms.json", '{"w": 1e999, "h": 4, "frames": [{}]}', "finite number"),
        ("transforms.json", "[" * 100_000, "no JSON file"),
    ],
)
def test_a_spoilt_run_folder_is_named(run, file, text, words):
    (run / file).write_text(text)
    with pytest.raises(ValueError, match=words):
        run_folder.load(run)


def test_splats_are_read_as_they_were_written_and_activated(run):
    splats, read = some_splats(), splat_file.load(run / "splats.ply")
    np.testing.assert_array_equal(read.means, splats.means.numpy())
    np.testing.assert_allclose(read.scales, splats.log_scales.exp().numpy(), rtol=1e-6)
    np.testing.assert_allclose(read.quats, torch.nn.functional.normalize(splats.quats, dim=1).numpy(), atol=1e-6)
    np.testing.assert_allclose(read.opacities, splats.opacity_logits.sigmoid().numpy(), rtol=1e-6)
    display = (0.5 + SH_C0 * splats.sh[:, 0]).clamp(min=0).numpy()
    np.testing.assert_allclose(read.colors, srgb_to_linear(display), rtol=1e-4, atol=1e-6)


def test_a_header_that_claims_a_thousand_million_splats_is_refused_before_memory_is_taken(run):
    path = run / "splats.ply"
    path.write_bytes(path.read_bytes().replace(b"element vertex 5", b"element vertex 1000000000"))
    with pytest.raises(ValueError, match="shorter than its header says"):
        splat_file.load(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"binary_little_endian", b"ascii", "no binary little-endian"),
        (b"property float x\n", b"property list uchar float x\n", "lists or unknown types"),
        (b"property float opacity\n", b"property float opacitee\n", "lacks opacity"),
        (b"property float y\n", b"property float x\n", "stands in it twice"),
        (b"element vertex 5", b"element vertex -5", "vertices and nothing else"),
        (b"element vertex 5", b"element vertex", "vertices and nothing else"),
        (b"ply\n", b"plx\n", "no binary little-endian"),
    ],
)
def test_a_file_that_is_no_ply_of_splats_is_named(run, old, new, words):
    path = run / "splats.ply"
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(ValueError, match=words):
        splat_file.load(path)


def test_a_splat_that_is_not_finite_is_refused(run):
    path = run / "splats.ply"
    data = bytearray(path.read_bytes())
    data[-4:] = np.float32("nan").tobytes()  # the last value is rot_3
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="not finite"):
        splat_file.load(path)
