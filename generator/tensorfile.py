"""Reading safetensors files that a training may be replacing at the same moment.

``safe_open(..., framework="pt")`` opens a file twice by its name, for the header and for the tensors; if it
is replaced in between, the two do not belong together.  Here each file is opened once.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load
from torch import Tensor


def read_metadata(path: Path) -> dict[str, str]:
    """Return the words in the header; the tensors are not read.  Raises SafetensorError or OSError."""
    with safe_open(path, framework="np") as stored:
        return stored.metadata() or {}


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the words in the header, and the tensors, of one moment.  Raises SafetensorError or OSError."""
    content = path.read_bytes()
    tensors = load(content)  # checks the header
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header.get("__metadata__", {}), tensors


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
