"""Clean versions of ready crops: what a network that is shown a photograph had better draw.

The clean version of ``0100/a.png`` is ``0100/clean/a.png``: the same person in the same light, as a studio's
camera would have taken them, in the labelled pose exactly, before a plain wall, sharp and well cropped.
What a photograph shows beside person, pose and light cannot be foretold, and a network asked for it draws
the blurred mean of all there could be.
"""

from __future__ import annotations

from pathlib import PurePosixPath

CLEAN_FOLDER = "clean"


def clean_name(file: str) -> str:
    """Where the clean version of the picture ``file`` lies inside a labelled folder."""
    path = PurePosixPath(file)
    return str(path.parent / CLEAN_FOLDER / path.name)
