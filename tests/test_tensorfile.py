"""Tensor files are read as of one moment, though somebody replaces them meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from generator.available import read_metadata
from generator.checkpoint import read_tensors

SIZES = (1000, 2000)
REPLACE_AGAIN_AND_AGAIN = """
import os
while True:
    for size in ("1000", "2000"):
        os.link(size, "next")
        os.replace("next", "tensors")
"""


def write(path: Path, size: int) -> None:
    save_file({"numbers": torch.full((size,), float(size))}, path, metadata={"size": str(size)})


def test_reads_words_and_tensors(tmp_path: Path) -> None:
    write(tmp_path / "tensors", 3)
    words, tensors = read_tensors(tmp_path / "tensors")
    assert words == read_metadata(tmp_path / "tensors") == {"size": "3"}
    assert tensors["numbers"].tolist() == [3.0, 3.0, 3.0]


def test_file_without_words_has_none(tmp_path: Path) -> None:
    save_file({"numbers": torch.zeros(2, dtype=torch.bfloat16)}, tmp_path / "tensors")
    assert read_metadata(tmp_path / "tensors") == {} == read_tensors(tmp_path / "tensors")[0]


@pytest.mark.parametrize("content", [b"", b"\x05", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}" + b"\0" * 7])
def test_damaged_file_is_a_known_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tensors").write_bytes(content)
    for read in (read_metadata, read_tensors):
        with pytest.raises(SafetensorError):
            read(tmp_path / "tensors")


def test_words_and_tensors_are_of_one_moment_while_the_file_is_replaced(tmp_path: Path) -> None:
    for size in SIZES:
        write(tmp_path / str(size), size)
    write(tmp_path / "tensors", SIZES[0])
    seen: Counter[str] = Counter()
    with subprocess.Popen([sys.executable, "-c", REPLACE_AGAIN_AND_AGAIN], cwd=tmp_path) as replacing:
        try:
            while replacing.poll() is None and (len(seen) < 2 or min(seen.values()) < 1000):
                assert read_metadata(tmp_path / "tensors")["size"] in {"1000", "2000"}
                words, tensors = read_tensors(tmp_path / "tensors")
                assert len(tensors["numbers"]) == int(words["size"])
                seen[words["size"]] += 1
        finally:
            replacing.kill()
    assert set(seen) == {"1000", "2000"}
