"""The stage in which a language model of the user's says the prompt more fully: caption.json."""

from __future__ import annotations

import json

from generator.captioner import Captioner, Style, find_captioner, settle, write
from generator.config import GenerateConfig, VideoModelConfig
from vid2three.run import Progress, Run, StageFiles

__all__ = ["CAPTION", "caption", "checked"]

CAPTION = "caption.json"


def checked(config: GenerateConfig | VideoModelConfig, *, allow_download: bool = False) -> Captioner | None:
    """Return the captioner that is asked for, None where none is; checked, with the cure. Nothing is loaded."""
    if not 0 <= config.captioner_temperature <= 5:
        raise ValueError(f"captioner_temperature must lie between 0 and 5, not at {config.captioner_temperature}.")
    return find_captioner(config.captioner, allow_download=allow_download) if config.captioner else None


def caption(run: Run, captioner: Captioner | None, temperature: float, style: Style, progress: Progress) -> str:
    """Prompt to caption.json, and return the words to go on with; without a captioner the prompt as it is."""
    prompt, seed = run.manifest["prompt"], run.manifest["seed"]
    if captioner is None:
        run.forget("caption")
        return prompt
    facts = captioner.facts

    def work(files: StageFiles) -> None:
        written = write(captioner, prompt, style, temperature=temperature, seed=seed)
        settled = settle(captioner, prompt, written, style)
        progress("caption", 1, 1, {"notes": [settled.note]})
        told = {**facts, "written": written, "is_used": settled.is_used, "note": settled.note, "words": settled.words}
        with files.file(CAPTION) as path:
            path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    drawn = {"temperature": temperature, "seed": seed} if temperature > 0 else {}
    settings = {"prompt": prompt, "style": style, "captioner": facts["fingerprint"], **drawn}
    run.stage("caption", settings, [], work, progress)
    told = json.loads(run.path(CAPTION).read_text(encoding="utf-8"))
    run.manifest["captioner"] = told
    run.save()
    return told["words"]
