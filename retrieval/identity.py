"""Who a face shows: deep descriptors of the face at its own resolution, in colour.

A model looks at a chip, the face cut out upright and at one scale (``faces.chips``), and gives a vector; two
vectors of one person have a large inner product.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faces.chips import ARCFACE_SIDE, Cut, cut_arcface_chip, cut_dlib_chip
from faces.dlib_detector import model_file
from faces.errors import WeightsError
from faces.types import Floats, Pixels

if TYPE_CHECKING:
    from retrieval.dlib_network import DlibNetwork

DLIB = "dlib-128"
NONE = "none"
_CHIPS = b"2"  # how chips are cut for dlib's network; vectors of chips cut otherwise are other vectors
_BATCH = 16  # chips; more at a time is not quicker on a processor


class Identity(Protocol):
    """A model of identity; ``name`` is what the user calls it by, ``digest`` stands for its weights.

    ``dimension`` is the length of its vectors, ``cut`` the function that cuts its chips.
    """

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def cut(self) -> Cut: ...

    def describe(self, chips: Pixels) -> Floats:
        """Give vectors (N, I) float32 of length one of chips (N, C, C, 3) uint8 RGB."""


class DlibIdentity:
    """dlib's face descriptor of 128 numbers, averaged over each chip and its mirror image.

    The mirror image costs the same again, some milliseconds, and makes turned heads easier to tell apart
    (docs/evaluation.md).  Raises DetectorError or WeightsError if its file is missing or damaged.
    """

    name = DLIB
    dimension = 128

    def __init__(self) -> None:
        self._path = model_file("dlib_face_recognition_resnet_model_v1.dat")

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self._path.read_bytes() + _CHIPS).hexdigest()[:12]

    @cached_property
    def _network(self) -> DlibNetwork:
        import torch

        from retrieval.dlib_network import load_dlib_network

        network = load_dlib_network(self._path)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    @property
    def cut(self) -> Cut:
        return cut_dlib_chip

    def describe(self, chips: Pixels) -> Floats:
        import torch

        parts = [np.empty((0, self.dimension), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(chips), _BATCH):
                part = np.ascontiguousarray(chips[start : start + _BATCH])
                seen = torch.from_numpy(part).permute(0, 3, 1, 2).float()  # (B, 3, C, C)
                both = self._network(torch.cat([seen, seen.flip(3)]))  # (2 B, 128)
                parts.append(both.view(2, len(seen), -1).mean(0).numpy())
        return unit_length(np.concatenate(parts))


class OnnxIdentity:
    """A model that the user brings as an .onnx file, such as SFace or an ArcFace network.

    It takes one RGB picture (1, 3, 112, 112), aligned as ArcFace's template says; ``scaled`` tells whether it
    wants values of (level - 127.5) / 127.5 or grey levels as they are, which the file does not say and
    ``calibrate`` finds out.  Raises WeightsError if the file cannot be used.
    """

    def __init__(self, path: Path, *, scaled: bool = True) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise WeightsError(
                f"{path} needs onnxruntime; install it with `pip install onnxruntime`."
            ) from None
        self.name = str(path)
        self.scaled = scaled
        try:
            content = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{path} cannot be read ({error.strerror}); name an .onnx file.") from None
        self.digest = hashlib.sha256(content).hexdigest()[:12]
        try:
            self._session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            tried = self._run(np.zeros((1, ARCFACE_SIDE, ARCFACE_SIDE, 3), np.uint8))
        except Exception as error:  # the runtime has exceptions of its own for every kind of damage
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WeightsError(
                f"{path} is no model for faces of 112 x 112 pixels ({reason}); name SFace's or an "
                "ArcFace model's."
            ) from None
        self.dimension = int(tried.shape[1])

    @property
    def cut(self) -> Cut:
        return cut_arcface_chip

    def describe(self, chips: Pixels) -> Floats:
        found = [self._run(chip[None]) for chip in chips]
        return unit_length(np.concatenate([np.empty((0, self.dimension), np.float32), *found]))

    def _run(self, chips: Pixels) -> Floats:
        levels = chips.transpose(0, 3, 1, 2).astype(np.float32)
        values = (levels - 127.5) / 127.5 if self.scaled else levels
        (entry,) = self._session.get_inputs()
        found = np.asarray(self._session.run(None, {entry.name: np.ascontiguousarray(values)})[0], np.float32)
        if found.ndim != 2 or len(found) != len(chips):
            raise ValueError(f"it gives {found.shape} for {len(chips)} faces")
        return found


def open_identity(name: str | Path | None = None, *, scaled: bool = True) -> Identity | None:
    """Open the model called ``dlib-128`` (the default), or that of an .onnx file; None for ``none``.

    Raises WeightsError for anything else, and if a file cannot be used.
    """
    word = DLIB if name is None else str(name)
    if word == NONE:
        return None
    if word == DLIB:
        return DlibIdentity()
    if word.lower().endswith(".onnx"):
        return OnnxIdentity(Path(word).expanduser().resolve(), scaled=scaled)
    raise WeightsError(
        f"there is no identity model {word}; choose {DLIB}, {NONE} or the path of an .onnx file."
    )


def unit_length(vectors: NDArray[np.floating]) -> Floats:
    """Scale rows to length one, (N, D) float32; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)
