"""Where a network runs and in which numbers."""

from __future__ import annotations

import contextlib
import ctypes
import json
import platform
import sys
import time
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import torch
from platformdirs import user_cache_dir
from torch.nn import functional

from faces.errors import TrainingError, WeightsError
from faces.files import write_atomically


def pick_device(name: str | None = None) -> torch.device:
    """Return the device of that name, by default CUDA if there is one; raises WeightsError without it."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):  # the last two: torch was built without it
        raise WeightsError(f"There is no device {name!r} here; choose cpu or cuda.") from None
    return device


def prefers_bfloat16(device: torch.device) -> bool:
    """Tell whether a network runs faster in bfloat16 than in float32.

    Processors that say they multiply it may still be slower at it, so there a convolution is timed once, and
    the answer kept in the user's cache for this kind of processor and version of torch.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    abilities = torch.cpu.get_capabilities()
    if device.type != "cpu" or not any(abilities.get(name) for name in ("avx512_bf16", "amx_bf16")):
        return False
    return _measured()


@cache
def _measured() -> bool:
    """Tell whether this processor convolves faster in bfloat16; remembered between runs."""
    machine = f"{_processor()}, torch {torch.__version__}"
    path = Path(user_cache_dir("anotheryou", appauthor=False)) / "bfloat16.json"
    remembered: dict[str, bool] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        remembered = dict(json.loads(path.read_text("utf-8")))
    known = remembered.get(machine)
    if isinstance(known, bool):
        return known
    faster = _seconds(torch.bfloat16) < _seconds(torch.float32)
    with contextlib.suppress(OSError):  # then it is measured again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(remembered | {machine: faster}, indent=2).encode())
    return faster


def _seconds(dtype: torch.dtype) -> float:
    """Time a convolution of the networks' kind, the best of five after one that does not count."""
    maps = torch.ones(16, 64, 32, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weights = torch.ones(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    taken = []
    with torch.inference_mode():
        for _ in range(6):
            start = time.perf_counter()
            functional.conv2d(maps, weights, padding=1)
            taken.append(time.perf_counter() - start)
    return min(taken[1:])


def _processor() -> str:
    """Name the processor, as Linux or else Python knows it."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        said = (line.partition(":") for line in lines)
        found = {what.strip(): value.strip() for what, _, value in said}
        return " ".join(found.get(what, "") for what in ("model name", "cpu family", "model", "stepping"))
    return platform.processor()


def pick_precision(choice: str, device: torch.device) -> torch.dtype:
    """Return the type that a choice means, for auto bfloat16 if it is quicker; raises TrainingError."""
    quicker = torch.bfloat16 if prefers_bfloat16(device) else torch.float32
    known = {"auto": quicker, "float32": torch.float32, "bfloat16": torch.bfloat16}
    if choice not in known:
        raise TrainingError(f"There is no precision {choice!r}; choose one of: {', '.join(known)}.")
    return known[choice]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Run the enclosed network in ``dtype``; weights, losses and the optimiser stay float32."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def keep_freed_memory() -> None:
    """Let the C library keep up to 256 MB of freed memory instead of handing it back at once.

    A network on the processor frees and takes blocks of some MB all the time, and having the kernel clear
    them anew each time costs a quarter to a third of the whole.  Does nothing if the library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(mmap_threshold, 32 * 2**20)  # the most that glibc allows
        library.mallopt(trim_threshold, 256 * 2**20)
