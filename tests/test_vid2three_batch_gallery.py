"""The gallery in a real browser: filters, words, links, a phone's screen, and names that try to be markup."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vid2three.batches.gallery import Gallery, page
from vid2three.batches.record import Entry, load_record, save_record
from vid2three.video import save_video

HOSTILE = "a </script><img src=x onerror='window.owned=1'> \"mug\" & 'cup'"


def entry(name: str, what: str, **facts) -> Entry:
    usual = {"place": "Line 2", "command": "make", "seed": 3, "preset": "draft", "state": "done", "verdict": "accept"}
    return Entry(name, what=what, **(usual | facts))


ENTRIES = [
    entry("mug", "a red mug", match=0.71, psnr_db=28.34, num_faces=4000),
    entry("odd name (2)", HOSTILE, verdict="refused", verdict_reasons=(HOSTILE, "Frame 11 differs.")),
    entry("turn", "/home/somebody/turn.mp4", command="reconstruct", verdict=None),
    entry("chair", "a chair", verdict="repaired", match=0.5),
    entry("lost", "a boat", state="failed", verdict=None, reason="The process was killed 3 times."),
]


@pytest.fixture
def folder(tmp_path) -> Path:
    for number, found in enumerate(ENTRIES[:4]):
        (tmp_path / found.name).mkdir()
        frames = np.full((12, 256, 256, 3), 255, np.uint8)
        frames[:, 60:200, 60:200] = [(200, 40, 30), (30, 120, 200), (240, 180, 30), (60, 160, 60)][number]
        save_video(tmp_path / found.name / "turntable.mp4", frames, 12)
    Gallery(tmp_path, "list.csv").save(ENTRIES)
    return tmp_path


def opened(browser, folder: Path, size=(1000, 700), *, is_phone=False):
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=is_phone, is_mobile=is_phone
    )
    tab = context.new_page()
    tab.complaints = []
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto((folder / "index.html").as_uri())
    return tab


def visible(tab) -> list[str]:
    return [card.get_attribute("id") for card in tab.locator(".card").all() if card.is_visible()]


def test_filters_and_words_leave_what_they_name(browser, folder):
    tab = opened(browser, folder)
    everything = [found.name for found in ENTRIES]
    assert visible(tab) == everything
    assert tab.locator("label").all_inner_texts() == [
        "All 5", "Accepted 1", "Repaired 1", "Refused 1", "Not judged 1", "Failed 1"
    ]  # fmt: skip
    for label, left in (("Accepted", ["mug"]), ("Refused", ["odd name (2)"]), ("Failed", ["lost"])):
        tab.get_by_text(label, exact=False).locator("visible=true").first.click()
        assert visible(tab) == left
    tab.get_by_text("All 5").click()
    tab.get_by_placeholder("Find words").fill("chair repaired")
    assert visible(tab) == ["chair"]
    tab.get_by_placeholder("Find words").fill("")
    assert visible(tab) == everything
    assert tab.evaluate("window.owned") is None
    assert tab.locator("article h2").nth(1).inner_text() == HOSTILE
    assert "somebody" not in tab.content()
    assert tab.complaints == []


def test_links_and_thumbnails_lead_to_the_assets_folder(browser, folder):
    tab = opened(browser, folder)
    links = tab.locator("[id='odd name (2)'] .links a")
    assert [Path(link.evaluate("a => decodeURIComponent(a.pathname)")) for link in links.all()] == [
        folder / "odd name (2)" / name for name in ("report.html", "viewer.html", "mesh.glb", "splats.ply")
    ]
    colors = [Image.open(io.BytesIO(shot.screenshot())).convert("RGB") for shot in tab.locator("video").all()]
    red = np.asarray(colors[0]).reshape(-1, 3)
    assert np.abs(red - (200, 40, 30)).max(axis=1).min() < 12
    assert len(colors) == 4
    tab.locator("#mug").hover()
    tab.wait_for_function("document.querySelector('#mug video').readyState >= 2")  # the turntable plays


def test_on_a_phone_nothing_is_cut_off(browser, folder):
    tab = opened(browser, folder, (390, 844), is_phone=True)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    for card in tab.locator(".card").all():
        bottom = card.evaluate("card => card.querySelector('.words').scrollHeight - card.clientHeight")
        assert bottom <= 1
        sizes = card.locator("a").evaluate_all("all => all.map(a => a.getBoundingClientRect().height)")
        assert all(size >= 20 for size in sizes)


def test_a_page_without_pictures_holds_every_asset_all_the_same():
    text = page("rows", ENTRIES, {})
    assert text.count("<article") == 5
    assert "poster" not in text
    assert "<img" not in text


def test_what_is_recorded_is_read_back(tmp_path):
    save_record(tmp_path, ENTRIES)
    assert load_record(tmp_path) == {found.name: found for found in ENTRIES}
    with (tmp_path / "batch.jsonl").open("a") as file:
        file.write('{"name": "half')
    assert list(load_record(tmp_path)) == [found.name for found in ENTRIES]
