"""Which numbers a network runs in is measured once per kind of processor, and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from generator import devices
from generator.devices import pick_precision, prefers_bfloat16

CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that remembers, of a processor that says it multiplies bfloat16."""
    monkeypatch.setattr(devices, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    devices._measured.cache_clear()
    yield tmp_path / "cache" / "bfloat16.json"
    devices._measured.cache_clear()


def timed(monkeypatch: pytest.MonkeyPatch, bfloat16: float) -> list[torch.dtype]:
    """Let bfloat16 take so many seconds and float32 one; returns what has been timed, as it goes on."""
    asked: list[torch.dtype] = []

    def seconds(dtype: torch.dtype) -> float:
        asked.append(dtype)
        return bfloat16 if dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(devices, "_seconds", seconds)
    return asked


@pytest.mark.parametrize(("bfloat16", "chosen"), [(0.6, torch.bfloat16), (1.6, torch.float32)])
def test_auto_is_what_is_quicker_and_is_measured_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch, bfloat16: float, chosen: torch.dtype
) -> None:
    asked = timed(monkeypatch, bfloat16)
    assert pick_precision("auto", CPU) == pick_precision("auto", CPU) == chosen
    assert len(asked) == 2
    devices._measured.cache_clear()  # as another process
    assert pick_precision("auto", CPU) == chosen and len(asked) == 2
    assert list(json.loads(cache.read_text()).values()) == [chosen == torch.bfloat16]


def test_another_processor_is_measured_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    assert prefers_bfloat16(CPU)
    devices._measured.cache_clear()
    monkeypatch.setattr(devices, "_processor", lambda: "another")
    timed(monkeypatch, 2.0)
    assert not prefers_bfloat16(CPU)
    assert sorted(json.loads(cache.read_text()).values()) == [False, True]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"x": 1}', "null"])
def test_a_damaged_memory_is_measured_anew(
    cache: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    timed(monkeypatch, 0.5)
    assert prefers_bfloat16(CPU)
    assert True in json.loads(cache.read_text()).values()


def test_nothing_is_lost_if_nothing_can_be_remembered(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("a file where the folder should be")
    timed(monkeypatch, 0.5)
    assert prefers_bfloat16(CPU)


def test_processors_without_bfloat16_are_not_timed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    asked = timed(monkeypatch, 0.5)
    assert pick_precision("auto", CPU) == torch.float32 and not asked


def test_a_convolution_takes_time_and_a_processor_has_a_name() -> None:
    assert 0 < devices._seconds(torch.float32) < 60
    assert devices._processor()
