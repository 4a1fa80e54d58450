"""index.html: all assets of a batch on one page, with a thumbnail, the verdict and links to each.

Thumbnails lie inside the page; a turntable plays from its folder. The page needs no network, and no script to be read.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from vid2three.batches.record import Entry
from vid2three.report import MARKS
from vid2three.run import whole_file
from vid2three.video import load_video

PAGE = "index.html"
TILE = 224  # pixels of a thumbnail
QUALITY = 82  # of its JPEG
KINDS = ("accept", "repaired", "refused", "unjudged", "failed", "waiting")
WORDS = {**{kind: MARKS[kind] for kind in KINDS[:3]}, "unjudged": MARKS[None], "failed": "Failed", "waiting": "Waiting"}


class Gallery:
    """Draws the page again and again as assets come; a thumbnail is made once."""

    def __init__(self, folder: Path, title: str):
        self.folder, self.title = folder, title
        self._thumbnails: dict[str, str] = {}

    def save(self, entries: Sequence[Entry]) -> None:
        """Write index.html."""
        for entry in entries:
            if entry.state == "done" and entry.name not in self._thumbnails:
                self._thumbnails[entry.name] = thumbnail(self.folder / entry.name / "turntable.mp4")
        with whole_file(self.folder / PAGE) as path:
            path.write_text(page(self.title, entries, self._thumbnails), encoding="utf-8")


def thumbnail(turntable: Path) -> str:
    """Return the turntable's view from half left of the front as the address of a JPEG; empty where there is none."""
    try:
        frames, _ = load_video(turntable)
    except (OSError, ValueError, IndexError):  # none, or no video
        return ""
    image = Image.fromarray(np.ascontiguousarray(frames[len(frames) // 12]))
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def page(title: str, entries: Sequence[Entry], thumbnails: dict[str, str]) -> str:
    """Return the page as HTML; thumbnails are addresses of pictures by the names of assets."""
    counts = Counter(map(kind_of, entries))
    shown = [kind for kind in KINDS if counts[kind]]
    picks = "".join(
        f"<input type='radio' name='show' id='show-{kind}'{' checked' if kind == 'all' else ''}>"
        for kind in ("all", *shown)
    )
    labels = f"<label for='show-all'>All {len(entries)}</label>" + "".join(
        f"<label for='show-{kind}' class='{kind}'>{WORDS[kind]} {counts[kind]}</label>" for kind in shown
    )
    cards = "\n".join(_card(entry, thumbnails.get(entry.name, "")) for entry in entries)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main><h1>{escape(title)}</h1>\n"
        f"{picks}<nav>{labels}<input type='search' placeholder='Find words' aria-label='Find words'></nav>\n"
        f"<section class='cards'>\n{cards}\n</section></main><script>{SCRIPT}</script></body></html>\n"
    )


def kind_of(entry: Entry) -> str:
    """Return the name under which the page files an asset."""
    return (entry.verdict or "unjudged") if entry.state == "done" else entry.state


def _card(entry: Entry, picture: str) -> str:
    kind, base = kind_of(entry), quote(entry.name)
    title = escape(entry.what if entry.command == "make" else Path(entry.what).name, quote=True)
    links = ("report.html", "report"), ("viewer.html", "3D"), ("mesh.glb", "mesh"), ("splats.ply", "splats")
    image = "<div class='picture'></div>"
    if picture:
        image = (
            f"<a class='picture' href='{base}/viewer.html'><video muted loop playsinline preload='none' "
            f"poster='{picture}' src='{base}/turntable.mp4' aria-label='{title}'></video></a>"
        )
    reasons = [entry.reason] if entry.reason else list(entry.verdict_reasons)
    told = "".join(f"<p class='reason'>{escape(reason)}</p>" for reason in reasons)
    found = "".join(f"<a href='{base}/{file}'>{word}</a>" for file, word in links) if entry.state == "done" else ""
    return (
        f"<article class='card {kind}' id='{escape(entry.name, quote=True)}'>{image}<div class='words'>"
        f"<p class='mark'>{WORDS[kind]}</p><h2>{title}</h2><p class='faint'>{escape(_facts(entry))}</p>"
        f"{told}<p class='links'>{found}</p></div></article>"
    )


def _facts(entry: Entry) -> str:
    facts = [entry.name, f"seed {entry.seed}"]
    facts += [f"match {entry.match:.2f}"] if entry.match is not None else []
    facts += [f"{entry.psnr_db:.1f} dB"] if entry.psnr_db is not None else []
    facts += [f"{entry.num_faces:,} triangles"] if entry.num_faces is not None else []
    return " · ".join(facts)


SCRIPT = """
for(const video of document.querySelectorAll('video')){const card=video.closest('.card')
card.addEventListener('pointerenter',()=>video.play().catch(()=>{}))
card.addEventListener('pointerleave',()=>{video.pause()})}
document.querySelector('[type=search]').addEventListener('input',event=>{
const words=event.target.value.toLowerCase().split(' ')
for(const card of document.querySelectorAll('.card')){const text=card.textContent.toLowerCase()
card.hidden=!words.every(word=>text.includes(word))}})
"""
_SHOWN = ",".join(f"#show-{kind}:checked~.cards .card:not(.{kind})" for kind in KINDS)
_PICKED = ",".join(f"#show-{kind}:checked~nav [for=show-{kind}]" for kind in ("all", *KINDS))
_FOCUSED = ",".join(f"#show-{kind}:focus-visible~nav [for=show-{kind}]" for kind in ("all", *KINDS))
STYLE = f"""
:root{{--page:#f4f4f1;--tile:#fff;--ink:#1c1c1e;--faint:#6b6b70;--edge:#e2e2dd;--good:#1d7a46;--fair:#a06a00;
--bad:#b3261e}}
@media(prefers-color-scheme:dark){{:root{{--page:#161618;--tile:#202023;--ink:#eee;--faint:#9a9aa0;--edge:#333338;
--good:#5cc98a;--fair:#e0a93b;--bad:#ff7a70}}}}
*{{box-sizing:border-box}}body{{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,sans-serif}}
main{{max-width:1240px;margin:0 auto;padding:20px 16px 60px}}
h1{{margin:8px 0 14px;font-size:1.7rem;overflow-wrap:anywhere}}
[type=radio]{{position:absolute;opacity:0;pointer-events:none}}
nav{{display:flex;flex-wrap:wrap;gap:8px;margin-bottom:16px;position:sticky;top:0;padding:8px 0;background:var(--page);
z-index:1}}
label,[type=search]{{border:1px solid var(--edge);border-radius:99px;padding:7px 15px;background:var(--tile);
color:var(--ink);font:inherit;cursor:pointer}}[type=search]{{flex:1 1 150px;min-width:0;cursor:text}}
{_PICKED}{{background:var(--ink);color:var(--page);border-color:var(--ink)}}{_FOCUSED}{{outline:2px solid var(--fair)}}
.cards{{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(min(100%,220px),1fr))}}
.card{{background:var(--tile);border:1px solid var(--edge);border-radius:10px;overflow:hidden;display:flex;
flex-direction:column}}.card[hidden],{_SHOWN}{{display:none}}
.picture{{display:block;aspect-ratio:1;background:#fff;border-bottom:1px solid var(--edge)}}
div.picture{{background:var(--page)}}video{{display:block;width:100%;height:100%;object-fit:cover}}
.words{{padding:10px 13px 12px;display:flex;flex-direction:column;flex:1}}h2{{font-size:1rem;margin:1px 0;
overflow-wrap:anywhere;line-height:1.3}}p{{margin:0}}.mark{{font-size:.8rem;font-weight:600}}
.faint{{color:var(--faint);font-size:.8rem;overflow-wrap:anywhere}}
.reason{{font-size:.85rem;margin-top:6px;overflow-wrap:anywhere}}
.links{{display:flex;flex-wrap:wrap;gap:4px 14px;margin-top:auto;padding-top:8px}}a{{color:inherit}}
.accept .mark{{color:var(--good)}}.repaired .mark{{color:var(--fair)}}.refused .mark,.failed .mark{{color:var(--bad)}}
@media(max-width:520px){{.cards{{grid-template-columns:1fr}}.card{{flex-direction:row}}
.picture{{flex:0 0 36%;align-self:flex-start;border:0}}
div.picture{{align-self:stretch;aspect-ratio:auto}}.words{{min-width:0}}}}
"""
