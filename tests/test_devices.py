"""Which numbers a network runs in is measured once per kind of processor, and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from generator import devices
from generator.devices import pick_precision, prefers_bfloat16, prefers_int8

CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that remembers, of a processor that says it multiplies bfloat16."""
    monkeypatch.setattr(devices, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    devices._measured.cache_clear()
    yield tmp_path / "cache" / "convolutions.json"
    devices._measured.cache_clear()


def timed(monkeypatch: pytest.MonkeyPatch, bfloat16: float, int8: float = 1.0) -> list[str]:
    """Let bfloat16 and int8 take so many seconds and float32 one; returns what is timed, as it goes on."""
    asked: list[str] = []

    def seconds(name: str) -> float:
        asked.append(name)
        return {"float32": 1.0, "bfloat16": bfloat16, "int8": int8}[name]

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
    assert list(json.loads(cache.read_text()).values()) == [{"float32": 1.0, "bfloat16": bfloat16}]


def test_another_processor_is_measured_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    assert prefers_bfloat16(CPU)
    devices._measured.cache_clear()
    monkeypatch.setattr(devices, "_processor", lambda: "another")
    timed(monkeypatch, 2.0)
    assert not prefers_bfloat16(CPU)
    assert [times["bfloat16"] for times in json.loads(cache.read_text()).values()] == [0.5, 2.0]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"x": 1}', "null"])
def test_a_damaged_memory_is_measured_anew(
    cache: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    timed(monkeypatch, 0.5)
    assert prefers_bfloat16(CPU)
    assert {"float32": 1.0, "bfloat16": 0.5} in json.loads(cache.read_text()).values()


def test_nothing_is_lost_if_nothing_can_be_remembered(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("a file where the folder should be")
    timed(monkeypatch, 0.5)
    assert prefers_bfloat16(CPU)


def test_processors_without_bfloat16_are_not_timed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    asked = timed(monkeypatch, 0.5)
    assert pick_precision("auto", CPU) == torch.float32 and not asked


@pytest.mark.parametrize(
    ("bfloat16", "int8", "quickest"),
    [(2.0, 0.5, True), (0.5, 0.3, True), (0.5, 0.45, False), (2.0, 0.9, False)],
)
def test_8_bits_are_chosen_only_if_they_are_clearly_the_quickest(
    cache: Path, monkeypatch: pytest.MonkeyPatch, bfloat16: float, int8: float, quickest: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "avx_vnni": True})
    asked = timed(monkeypatch, bfloat16, int8)
    assert prefers_int8(CPU) == prefers_int8(CPU) == quickest
    assert asked == ["float32", "bfloat16", "int8"]
    assert not prefers_int8(torch.device("meta"))


def test_without_instructions_for_them_8_bits_are_not_chosen(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(monkeypatch, 1.0, 0.1)
    assert not prefers_int8(CPU)


def test_a_convolution_takes_time_and_a_processor_has_a_name() -> None:
    for name in ("float32", "bfloat16", "int8"):
        assert 0 < devices._seconds(name) < 60
    assert devices._processor()
