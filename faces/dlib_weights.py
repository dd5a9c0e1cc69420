"""Parameters of networks from the ``.dat`` files of dlib (dlib/serialize.h, dlib/dnn/layers.h)."""

from __future__ import annotations

import numpy as np

from faces.types import Floats


class DlibWeights:
    """Read the parameters of one layer after another from dlib's serialisation.

    A layer writes its name and, after some whole numbers, its parameters: the version of the tensor, its four
    dimensions and float32 numbers.  Whole numbers and names are preceded by their count of bytes.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def numbers(self, layer: str, count: int, *, skip: int = 0) -> Floats:
        """Give the ``count`` parameters, (count,) float32, of the next layer of this name.

        They follow ``skip`` whole numbers.  Raises ValueError if there are none, or others.
        """
        name = bytes([1, len(layer)]) + layer.encode()
        found = self._content.find(name, self._at)
        if found < 0:
            raise ValueError(f"it has no further layer {layer}")
        self._at = found + len(name)
        self.skip(skip)
        return self.tensor(layer, count)

    def tensor(self, layer: str, count: int) -> Floats:
        """Give the next tensor of that layer, (count,) float32; raises ValueError if it is another."""
        version, *shape = (self._whole() for _ in range(5))
        if version != 2 or np.prod(shape) != count:
            raise ValueError(f"a layer {layer} has {shape} parameters instead of {count:,}")
        part = self._content[self._at : self._at + 4 * count]
        if len(part) != 4 * count:
            raise ValueError("it ends too early")
        self._at += 4 * count
        numbers = np.frombuffer(part, "<f4").astype(np.float32)
        if not np.isfinite(numbers).all():
            raise ValueError(f"a layer {layer} holds impossible numbers")
        return numbers

    def skip(self, count: int) -> None:
        """Pass over so many whole numbers."""
        for _ in range(count):
            self._whole()

    def _whole(self) -> int:
        length = self._content[self._at] & 0x0F if self._at < len(self._content) else 0
        if not 1 <= length <= 8:
            raise ValueError("a number is damaged")
        value = int.from_bytes(self._content[self._at + 1 : self._at + 1 + length], "little")
        self._at += 1 + length
        return value
