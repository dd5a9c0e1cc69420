"""Light and expression put into a photograph at its own resolution, by the quotient of two drawings.

What leaves everything in its place changes a face by a factor at each place: the light that falls there, the
shadow of a fold.  The quotient of a drawing as wished and a drawing as it is tells that factor, small and
smooth, and the photograph keeps its own detail (Shashua and Riklin-Raviv 2001, *The Quotient Image*, IEEE
TPAMI 23(2); for expressions Liu, Shan and Zhang 2001, *Expressive Expression Mapping with Ratio Images*).
What both drawings are wrong about alike cancels out.
"""

from __future__ import annotations

import numpy as np
import torch

from faces.types import Pixels
from generator.appearance_flow import enlarge

_DARK = 12.0  # grey levels added to all, lest noise in the dark be divided by nearly nothing
_FACTORS = (0.15, 4.0)


def quotient(photographs: Pixels, before: Pixels, after: Pixels) -> Pixels:
    """Change photographs (N, P, P, 3) RGB or (N, P, P) grey, uint8, as drawings have changed.

    ``before`` and ``after`` (N, S, S) uint8 are the drawings of the same faces as they are and as wished.
    """
    drawn = (torch.from_numpy(one.astype(np.float32))[:, None] + _DARK for one in (before, after))
    was, shall = (enlarge(one, photographs.shape[1]).clamp_min(1) for one in drawn)
    factor = (shall / was).clamp(*_FACTORS)[:, 0].numpy()
    if photographs.ndim == 4:
        factor = factor[..., None]
    changed = (photographs.astype(np.float32) + _DARK) * factor - _DARK
    return np.asarray(changed.round().clip(0, 255), np.uint8)
