"""A folder of results: what is finished stays finished, whenever the run is killed.

``results.jsonl`` is only ever appended to while measuring: the lines of one step go into one write that is
forced onto the disk, and each line says how many they are, so that a step of which a part is missing counts
as not done.  ``arrays/`` holds one ``.npz`` for each row, there before its lines are.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.results import Record, Results, RowRecord, from_json, kind_of, to_json
from faces.errors import DataError
from faces.files import write_durably

RESULTS_FILE = "results.jsonl"
ARRAYS_FOLDER = "arrays"


@dataclass(frozen=True)
class Entry:
    """What one step wrote; ``identity`` is a hash over everything that it depends on."""

    identity: str
    records: tuple[Record, ...]


def identity_of(**parts: object) -> str:
    """12 hexadecimal digits that stand for these named words and numbers."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_results(folder: Path) -> Results:
    """Everything that is finished in a folder of results; raises DataError where there is nothing."""
    entries = _read(folder / RESULTS_FILE)
    if not entries:
        raise DataError(
            f"{folder} holds no results; make them with: anotheryou benchmark DATA --out {folder}"
        )
    results = Results()
    for entry in entries:
        for record in entry.records:
            results.add(record)
    return results


def read_arrays(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of ``RowRecord.arrays``; raises DataError where they are missing or damaged."""
    path = folder / ARRAYS_FOLDER / name
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove {path.parent} and measure again.") from None


class Journal:
    """The results of a folder while they are being made.

    Opening it makes the folder.  Raises DataError where it cannot be written, or holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / RESULTS_FILE
        try:
            (folder / ARRAYS_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        self._entries = {entry.identity: entry for entry in _read(self._path)}

    def __contains__(self, identity: str) -> bool:
        """Whether the step of this identity is finished; what was unavailable is to be tried again."""
        entry = self._entries.get(identity)
        return entry is not None and not any(
            isinstance(record, RowRecord) and record.unavailable for record in entry.records
        )

    @property
    def results(self) -> Results:
        """Everything that is finished."""
        results = Results()
        for entry in self._entries.values():
            for record in entry.records:
                results.add(record)
        return results

    def records(self, identity: str) -> tuple[Record, ...]:
        """What a finished step wrote."""
        return self._entries[identity].records

    def keep(self, dataset: str, valid: Collection[str]) -> None:
        """Forget what is known of a set of faces but for the steps named in ``valid``, and tidy the folder.

        Results of other sets stay.
        """
        self._entries = {
            identity: entry
            for identity, entry in self._entries.items()
            if identity in valid or all(record.dataset != dataset for record in entry.records)
        }
        used = {record.arrays for record in self.results.rows}
        try:
            write_durably(self._path, "".join(_lines(entry) for entry in self._entries.values()).encode())
            for path in (self.folder / ARRAYS_FOLDER).iterdir():
                if path.name not in used:
                    path.unlink()
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def append(self, identity: str, records: Sequence[Record]) -> None:
        """Add the records of a step, on the disk when this returns."""
        entry = Entry(identity, tuple(records))
        try:
            with self._path.open("ab") as file:
                file.write(_lines(entry).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        self._entries[identity] = entry

    def save_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write ``arrays/NAME``, whole or not at all."""
        path = self.folder / ARRAYS_FOLDER / name
        partial = path.with_name(path.name + ".part")
        try:
            with partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise _unwritable(self.folder, error) from None


def _lines(entry: Entry) -> str:
    head = {"identity": entry.identity, "of": len(entry.records)}
    return "".join(
        json.dumps({"kind": kind_of(record), **head, **to_json(record)}, ensure_ascii=False) + "\n"
        for record in entry.records
    )


def _read(path: Path) -> list[Entry]:
    """The finished steps of a file, none where it does not exist; a torn end is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None
    found: dict[str, list[Record]] = {}
    wanted: dict[str, int] = {}
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last line break is torn
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            kind, identity, of = (content.pop(name) for name in ("kind", "identity", "of"))
            record = from_json(kind, content)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(
                f"{path}, line {number} is not a result of this version; choose another folder."
            ) from None
        records = found.setdefault(identity, [])
        if len(records) == wanted.get(identity):
            records.clear()  # it was measured again
        records.append(record)
        wanted[identity] = of
    return [
        Entry(identity, tuple(records))
        for identity, records in found.items()
        if len(records) == wanted[identity]
    ]


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(f"{folder} cannot be written ({error.strerror}).")
