"""A language model of the user's that says a prompt in the words a generator knows, through transformers.

`find_captioner` looks at its folder, `write` lets it write, and `settle` decides whether what it wrote can be used: a
model may ramble, refuse, or speak of something else. What it wrote is data, read as a caption and as nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from safetensors import SafetensorError

from .caption import expand
from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS
from .model_folder import CARDS, ModelFolder, find_model, fingerprint, licence_of, read_json, weight_files
from .spelling import meant, split

Style = Literal["orbit", "film"]  # of the embedded model's captions, and of what video models were trained on
MOST_TOKENS = 160  # that it may write
MOST_WORDS: dict[Style, int] = {"orbit": 30, "film": 80}
VARIETY = 0.4  # share of its words that must differ: less is a stammer
FILES = (*CARDS, "*.json", "*.txt", "*.model", "*.jinja", "model.safetensors", "model-*-of-*.safetensors")
SMALL_WORDS = ("and", "for", "from", "into", "its", "that", "the", "this", "with")
UNREADABLE = (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)
FILM = (
    "You describe single objects for a video model. Rewrite the request as one plain English description of the object "
    "alone, in one or two sentences: its shape, parts, materials and colours, where each part sits. Keep everything "
    "that was asked for. Say nothing of cameras, backgrounds, people or feelings. Answer with the description only."
)
SHOTS: dict[Style, tuple[tuple[str, str], ...]] = {
    "orbit": (
        ("something shiny to drink coffee from, mostly red", "a glossy red mug with a red handle"),
        ("a scottie dog in the colour of coal", "a black dog"),
        ("grandma's tea pot, white with spots in blue", "a white teapot with blue polka dots"),
    ),
    "film": (
        (
            "a red mug",
            "A glossy red ceramic mug with straight sides, a rounded rim and one thick curved handle on its right.",
        ),
        (
            "pirate chest",
            "A wooden pirate chest of dark brown planks, its lid rounded, with iron bands and a square brass lock.",
        ),
    ),
}


@dataclass(frozen=True)
class Captioner:
    """A language model that is there."""

    model: ModelFolder
    licence: str
    fingerprint: str

    @property
    def facts(self) -> dict[str, Any]:
        """What an asset's manifest says about it."""
        return {"name": self.model.name, "licence": self.licence, "fingerprint": self.fingerprint}


@dataclass(frozen=True)
class Settled:
    """The words to go on with."""

    words: str
    is_used: bool
    """Whether they are the language model's, and not the user's own."""
    note: str
    """One sentence for the user."""


def find_captioner(model: str, *, allow_download: bool = False) -> Captioner:
    """Look at a language model's folder, without loading it.

    Raises ValueError or FileNotFoundError, in one sentence with the cure, where it is not there, or not whole, or no
    language model.
    """
    found = find_model(model, "the captioner", FILES, allow_download=allow_download)
    kinds = read_json(found.folder / "config.json").get("architectures") or []
    if not any(isinstance(kind, str) and kind.endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds):
        raise ValueError(f"{found.name} is no language model that writes on ({kinds}): pass one, such as a chat model.")
    tokenizers = [path for name in ("tokenizer*", "vocab*", "*.model") for path in found.folder.glob(name)]
    if not tokenizers:
        raise FileNotFoundError(f"{found.folder} holds no tokenizer: copy or download the model again.")
    files = [found.folder / "config.json", *tokenizers, *weight_files(found.folder)]
    return Captioner(found, licence_of(found.folder), fingerprint(found.folder, files))


def write(captioner: Captioner, prompt: str, style: Style, *, temperature: float = 0.0, seed: int = 0) -> str:
    """Let the language model write and return what it wrote, cleaned of marks, one line of bounded length.

    `temperature` 0 takes the likeliest word each time, above it words are drawn, by `seed` alone. Raises ValueError, in
    one sentence with the cure, where the folder cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder, rules = captioner.model.folder, {"local_files_only": True, "trust_remote_code": False}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **rules)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype="auto", **rules)
    except UNREADABLE as error:
        said = " ".join(str(error).split())[:200].rstrip(" .")
        raise ValueError(f"The captioner {captioner.model.name} cannot be loaded ({said}); take another.") from error
    model.eval().to(device)
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature > 0 else {"do_sample": False}
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    settings = GenerationConfig(max_new_tokens=MOST_TOKENS, eos_token_id=ends, pad_token_id=pad, **how)
    tokens = _tokens(tokenizer, prompt, style, _room(model.config)).to(device)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        written = model.generate(tokens, attention_mask=torch.ones_like(tokens), generation_config=settings)
    return _cleaned(tokenizer.decode(written[0, tokens.shape[1] :], skip_special_tokens=True), MOST_WORDS[style])


def settle(captioner: Captioner, prompt: str, written: str, style: Style) -> Settled:
    """Return what was written, or, where it is of no use, the prompt as it was, with a note that says which."""
    trouble = _trouble(prompt, written, style)
    name = captioner.model.name
    if trouble:
        return Settled(prompt, False, f"The captioner {name} {trouble}: the prompt is taken as it was.")
    return Settled(written, True, f"The captioner {name} says it as {written!r}.")


def _trouble(prompt: str, written: str, style: Style) -> str | None:
    words, asked = _words(written), _words(prompt)
    if not words:
        return "wrote nothing"
    if len(set(words)) < VARIETY * len(words):
        return "only stammered"
    if style == "film":
        content = [word for word in dict.fromkeys(asked) if len(word) > 2 and word not in SMALL_WORDS]
        lost = [word for word in content if not any(w[:4] == word[:4] for w in words)]
        return f"left out {', '.join(lost[:3])}" if 2 * len(lost) > len(content) else None
    return _beyond_vocabulary(prompt, written)


def _beyond_vocabulary(prompt: str, written: str) -> str | None:
    """Say what is wrong with a caption for the embedded model, which must name a thing that it knows."""
    try:
        after = expand(written)
    except ValueError:
        return "named no thing"
    if after.attributes is None:
        return f"named {after.noun!r}, which the model does not know"
    before = expand(prompt)
    if before.attributes is not None and before.attributes.category != after.attributes.category:
        return f"made a {after.attributes.category} of it"
    said = {meant(word) for word in split(written)}
    known = {*COLORS, *MATERIALS, *(word for pattern in PATTERNS for word in pattern.split())}
    lost = [word for word in map(meant, split(prompt)) if word in known and word not in said]
    return f"left out {', '.join(lost)}" if lost else None


def _tokens(tokenizer: Any, prompt: str, style: Style, room: int) -> torch.Tensor:
    """Return the numbers of the request, int64 [1,L]: with examples, or, in a small model, without them."""
    for shots in (SHOTS[style], ()):
        tokens = _request(tokenizer, prompt, style, shots)
        if tokens.shape[1] <= room - MOST_TOKENS:
            return tokens
    return tokens[:, -max(room - MOST_TOKENS, 1) :]


def _request(tokenizer: Any, prompt: str, style: Style, shots: tuple[tuple[str, str], ...]) -> torch.Tensor:
    task, asked = _system(style), " ".join(prompt.split())[:500]
    if getattr(tokenizer, "chat_template", None):
        pairs = [*shots, (asked, "")]
        pairs[0] = (f"{task}\n\n{pairs[0][0]}", pairs[0][1])  # not every chat model knows a system's part
        messages = [
            {"role": role, "content": text}
            for pair in pairs
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ][:-1]
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    examples = "".join(f"Request: {request}\nDescription: {answer}\n\n" for request, answer in shots)
    return tokenizer(f"{task}\n\n{examples}Request: {asked}\nDescription:", return_tensors="pt").input_ids


@cache
def _system(style: Style) -> str:
    """Return the task in words; the embedded model's vocabulary stands in it."""
    if style == "film":
        return FILM
    things = ", ".join(
        f"{name} ({known.main}, {known.second})" if known.second else name for name, known in CATEGORIES.items()
    )
    return (
        "Rewrite the request as one short noun phrase about one thing, in these words only. Things, each with its "
        f"parts: {things}. Colours: {', '.join(COLORS)}. Looks: {', '.join(MATERIALS)}. Patterns: "
        f"{', '.join(PATTERNS)}. Keep the thing and the colours that were asked for. Answer with the phrase only."
    )


def _room(config: Any) -> int:
    """Return how many tokens a model can hold."""
    return int(getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 2048)


def _cleaned(text: str, most: int) -> str:
    """Return the first line that says something, without thoughts, labels, marks and quotes; in whole sentences."""
    text = re.sub(r"(?s)<think>.*?(</think>|\Z)", "", text)
    lines = [
        re.sub(r"(?i)^(description|answer|caption|phrase)\s*:", "", line.strip(" #*`\"'“”-"))
        for line in text.splitlines()
    ]
    line = next((line for line in lines if any(letter.isalnum() for letter in line)), "")
    line = "".join(letter for letter in " ".join(line.split()) if letter.isprintable()).strip(" *`\"'“”")
    words = line.split(" ")
    if len(words) <= most:
        return line
    cut = " ".join(words[:most])
    end = max(cut.rfind(mark) for mark in ".!?")
    return cut[: end + 1] if end > 0 else cut


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())
