"""Where a network runs and in which numbers."""

from __future__ import annotations

import contextlib
import ctypes
import json
import platform
import sys
import time
from contextlib import AbstractContextManager
from functools import cache, partial
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

    Processors that say they multiply it may still be slower at it, so there convolutions are timed once, and
    the times kept in the user's cache for this kind of processor and version of torch.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    times = _measured() if device.type == "cpu" else {}
    return "bfloat16" in times and times["bfloat16"] < times["float32"]


def prefers_int8(device: torch.device) -> bool:
    """Tell whether ``quantised`` networks run on a device, in clearly less time than in other numbers."""
    times = dict(_measured()) if device.type == "cpu" else {}
    return "int8" in times and times.pop("int8") < 0.8 * min(times.values())


def _able() -> list[str]:
    """List the types besides float32 that this processor says it multiplies, and the library too.

    Without instructions for it, sums of int8 could overflow.
    """
    abilities = torch.cpu.get_capabilities()
    needed = {"bfloat16": ("avx512_bf16", "amx_bf16"), "int8": ("avx512_vnni", "avx_vnni", "amx_int8")}
    if not hasattr(torch.ops.onednn, "qconv2d_pointwise"):
        del needed["int8"]
    return [name for name, flags in needed.items() if any(abilities.get(flag) for flag in flags)]


@cache
def _measured() -> dict[str, float]:
    """Give the seconds that convolutions take in each type, if there is a choice; remembered between runs."""
    if not (able := _able()):
        return {}
    machine = f"{_processor()}, torch {torch.__version__}"
    path = Path(user_cache_dir("anotheryou", appauthor=False)) / "convolutions.json"
    remembered: dict[str, dict[str, float]] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        remembered = dict(json.loads(path.read_text("utf-8")))
    names = ["float32", *able]
    known = remembered.get(machine)
    if isinstance(known, dict) and list(known) == names and all(type(one) is float for one in known.values()):
        return known
    times = {name: _seconds(name) for name in names}
    with contextlib.suppress(OSError):  # then it is measured again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(remembered | {machine: times}, indent=2).encode())
    return times


def _seconds(name: str) -> float:
    """Time a convolution of the networks' kind, the best of five after one that does not count."""
    dtype = getattr(torch, name)
    weights = torch.ones(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    maps = torch.ones(16, 64, 32, 32, dtype=torch.uint8 if name == "int8" else dtype)
    maps = maps.contiguous(memory_format=torch.channels_last)
    convolve = partial(functional.conv2d, maps, weights, padding=1)
    if name == "int8":
        form, units, zeros = [[1, 1]] * 3, torch.ones(64), torch.zeros(64, dtype=torch.int32)
        packed = torch.ops.onednn.qconv_prepack(weights, units, 1.0, 0, *form, 1, None)
        ends = [1.0, 0, torch.uint8, "relu", [], ""]
        convolve = partial(
            torch.ops.onednn.qconv2d_pointwise, maps, 1.0, 0, packed, units, zeros, None, *form, 1, *ends
        )
    taken = []
    with torch.inference_mode():
        for _ in range(6):
            start = time.perf_counter()
            convolve()
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
