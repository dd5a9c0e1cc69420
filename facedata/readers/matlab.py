"""Variables of MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facedata.readers.common import LeftOutError


def read_mat(path: Path, *names: str) -> dict[str, Any]:
    """The named variables of a MATLAB file as far as it has them; raises LeftOutError."""
    from scipy.io import loadmat

    try:
        found: dict[str, Any] = loadmat(str(path), variable_names=names, appendmat=False)
    # A damaged file makes the reader raise nearly anything, and one bad file must never stop an import.
    except Exception as error:
        raise LeftOutError(f"{path.name} is no MATLAB file that can be read ({error})") from None
    return {name: found[name] for name in names if name in found}
