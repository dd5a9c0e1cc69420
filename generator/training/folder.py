"""The folder that a training writes to: one process at a time, one training for ever."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from faces.claims import claimed as claimed_folder
from faces.errors import TrainingError

IDENTITY_FILE = "training.json"


def claimed(out: Path, identity: dict[str, object]) -> AbstractContextManager[None]:
    """Make ``out`` this training's folder and keep other processes from training in it meanwhile.

    Raises TrainingError if it is another training's (it says what differs) or an earlier
    version's, holds other things, or is in use.
    """
    path = out / IDENTITY_FILE
    if path.is_file() and b'"rate"' in path.read_bytes():
        raise TrainingError(
            f"{out} holds a training of an earlier version, which this one cannot go on with; its weights "
            "stay usable. Name another --out folder."
        )
    return claimed_folder(out, identity, file=IDENTITY_FILE, what="training", error=TrainingError)
