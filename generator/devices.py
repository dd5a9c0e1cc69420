"""Where a network runs and in which numbers."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from contextlib import AbstractContextManager

import torch

from faces.errors import TrainingError, WeightsError


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


def multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether the hardware itself multiplies bfloat16, so that it is faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def pick_precision(choice: str, device: torch.device) -> torch.dtype:
    """Return the type that a choice means, for auto bfloat16 if it is quicker; raises TrainingError."""
    quicker = torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
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
