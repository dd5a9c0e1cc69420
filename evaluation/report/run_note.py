"""How a folder of results was made: the commands and the versions, kept beside the numbers."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from faces.errors import DataError

FILE = "run.json"
_PACKAGES = ("anotheryou", "torch", "numpy", "scikit-learn", "dlib-bin", "pillow")


@dataclass(frozen=True)
class RunNote:
    """``commands`` as they are typed, in the order in which they first ran; ``versions`` by name."""

    commands: tuple[str, ...]
    versions: dict[str, str]


def note_run(folder: Path, command: Sequence[str]) -> None:
    """Add a command, given word by word, to ``run.json`` in a folder of results, with today's versions.

    Raises DataError where the folder cannot be written.
    """
    known = read_run(folder)
    typed = shlex.join(command)
    commands = [one for one in (known.commands if known else ()) if one != typed]
    note = RunNote((*commands, typed), _versions())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(note), ensure_ascii=False, indent=1)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}).") from None


def read_run(folder: Path) -> RunNote | None:
    """What ``note_run`` wrote, None where nothing was; raises DataError where the file is damaged."""
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return RunNote(tuple(map(str, content["commands"])), dict(content["versions"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it.") from None


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
