"""report.html: what an asset is, how far to trust it and how to make it again, on one page that needs nothing else.

Pictures and the turntable lie inside the page; nothing is fetched and no script runs. The same run gives the same page.
"""

from __future__ import annotations

import base64
import io
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from generator.config import EditConfig
from vid2three.config import usual_config
from vid2three.mesh_facts import described
from vid2three.sheet import Row

VIEWER = "viewer.html"
TILE = 256  # pixels of a picture's longer side, at most
QUALITY = 88  # of its JPEG
MARKS = {"accept": "Accepted", "repaired": "Repaired", "refused": "Refused", None: "Not judged"}
WEIGHTS = {"pipeline": "pipeline", "lora": "LoRA", "sha256": "its SHA-256", "fingerprint": "its fingerprint"}
EXPLAINED = {
    "accept": "The frames show one solid thing, and the cameras fit them.",
    "repaired": "A few frames did not fit in and were left out; the others show one solid thing.",
    "refused": "The frames do not show one solid thing. The asset was made all the same: look at it twice.",
    None: "Without masks what is measured is the background, so there is no verdict.",
}


@dataclass(frozen=True, eq=False)
class Report:
    """What the page is made of."""

    title: str
    subtitle: str
    manifest: dict[str, Any]
    verdict: dict[str, Any] | None
    """What verdict.json holds."""
    scores: dict[str, float]
    rows: list[Row]
    centers: np.ndarray
    """float [F,3], where the cameras stood about the point that they look at; z up."""
    has_estimated_cameras: bool
    witness_centers: np.ndarray | None
    """float [F,3], where the cameras stood by an estimate from the frames alone, laid over `centers`; NaN: nowhere."""
    turntable: Path | None
    files: Sequence[str]
    """Names of the run's files to link to."""


def page(report: Report) -> str:
    """Return the page as HTML, valid for phones and printers alike."""
    body = [
        f"<header><h1>{escape(report.title)}</h1><p class='faint'>{escape(report.subtitle)}</p></header>",
        _verdict(report),
        _viewer(report),
        _figures(report),
        *(_row(row) for row in report.rows),
        _turntable(report),
        "<div class='pair'>" + _trouble(report) + _orbit(report) + "</div>",
        _mesh(report),
        _provenance(report),
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(report.title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main></body></html>\n"
    )


def _verdict(report: Report) -> str:
    found = report.verdict or {}
    decision = found.get("decision")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in found.get("reasons", ()))
    cameras = report.manifest.get("poses", {})
    doubts = "".join(f"<li>{escape(reason)}</li>" for reason in cameras.get("reasons", ()))
    return (
        f"<section class='verdict {decision or 'none'}'><strong>{MARKS[decision]}</strong>"
        f"<p>{EXPLAINED[decision]}</p>" + (f"<ul>{reasons}{doubts}</ul>" if reasons or doubts else "") + "</section>"
    )


def _viewer(report: Report) -> str:
    if VIEWER not in report.files:
        return ""
    return f"<p><a class='open' href='{VIEWER}'>Turn it in 3D</a> <span class='faint'>{VIEWER}, beside this</span></p>"


def _figures(report: Report) -> str:
    """Lay out six numbers, each with its meaning."""
    mesh = report.manifest["files"].get("mesh.glb", {})
    worst = "–"
    if report.verdict is not None:
        worst = f"{max([*report.verdict['frame_trouble'], report.verdict['clip_trouble']]):.2f}"
    shown = [
        (f"{report.scores['psnr_db']:.1f} dB", "how closely the splats show the frames; 25 is close, 30 hard to tell"),
        (_number(report.scores.get("silhouette_iou_mesh"), 3), "how well the mesh fills the outlines; 1 is all of it"),
        (worst, "the frames' worst disagreement by its limit; up to 1 is accepted"),
        _cameras_figure(report),
        (f"{mesh.get('num_faces', 0):,}", "triangles" + (", closed" if mesh.get("is_watertight") else ", not closed")),
        (f"{100 * mesh.get('unseen_share', 0):.0f} %", "of the surface that no frame shows; its colours are guesses"),
    ]
    tiles = "".join(f"<div><b>{escape(value)}</b><span>{escape(meaning)}</span></div>" for value, meaning in shown)
    return f"<section class='figures'>{tiles}</section>"


def _cameras_figure(report: Report) -> tuple[str, str]:
    if report.has_estimated_cameras:
        return (
            f"{report.manifest['poses']['confidence']:.2f}",
            "confidence in the cameras, which were estimated; 1 is full",
        )
    witness = (report.verdict or {}).get("witness")
    if witness is not None:
        return f"{witness['auc_5']:.0f} %", "AUC@5 of cameras estimated from the frames alone against those commanded"
    return "known", "cameras: as they were commanded or given"


def _row(row: Row) -> str:
    tiles = "".join(
        f"<figure><img src='{_embedded(picture)}' alt=''>"
        + (f"<figcaption>{escape(row.captions[index])}</figcaption>" if row.captions else "")
        + "</figure>"
        for index, picture in enumerate(row.pictures)
    )
    heading = f"<h2>{escape(row.label)} <small>{escape(row.note)}</small></h2>"
    return f"<section>{heading}<div class='strip'>{tiles}</div></section>"


def _turntable(report: Report) -> str:
    if report.turntable is None:
        return ""
    data = base64.b64encode(report.turntable.read_bytes()).decode()
    return (
        "<section><h2>Turntable <small>splats</small></h2><video autoplay muted loop playsinline controls "
        f"src='data:video/mp4;base64,{data}'></video></section>"
    )


def _trouble(report: Report) -> str:
    """Draw each frame's worst figure by its limit."""
    if report.verdict is None:
        return ""
    values, dropped = report.verdict["frame_trouble"], set(report.verdict["dropped_frames"])
    top = max(1.25, min(max(values), 4.0) * 1.05)
    width, height = 480, 160
    step = width / len(values)
    bars = []
    for index, value in enumerate(values):
        tall = height * min(value, top) / top
        kind = "left-out" if index in dropped else "over" if value > 1 else "fine"
        bars.append(
            f"<rect class='{kind}' x='{index * step + 0.15 * step:.1f}' y='{height - tall:.1f}' "
            f"width='{0.7 * step:.1f}' height='{tall:.1f}'><title>frame {index}: {value:.2f}</title></rect>"
        )
    line = height * (1 - 1 / top)
    return (
        "<section><h2>Frames <small>worst figure of each by its limit</small></h2>"
        f"<svg viewBox='0 0 {width} {height + 18}' role='img' aria-label='trouble of each frame'>{''.join(bars)}"
        f"<line class='limit' x1='0' x2='{width}' y1='{line:.1f}' y2='{line:.1f}'/>"
        f"<text x='0' y='{height + 14}'>frame 0</text>"
        f"<text x='{width}' y='{height + 14}' text-anchor='end'>{len(values) - 1}</text></svg></section>"
    )


def _orbit(report: Report) -> str:
    """Draw where the cameras stood, from above and from the side, the subject in the middle.

    Where a witness estimated commanded cameras from the frames, its places are laid over them, joined by a line each.
    """
    centers, size = report.centers, 230
    seen = np.full_like(centers, np.nan) if report.witness_centers is None else report.witness_centers
    scale = size / 2 / (1.12 * max(float(np.nanmax(np.abs([centers, seen]))), 1e-9))
    kind = "estimated" if report.has_estimated_cameras else "known"
    legend = f"{len(centers)}, {kind}; the first is ringed"
    if report.witness_centers is not None:
        legend = f"{len(centers)} commanded, dark; estimated from the frames alone, in colour; the first is ringed"

    def view(left: float, name: str, axes: list[int]) -> str:
        spots, others = (
            np.array([left + size / 2, size / 2]) + scale * points[:, axes] * (1, -1) for points in (centers, seen)
        )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        dots = "".join(f"<circle class='camera' cx='{x:.1f}' cy='{y:.1f}' r='3'/>" for x, y in spots)
        x, y = spots[0]
        first = f"<circle class='first' cx='{x:.1f}' cy='{y:.1f}' r='5'/>"
        found = "".join(
            f"<line class='off' x1='{x:.1f}' y1='{y:.1f}' x2='{u:.1f}' y2='{v:.1f}'/>"
            f"<circle class='witness' cx='{u:.1f}' cy='{v:.1f}' r='3'/>"
            for (x, y), (u, v) in zip(spots, others, strict=True)
            if np.isfinite(u)
        )
        return (
            f"<circle class='subject' cx='{left + size / 2}' cy='{size / 2}' r='12'/>"
            f"<polyline points='{path}'/>{dots}{first}{found}<text x='{left + 6}' y='14'>{name}</text>"
        )

    above, beside = view(0, "from above", [0, 1]), view(size + 20, "from the side", [0, 2])
    return (
        f"<section><h2>Cameras <small>{legend}</small></h2>"
        f"<svg class='orbit' viewBox='0 0 {2 * size + 20} {size}' role='img' aria-label='where the cameras stood'>"
        f"{above}{beside}</svg></section>"
    )


def _mesh(report: Report) -> str:
    facts = report.manifest["files"].get("mesh.glb")
    if facts is None:
        return ""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)} <small>{escape(meaning)}</small></td></tr>"
        for name, value, meaning in described(facts)
    )
    return f"<section><h2>Mesh <small>mesh.glb</small></h2><table>{rows}</table></section>"


def _provenance(report: Report) -> str:
    manifest = report.manifest
    facts = {"statement": manifest["provenance"]["statement"]}
    facts |= {key: manifest[key] for key in ("prompt", "caption", "seed", "world") if key in manifest}
    if "source" in manifest:
        facts |= {"edit of": manifest["source"]["name"], "whose caption is": manifest["source_caption"]}
    if "input" in manifest:
        facts |= {"input": manifest["input"]["name"], "SHA-256 of it": manifest["input"]["sha256"]}
    if "captioner" in manifest:
        captioner = manifest["captioner"]
        facts["captioner"] = f"{captioner['name']} ({captioner['licence']}): {captioner['note']}"
    if "weights" in manifest:
        weights = manifest["weights"]
        facts |= {"model": f"{weights['name']} ({weights['licence']})"}
        facts |= {name: weights[key] for key, name in WEIGHTS.items() if key in weights}
    facts["version"] = f"vid2three {manifest['versions']['vid2three']}"
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items())
    links = "".join(f"<li><a href='{escape(name, quote=True)}'>{escape(name)}</a></li>" for name in report.files)
    settings = escape(json.dumps(manifest["config"], indent=1, ensure_ascii=False))
    return (
        f"<section><h2>Where it comes from</h2><table>{rows}</table>"
        f"<h2>Make it again</h2><pre>{escape(command(manifest))}</pre>"
        f"<details><summary>All settings</summary><pre>{settings}</pre></details>"
        f"<h2>Files</h2><ul class='files'>{links}</ul></section>"
    )


def command(manifest: dict[str, Any]) -> str:
    """Return the command line that makes the asset again: what was asked, the seed, settings that are no defaults."""
    if manifest["command"] == "edit":
        return _edit_command(manifest)
    what = manifest["prompt"] if "prompt" in manifest else f"PATH/TO/{manifest['input']['name']}"
    config, usual = dict(manifest["config"]), asdict(usual_config(manifest))
    words = ["vid2three", manifest["command"], what, "--seed", str(manifest["seed"])]
    if "generator" in config:
        words += ["--generator", config["generator"]["family"]]
        config["generator"] = {key: value for key, value in config["generator"].items() if key != "family"}
    if "masks_sha256" in manifest.get("input", {}):
        words += ["--masks", "PATH/TO/MASKS"]
    return shlex.join([*words, *_flags(config, usual)])


def _edit_command(manifest: dict[str, Any]) -> str:
    """Return the command line of an edit; all other settings are those of the asset that it changes."""
    said = [manifest["instruction"]] if manifest["instruction"] else ["--prompt", manifest["prompt"]]
    words = ["vid2three", "edit", f"PATH/TO/{manifest['source']['name']}", *said, "--seed", str(manifest["seed"])]
    return shlex.join([*words, *_flags(manifest["edit"], asdict(EditConfig()))])


def _flags(config: dict[str, Any], usual: dict[str, Any], place: str = "") -> list[str]:
    """Return the flags of all settings that differ from the usual ones."""
    found = []
    for name, value in config.items():
        value = tuple(value) if isinstance(value, list) else value  # JSON has no tuples
        flag = f"{place}{name.replace('_', '-')}"
        if isinstance(value, dict):
            found += _flags(value, usual.get(name, {}), f"{flag}.")
        elif isinstance(value, bool) and value != usual.get(name):
            found.append(f"--{flag}" if value else f"--{place}no-{name.replace('_', '-')}")
        elif value != usual.get(name):
            found += [f"--{flag}", *(map(str, value) if isinstance(value, (list, tuple)) else [str(value)])]
    return found


def _embedded(picture: np.ndarray) -> str:
    """Return a picture [H,W,3] as the address of a JPEG that lies in the page."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


STYLE = """
:root{--page:#f4f4f1;--tile:#fff;--ink:#1c1c1e;--faint:#6b6b70;--edge:#e2e2dd;--good:#1d7a46;--fair:#a06a00;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--page:#161618;--tile:#202023;--ink:#eee;--faint:#9a9aa0;--edge:#333338;
--good:#5cc98a;--fair:#e0a93b;--bad:#ff7a70}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1060px;margin:0 auto;padding:20px 16px 60px}h1{margin:8px 0 0;font-size:1.9rem;line-height:1.2;
overflow-wrap:anywhere}h2{font-size:1.05rem;margin:28px 0 8px}small,.faint{color:var(--faint);font-weight:400}
.faint{margin:4px 0 18px}.verdict{border-left:6px solid var(--faint);background:var(--tile);padding:14px 18px;
border-radius:6px}.verdict strong{font-size:1.3rem}.verdict p{margin:2px 0 0}
.verdict ul{margin:8px 0 0;padding-left:20px}
.accept{border-color:var(--good)}.accept strong{color:var(--good)}.repaired{border-color:var(--fair)}
.repaired strong{color:var(--fair)}.refused{border-color:var(--bad)}.refused strong{color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin-top:14px}
.figures div{background:var(--tile);border:1px solid var(--edge);border-radius:8px;padding:12px}
.figures b{display:block;font-size:1.5rem;line-height:1.2}.figures span{color:var(--faint);font-size:.82rem}
.strip{display:flex;gap:8px;overflow-x:auto}.strip figure{flex:1 0 112px;margin:0;position:relative}
.strip img{display:block;width:100%;border-radius:6px;border:1px solid var(--edge);background:#fff}
figcaption{color:var(--faint);font-size:.8rem;text-align:center}video{width:min(100%,480px);border-radius:8px;
border:1px solid var(--edge)}svg{width:100%;background:var(--tile);border:1px solid var(--edge);
border-radius:8px;padding:8px}
svg text{fill:var(--faint);font-size:12px}.fine{fill:var(--good)}.over{fill:var(--bad)}.left-out{fill:var(--faint)}
.limit{stroke:var(--ink);stroke-dasharray:4 4}.subject{fill:var(--edge)}polyline{fill:none;stroke:var(--faint)}
.camera{fill:var(--ink)}.witness{fill:var(--fair)}
.off{stroke:var(--fair)}.open{display:inline-block;margin:14px 8px 0 0;padding:9px 18px;border-radius:99px;
background:var(--ink);color:var(--page);text-decoration:none;font-weight:600}
.first{fill:none;stroke:var(--bad);stroke-width:2}.pair{display:grid;gap:0 20px;
grid-template-columns:repeat(auto-fit,minmax(300px,1fr))}table{border-collapse:collapse;width:100%}
th{font-weight:400;color:var(--faint);text-align:left;vertical-align:top;padding:4px 16px 4px 0;white-space:nowrap}
td{padding:4px 0;overflow-wrap:anywhere}tr{border-bottom:1px solid var(--edge)}pre{background:var(--tile);
border:1px solid var(--edge);border-radius:8px;padding:12px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.files{columns:2;padding-left:20px}a{color:inherit}
"""
