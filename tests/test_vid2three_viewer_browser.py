"""viewer.html in a real browser: what it draws is what was fitted, and what its buttons and keys do is seen."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recon.camera import Cameras
from recon.render import render
from recon.splats import Splats
from subjects import mug, orbit_views, surface_splats
from vid2three.formats.glb import save_mesh
from vid2three.place import Y_UP_FROM_Z_UP
from vid2three.viewer.asset import Things, Words, asset_json
from vid2three.viewer.page import page

HOSTILE = "a </script><script>window.owned = 1</script><img src=x onerror='window.owned = 1'> mug & 'cup'"
RED, GREEN = (200, 40, 30), (30, 170, 60)
SIZES = {"desktop": (1000, 700), "phone": (390, 844)}


@pytest.fixture(scope="module")
def things(tmp_path_factory) -> Things:
    mesh = mug()
    path = tmp_path_factory.mktemp("mug") / "mesh.glb"
    save_mesh(path, mesh)
    splats = surface_splats(mesh, 3000)
    higher = 0.12 * torch.randn(len(splats), 15, 3, generator=torch.Generator().manual_seed(0))
    splats = Splats(
        splats.means,
        splats.log_scales - 0.4,
        splats.quats,
        splats.opacity_logits,
        torch.cat([splats.sh, higher], dim=1),
    )
    return Things(
        splats=splats,
        glb=path.read_bytes(),
        world_from_glb=np.linalg.inv(Y_UP_FROM_Z_UP),
        views=orbit_views(mesh, 6),
        frame_numbers=(0, 1, 2, 4, 5, 6),
    )


WORDS = Words(
    title=HOSTILE,
    subtitle="orbit-s, seed 7",
    is_generated=True,
    verdict={"decision": "refused", "reasons": [HOSTILE]},
    facts=[("seed", "7")],
    links=[("report", "report.html")],
)


class Page:
    """A page in the browser, and all it complained of or asked for."""

    def __init__(self, browser, file: Path, size: tuple[int, int] = SIZES["desktop"], *, is_phone: bool = False):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            has_touch=is_phone,
            is_mobile=is_phone,
            reduced_motion="reduce",
        )
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-ready-ms], html[data-failed]", state="attached", timeout=60_000)
        assert self.page.evaluate("document.documentElement.dataset.failed ?? ''") == ""

    def box(self, selector: str) -> list[float]:
        """Left, top, width and height of an element in pixels."""
        code = "b => (r => [r.x, r.y, r.width, r.height])(b.getBoundingClientRect())"
        return self.page.locator(selector).evaluate(code)

    def shot(self) -> np.ndarray:
        """The page's pixels [H,W,3], once two looks in a row are the same."""
        before = None
        for _ in range(20):
            self.page.wait_for_timeout(120)
            data = self.page.screenshot()
            if data == before:
                break
            before = data
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def share(pixels: np.ndarray, color: tuple[int, int, int], off: int = 60) -> float:
    """Share of the pixels that are near a colour; blue is not asked for, as the mug is bluer towards its top."""
    near = np.abs(pixels[..., :2] - np.array(color)[:2]).max(axis=-1) < off
    return float(near.mean())


@pytest.fixture(scope="module")
def file(things, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("viewer") / "viewer.html"
    path.write_text(page(asset_json(WORDS, things)), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, file):
    shown = Page(browser, file)
    yield shown
    shown.page.context.close()
    assert shown.complaints == []
    assert [address for address in shown.asked if not address.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize("what", ["splats", "mesh"])
def test_the_subject_is_there_in_its_colours_and_turns_where_it_is_dragged(opened, what):
    opened.page.click(f"#what [value={what}]")
    before = opened.shot()
    assert share(before, RED) > 0.05
    assert share(before, GREEN) > 0.005
    opened.page.mouse.move(500, 350)
    opened.page.mouse.down()
    opened.page.mouse.move(650, 350, steps=4)
    opened.page.mouse.up()
    after = opened.shot()
    assert share(after, RED) > 0.05
    assert (np.abs(after - before).max(axis=-1) > 40).mean() > 0.02


def test_splats_and_mesh_and_both_side_by_side(opened):
    shots = {}
    for what in ("splats", "mesh", "split"):
        opened.page.click(f"#what [value={what}]")
        shots[what] = opened.shot()
    middle, rows = 500, slice(160, 560)
    left, right = (rows, slice(300, middle - 30)), (rows, slice(middle + 30, 700))
    assert (shots["splats"][left] != shots["mesh"][left]).any()
    assert (shots["splats"][right] != shots["mesh"][right]).any()
    np.testing.assert_array_equal(shots["split"][left], shots["splats"][left])
    np.testing.assert_array_equal(shots["split"][right], shots["mesh"][right])


def test_the_line_between_them_moves(opened):
    opened.page.keyboard.press("3")
    left, top, width, height = opened.box("#divider button")
    x, y = left + width / 2, top + height / 2
    before = opened.shot()
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 90, y, steps=3)
    opened.page.mouse.up()
    moved = opened.page.evaluate("document.querySelector('#divider').getBoundingClientRect().x")
    assert moved == pytest.approx(x + 90, abs=2)
    strip = (slice(300, 400), slice(int(x) + 20, int(x) + 70))
    assert (opened.shot()[strip] != before[strip]).any()


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("index", [0, 3])
def test_the_browser_draws_what_was_fitted(browser, things, tmp_path, index, antialiased):
    """Against recon's own rasteriser, from the same camera with its exact lens, all harmonics on."""
    smaller = replace(things.splats, log_scales=things.splats.log_scales - (1.2 if antialiased else 0))
    file = tmp_path / "viewer.html"
    asset = asset_json(WORDS, replace(things, splats=smaller, antialiased=antialiased))
    file.write_text(page(asset), encoding="utf-8")
    shown = Page(browser, file)
    shown.page.evaluate("document.documentElement.dataset.paper = 'white'")
    shown.page.click("#frames")
    shown.page.click("#manner [value=over]")
    for selector, value in (("#strength input", 0), ("#index", index)):
        shown.page.locator(selector).fill(str(value))
    box = shown.box("#render")
    pixels = shown.shot()
    shown.page.context.close()
    left, top, scale = int(box[0]), int(box[1]), box[2] / things.views.cameras.width
    height, width = int(box[3]), int(box[2])
    K = things.views.cameras.K[index].clone() * torch.tensor([scale, scale, 1.0])[:, None]
    K[0, 2] += box[0] - left
    K[1, 2] += box[1] - top
    camera = Cameras(K[None], things.views.cameras.w2c[index][None], height, width)
    truth = render(smaller, camera, background=torch.ones(3), antialiased=antialiased).rgb[0].clamp(0, 1).numpy()
    found = pixels[top : top + height, left : left + width] / 255
    inner = (slice(24, -4), slice(70, -4))  # without the rim and the word in the corner
    error = np.mean((found[inner] - truth[inner]) ** 2)
    assert -10 * np.log10(error) > 36
    assert np.ptp(truth[inner]) > 0.5


def test_frames_stand_beside_renders_of_the_same_camera(opened):
    opened.page.evaluate("document.documentElement.dataset.paper = 'white'")
    opened.page.keyboard.press("2")
    opened.page.keyboard.press("f")
    opened.page.locator("#index").fill("2")
    pixels = opened.shot()
    boxes = [[round(side) for side in opened.box(selector)] for selector in ("#frame", "#render")]
    assert boxes[0][0] + boxes[0][2] <= boxes[1][0]
    frame, drawn = (pixels[y + 30 : y + h - 6, x + 70 : x + w - 6] for x, y, w, h in boxes)
    masks = [image.min(axis=-1) < 150 for image in (frame, drawn)]
    assert masks[0].mean() > 0.05
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.93
    assert opened.page.inner_text("#number") == "2 of 6"
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.inner_text("#number") == "4 of 6"  # frame 3 was left out
    opened.page.mouse.move(500, 300)
    opened.page.mouse.wheel(0, 100)
    assert opened.page.is_hidden("#frame")


def test_cameras_are_drawn_and_one_that_is_clicked_is_looked_through(opened):
    without = opened.shot()
    opened.page.keyboard.press("c")
    pixels = opened.shot()
    assert (pixels != without).any()
    right = pixels[200:500, 660:]  # nothing else stands there
    lines = np.argwhere((np.ptp(right, axis=-1) < 12) & (right.mean(axis=-1) < 190))
    assert len(lines) > 20
    y, x = lines[lines[:, 1] > lines[:, 1].max() - 20].mean(axis=0)
    opened.page.mouse.click(660 + x, 200 + y)
    assert opened.page.inner_text("#number") == "1 of 6"
    assert opened.page.is_visible("#frame")


def test_wires_clay_and_normals_change_the_mesh(opened):
    opened.page.keyboard.press("2")
    shots = [opened.shot()]
    for key in ("w", "w", "5", "6"):
        opened.page.keyboard.press(key)
        shots.append(opened.shot())
    subject = slice(200, 500), slice(380, 600)
    plain, wires, without, clay, normals = (shot[subject] for shot in shots)
    np.testing.assert_array_equal(plain, without)
    assert (wires != plain).any(axis=-1).mean() > 0.1
    on_clay = clay.reshape(-1, 3)
    assert np.median(np.ptp(on_clay, axis=1)) < 20  # grey
    assert (np.abs(normals - clay).max(axis=-1) > 40).mean() > 0.3


def test_the_background_changes_and_the_words_stay_readable(opened):
    seen = set()
    for _ in range(5):
        pixels = opened.shot()
        seen.add(tuple(pixels[400, 60]))
        ink = opened.page.evaluate("getComputedStyle(document.querySelector('h1')).color")
        level = np.mean([int(part) for part in ink[4:-1].split(",")])
        assert abs(level - pixels[400, 60].mean()) > 120
        opened.page.keyboard.press("b")
    assert len(seen) >= 4


def test_keys_turn_zoom_and_come_back(opened):
    first = opened.shot()
    for key in ("ArrowLeft", "ArrowUp", "+", "+"):
        opened.page.keyboard.press(key)
        assert (opened.shot() != first).any()
    opened.page.keyboard.press("r")
    assert np.abs(opened.shot() - first).max() <= 8


def test_hostile_words_are_shown_as_words(opened):
    assert opened.page.inner_text("h1") == HOSTILE
    assert opened.page.evaluate("window.owned") is None
    opened.page.click("#facts summary")
    assert HOSTILE in opened.page.inner_text("#facts")
    assert opened.page.inner_text("#mark") == "AI-generated"
    assert opened.page.get_attribute("#facts a", "href") == "report.html"


def test_a_finger_turns_it_on_a_phone_and_nothing_runs_over(browser, file):
    shown = Page(browser, file, SIZES["phone"], is_phone=True)
    before = shown.shot()
    assert share(before, RED) > 0.05
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    for selector in ("#bar", "#caption"):
        x, y, right, bottom = shown.page.evaluate(
            f"(b => [b.x, b.y, b.right, b.bottom])(document.querySelector('{selector}').getBoundingClientRect())"
        )
        assert (x >= 0, y >= 0, right <= 390, bottom <= 844) == (True,) * 4
    session = shown.page.context.new_cdp_session(shown.page)
    for kind, x in (("touchStart", 150), ("touchMove", 200), ("touchMove", 260), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": 400}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    after = shown.shot()
    assert share(after, RED) > 0.05
    assert (np.abs(after - before).max(axis=-1) > 40).mean() > 0.02
    shown.page.context.close()
    assert shown.complaints == []


@pytest.mark.parametrize("part", ["splats", "glb"])
def test_one_of_the_two_alone_is_shown_too(browser, things, tmp_path, part):
    alone = Things(**{part: getattr(things, part)})
    file = tmp_path / "viewer.html"
    file.write_text(page(asset_json(Words("alone"), alone, is_bounded=False)), encoding="utf-8")
    shown = Page(browser, file)
    pixels = shown.shot()
    assert share(pixels, RED) > 0.05
    for selector in ("#what", "#frames", "#cameras", "#mark"):
        assert shown.page.is_hidden(selector)
    shown.page.context.close()
    assert shown.complaints == []
