"""Lists of what to make, .txt, .csv, .tsv or .jsonl, to rows; what a row means stands in vid2three.batches.jobs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")
MOST_BYTES = 16 * 2**20
MOST_ROWS = 10_000
DELIMITERS = ",;\t"  # spreadsheets of half of Europe write semicolons


@dataclass(frozen=True)
class Row:
    """One row: where it stands, for messages, and its cells that are not empty."""

    place: str
    values: Mapping[str, Any]


class Mistakes(ValueError):
    """All that is wrong with a list; `lines` has one sentence for each."""

    def __init__(self, source: str, lines: list[str]):
        self.source, self.lines = source, lines
        count = "One mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        super().__init__(f"{count} in {source}, so nothing was started. {' '.join(lines)}")


def load_rows(source: Path | str | Iterable[str | Mapping[str, Any]]) -> tuple[list[Row], str]:
    """Return the rows of a file, or of prompts and mappings, and what to call the source.

    Raises FileNotFoundError or ValueError, with the cure; Mistakes where single lines cannot be read.
    """
    if not isinstance(source, (Path, str)):
        given = [({"prompt": row} if isinstance(row, str) else dict(row)) for row in source]
        return _some([Row(f"Row {k}", row) for k, row in enumerate(given, start=1)], "the rows"), "the rows"
    path = Path(source)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path.name} is no list that can be read; its name must end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no list {path}.")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes; lists of up to {MOST_BYTES} are read.")
    try:
        text = path.read_text(encoding="utf-8-sig")  # Excel marks its UTF-8
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8; save it as UTF-8.") from None
    readers = {".txt": _lines, ".csv": _table, ".tsv": _table, ".jsonl": _objects}
    return _some(readers[path.suffix.lower()](text, path.name), path.name), path.name


def _some(rows: list[Row], source: str) -> list[Row]:
    if not rows:
        raise ValueError(f"There is nothing to make in {source}.")
    if len(rows) > MOST_ROWS:
        raise ValueError(f"{source} has {len(rows)} rows; up to {MOST_ROWS} go into one batch.")
    return rows


def _lines(text: str, source: str) -> list[Row]:
    """A prompt a line; empty lines and those that begin with # say nothing."""
    numbered = enumerate((line.strip() for line in text.splitlines()), start=1)
    return [Row(f"Line {k}", {"prompt": line}) for k, line in numbered if line and not line.startswith("#")]


def _table(text: str, source: str) -> list[Row]:
    """A header and a row an asset, between commas, semicolons or tabs, whichever the header has most of."""
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, wrong = [], []
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(set(names)) < len(names):
            raise ValueError(f"A column stands twice in the first line of {source}: {', '.join(names)}.")
        while True:
            place = f"Line {reader.line_num + 1}"  # where it begins: a quoted cell may go over several
            cells = next(reader, None)
            if cells is None:
                break
            if len(cells) > len(names):
                wrong.append(f"{place}: {len(cells)} cells, but {len(names)} columns; put quotes around a comma.")
                continue
            found = {name: cell.strip() for name, cell in zip(names, cells) if cell.strip()}
            if found:
                rows.append(Row(place, found))
    except csv.Error as error:
        raise ValueError(f"{source}, line {reader.line_num}: {error}.") from None
    if wrong:
        raise Mistakes(source, wrong)
    return rows


def _objects(text: str, source: str) -> list[Row]:
    """A JSON object a line."""
    rows, wrong = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            wrong.append(f"Line {number}: this is not JSON ({error}).")
            continue
        if isinstance(value, dict):
            rows.append(Row(f"Line {number}", value))
        else:
            wrong.append(
                f'Line {number}: a row is an object such as {{"prompt": "a red mug"}}, not {line.strip()[:40]}.'
            )
    if wrong:
        raise Mistakes(source, wrong)
    return rows
