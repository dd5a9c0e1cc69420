"""Whose folder it is: a training's own, another's, or one that is being trained in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from faces.errors import TrainingError
from faces.files import write_durably

IDENTITY_FILE = "training.json"


@contextlib.contextmanager
def claimed(out: Path, identity: dict[str, object]) -> Iterator[None]:
    """Make ``out`` this training's folder and keep other processes from training in it meanwhile.

    Raises TrainingError if it is another training's, saying what differs, holds other things, or is in use.
    """
    path = out / IDENTITY_FILE
    if path.is_file():
        _compare(path, identity)
    else:
        if out.exists() and (not out.is_dir() or any(one.suffix != ".partial" for one in out.iterdir())):
            raise TrainingError(f"{out} is not empty and holds no training; name another --out folder.")
        out.mkdir(parents=True, exist_ok=True)
        write_durably(path, (json.dumps(identity, indent=2, sort_keys=True) + "\n").encode())
    with _locked(path, out):
        yield


def _compare(path: Path, identity: dict[str, object]) -> None:
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise TrainingError(f"{path} is damaged; delete the folder to start again.") from None
    if '"rate"' in json.dumps(old):
        raise TrainingError(
            f"{path.parent} holds a training of an earlier version, which this one cannot go on with; its "
            "weights stay usable. Name another --out folder."
        )
    differing = _differences(old, json.loads(json.dumps(identity)))
    if differing:
        raise TrainingError(
            f"{path.parent} holds another training ({', '.join(differing)}); name another --out folder, or "
            "give the same settings to go on."
        )


def _differences(old: object, new: object, name: str = "") -> list[str]:
    """Which settings differ, as ``recipe.batch_size: 32 there, 128 here``."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in _differences(old.get(key), new.get(key), f"{name}.{key}" if name else str(key))
        ]
    return [] if old == new else [f"{name}: {old} there, {new} here"]


@contextlib.contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Hold the system's lock on a file, which a killed process loses by itself."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        yield
        return
    with path.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"Another process is training in {out}; wait for it, or name another --out."
            ) from None
        yield
