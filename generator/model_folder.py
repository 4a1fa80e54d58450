"""Where a model of the user's lies: a folder, or a name on the Hugging Face hub that has been downloaded, or may be.

Nothing goes over the network unless `allow_download` is set. Nothing of a folder is trusted: names inside it stay
inside it, and what is read here has a limit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HUB_NAME = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
PLAIN_NAME = r"[A-Za-z0-9_][\w.-]*"  # of a file or folder: no separator, no ".."
CARDS = ("README.md", "LICENSE*", "LICENCE*", "NOTICE*")
MOST_TEXT = 2**20  # bytes read of a card or of settings; index files of large models have some 100 KB
MOST_INDEX = 2**26
WHOLE, BLOCK, BLOCKS = 2**20, 2**18, 16  # bytes up to which a file is hashed whole, and what is of others
AGAIN = "copy or download it again"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
LICENCES = {  # first words of a LICENSE file, in lower case, and the licence's usual name
    "apache license": "apache-2.0",
    "mit license": "mit",
    "nvidia open model license": "nvidia-open-model-license",
    "stability ai community license": "stabilityai-ai-community",
    "tencent hunyuan community license": "tencent-hunyuan-community",
}


@dataclass(frozen=True)
class ModelFolder:
    """A model that is there."""

    folder: Path
    name: str
    """Its name on the hub, or that of its folder."""


def find_model(model: str, what: str, patterns: Iterable[str], *, allow_download: bool = False) -> ModelFolder:
    """Return the folder of a model that is named by a path or by its name on the hub.

    `what` says what it is, for messages; `patterns` are the files to fetch. Raises FileNotFoundError or ValueError, in
    one sentence with the cure, where it is not there and may not, or cannot, be downloaded.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return ModelFolder(path, _folder_name(path))
    if path.exists():
        raise ValueError(f"{model} is a file; pass {what} as a folder in the format of Hugging Face (save_pretrained).")
    if not re.fullmatch(HUB_NAME, model) or ".." in model:
        raise FileNotFoundError(f"There is no folder {model}; pass {what} as a folder, or by its name on the hub.")
    return ModelFolder(_snapshot(model, what, list(patterns), allow_download), model)


def _snapshot(name: str, what: str, patterns: list[str], allow_download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=not allow_download))
    except GatedRepoError as error:
        cure = f"accept them at https://huggingface.co/{name} and log in with `hf auth login`"
        raise ValueError(f"{name} is given only to those who accept its terms: {cure}.") from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(f"The Hugging Face hub has no {name}; check the name, or pass a folder.") from error
    except LocalEntryNotFoundError as error:
        if allow_download:
            raise ValueError(
                f"The Hugging Face hub cannot be reached for {name}: go online, or pass a folder."
            ) from None
        raise FileNotFoundError(
            f"There is no folder {name}, and nothing, or only a part, of {what} with that name has been downloaded: "
            "pass --allow-download to fetch it from the Hugging Face hub, or the path of a folder."
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read settings of a model. Raises FileNotFoundError or ValueError that names the file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no {path.name}: copy or download the model again.")
    if path.stat().st_size > MOST_INDEX:
        raise ValueError(f"{path} has {path.stat().st_size} bytes: more than settings need.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON: copy or download the model again.") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold settings by name, not {type(values).__name__}.")
    return values


def weight_files(folder: Path, variant: str = "") -> list[Path]:
    """Return the safetensors of one network, all of them there.

    Raises ValueError or FileNotFoundError, with the cure, where there are none, only pickled ones, which can run code
    when they are read, only those of another variant, or where a part is missing.
    """
    stem = f".{variant}" if variant else ""
    all_files = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    indices = sorted(folder.glob(f"*.safetensors.index{stem}.json"))
    if indices:
        parts = set(map(str, read_json(indices[0]).get("weight_map", {}).values()))
        missing = sorted(part for part in parts if not re.fullmatch(PLAIN_NAME, part) or not (folder / part).is_file())
        if missing or not parts:
            raise FileNotFoundError(
                f"{folder} lacks {(missing or ['its weights'])[0]}: the model is there in part; {AGAIN}."
            )
        return [folder / part for part in sorted(parts)]
    fitting = [path for path in all_files if _variant(path) == variant]
    if fitting:
        return fitting
    others = sorted({_variant(path) for path in all_files} - {""})
    if others:
        there = f"--generator.variant {others[0]}" if len(others) == 1 else f"one of {', '.join(others)}"
        raise ValueError(f"{folder} holds no {variant or 'plain'} weights but a variant of them: pass {there}.")
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickled:
        raise ValueError(
            f"{folder} holds pickled weights alone ({pickled[0]}), which can run code when they are read: take a copy "
            "of the model with safetensors, or, where you trust it, load it and write it by save_pretrained."
        )
    raise FileNotFoundError(f"{folder} holds no weights: the model is there in part; {AGAIN}.")


def licence_of(folder: Path) -> str:
    """Return the licence that a model's card or LICENSE file names; "unknown" where neither does."""
    front = _front_matter(folder / "README.md")
    named = {key: value.strip().strip("'\"") for key, value in re.findall(r"(?m)^(license\w*):[ \t]*(\S.*)$", front)}
    licence = named.get("license", "")
    if licence in ("", "other"):
        licence = named.get("license_name", licence)
    if licence and licence != "other":
        return _printable(licence)
    for path in sorted([*folder.glob("LICEN[SC]E*"), *folder.glob("licen[sc]e*")]):
        lines = [" ".join(line.strip("#* ").split()) for line in _head(path).splitlines()]
        text = next((line for line in lines if line), "")
        if text:
            known = (usual for start, usual in LICENCES.items() if text.lower().startswith(start))
            return next(known, f"{_printable(text)} ({path.name})")
    return licence or "unknown"


def fingerprint(folder: Path, files: Iterable[Path]) -> str:
    """Return a SHA-256 that tells a model from others: over names, sizes, small files whole, and blocks of large ones.

    Weights of many gigabytes are read in 16 places each, which any training changes, instead of for minutes.
    """
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size};".encode())
        with path.open("rb") as file:
            if size <= WHOLE + BLOCK * BLOCKS:
                digest.update(file.read())
                continue
            digest.update(file.read(WHOLE))  # the header of safetensors
            for k in range(BLOCKS):
                file.seek(WHOLE + (size - WHOLE - BLOCK) * k // (BLOCKS - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest()


def _variant(path: Path) -> str:
    """Return fp16 of model.fp16.safetensors and of model.fp16-00001-of-00002.safetensors."""
    return re.sub(r"-\d+-of-\d+$", "", path.stem).partition(".")[2]


def _folder_name(path: Path) -> str:
    path = path.resolve()
    if path.parent.name == "snapshots" and path.parent.parent.name.startswith("models--"):  # the hub's cache
        return path.parent.parent.name.removeprefix("models--").replace("--", "/")
    return path.name


def _front_matter(path: Path) -> str:
    found = re.match(r"---\s*\n(.*?)\n---", _head(path), re.DOTALL)
    return found[1] if found else ""


def _head(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(MOST_TEXT).decode("utf-8", "replace").lstrip("\ufeff").replace("\r\n", "\n")


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:80]
