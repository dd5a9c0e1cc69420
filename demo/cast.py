"""The dozen people of the album, and how to make them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from colour import Palette
from outfit import Shirt

from facedata.rendered.accessories import Glasses
from facedata.rendered.hair import Hair
from facedata.rendered.person import Head, Person, sample_person

# Hair and eyes, linear RGB.
BLACK, DARK = (0.015, 0.0105, 0.008), (0.040, 0.023, 0.014)
AUBURN, BLOND, GREY = (0.17, 0.055, 0.02), (0.42, 0.27, 0.125), (0.34, 0.34, 0.35)
DARK_EYES, BROWN_EYES, HAZEL = (0.022, 0.012, 0.008), (0.075, 0.036, 0.016), (0.12, 0.09, 0.035)
BLUE_EYES, GREEN_EYES = (0.10, 0.20, 0.30), (0.10, 0.16, 0.09)

_PLAIN = Hair(
    style="short", thickness=1.2, hairline=29, fringe=0, parting=0.3, length=-12, opening=64,
    sideburn=-6, strands=0.08, seed=1,
)  # fmt: skip
_SKIN = {
    "gloss": 0.08, "gloss_power": 14.0, "beard": "none", "beard_strength": 0.9, "beard_top": 0.4,
    "brow_strength": 0.875, "brow_width": 0.34, "brow_lift": 0.1, "lip": 0.8, "lash": 0.6, "lines": 0.0,
    "freckles": 0.0, "eye_shadow": 0.12, "sclera": 0.62,
}  # fmt: skip


@dataclass(frozen=True)
class Role:
    """One person of the album."""

    name: str
    seed: int  # draws all that is not given
    shape: tuple[float, ...]  # leading coefficients of the head; the first is from broad (-) to fine (+)
    tone: float
    hair: Hair
    palette: Palette
    skin: dict[str, Any] = field(default_factory=dict)
    glasses: Glasses | None = None
    back: bool = False  # the hair is combed away from the forehead


CAST = (
    Role(
        "amara", 11, (2.0, 0.1, -1.2, -0.4), 0.135,
        replace(_PLAIN, style="curly", thickness=3.0, hairline=30, strands=0.5, sideburn=-2, seed=4),
        Palette(BLACK, DARK_EYES, 0.2, Shirt((0.62, 0.30, 0.03), drop=3.4, top=-12.4)),
        skin={"lip": 0.75, "lash": 0.9, "brow_width": 0.28},
    ),
    Role(
        "bruno", 12, (-0.9, -0.2, 0.6), 0.40,
        replace(_PLAIN, thickness=1.7, hairline=31, sideburn=-16, seed=7),
        Palette(DARK, BROWN_EYES, -0.2, Shirt((0.05, 0.09, 0.16), top=-12.2, drop=1.8)),
        skin={"beard": "full", "beard_strength": 2.2, "brow_strength": 1.0625, "brow_width": 0.42}, back=True,
    ),
    Role(
        "chloe", 13, (2.0, -0.4, 0.3, -0.3), 0.60,
        replace(_PLAIN, style="long", thickness=1.3, hairline=31, parting=-0.5, length=-19,
                opening=66, seed=9),
        Palette(AUBURN, GREEN_EYES, 0.9, Shirt((0.04, 0.14, 0.09), vee=3.0, drop=2.6, top=-12.4)),
        skin={"lip": 0.68, "lash": 0.75, "freckles": 0.18, "brow_width": 0.28, "brow_strength": 0.6875},
    ),
    Role(
        "daichi", 14, (-0.2, 0.4, -0.2, -0.3, -1.4), 0.46,
        replace(_PLAIN, thickness=1.9, hairline=30, fringe=9, parting=0.6, seed=12),
        Palette(BLACK, DARK_EYES, -0.5, Shirt((0.55, 0.55, 0.53), (0.05, 0.07, 0.2), "stripes")),
        skin={"brow_strength": 1.0, "brow_width": 0.36},
    ),
    Role(
        "elena", 15, (1.7, -0.7, 0.8), 0.58,
        replace(_PLAIN, style="bob", thickness=1.5, hairline=31, parting=0.5, length=-7, opening=64, seed=15),
        Palette(BLOND, BLUE_EYES, 0.4, Shirt((0.45, 0.06, 0.07), top=-9.8, drop=1.0, rim=0.4, pattern="knit"),
                frame=(0.03, 0.012, 0.008)),
        skin={"lip": 0.62, "lash": 0.8, "brow_width": 0.26, "brow_strength": 0.6875},
        glasses=Glasses(5.0, 4.1, 2.3, 0.13, 0.2, 0.03, False),
    ),
    Role(
        "farid", 16, (-0.5, -0.6, 0.3), 0.31,
        replace(_PLAIN, style="cropped", thickness=0.5, hairline=33, sideburn=-14, seed=18),
        Palette(BLACK, BROWN_EYES, -0.3, Shirt((0.5, 0.42, 0.3), pattern="knit", top=-12.0)),
        skin={"beard": "stubble", "beard_strength": 0.62, "brow_strength": 1.25, "brow_width": 0.46},
    ),
    Role(
        "gerald", 17, (0.2, 0.2, 1.5), 0.55,
        replace(_PLAIN, thickness=2.1, hairline=29, fringe=7, parting=-0.7, sideburn=-2, seed=21),
        Palette(GREY, BLUE_EYES, 0.8, Shirt((0.20, 0.13, 0.33), top=-11.4, drop=2.4)),
        skin={"lip": 0.85, "lines": 0.55, "brow_width": 0.36, "brow_strength": 0.75},
    ),
    Role(
        "hugo", 18, (-1.1, 0.7, 1.2), 0.52,
        replace(_PLAIN, style="ring", thickness=0.5, sideburn=-8, seed=24),
        Palette((0.22, 0.2, 0.18), HAZEL, 0.7,
                Shirt((0.10, 0.17, 0.28), pattern="knit", top=-10.6, drop=1.6, rim=0.35),
                frame=(0.012, 0.012, 0.014)),
        skin={"beard": "goatee", "beard_strength": 1.05, "lines": 0.45, "brow_width": 0.42},
        glasses=Glasses(5.2, 3.8, 4.2, 0.15, 0.1, 0.02, False),
    ),
    Role(
        "indira", 19, (1.9, -0.3, 0.1, -0.4), 0.27,
        replace(_PLAIN, style="long", thickness=1.0, hairline=31, parting=0.02, length=-22,
                opening=70, seed=27),
        Palette(BLACK, DARK_EYES, -0.3, Shirt((0.03, 0.22, 0.25), drop=3.0, top=-12.2)),
        skin={"lip": 0.66, "lash": 0.9, "brow_width": 0.3, "brow_strength": 1.0625},
    ),
    Role(
        "jonas", 20, (-0.4, -1.2, -0.1), 0.60,
        replace(_PLAIN, thickness=1.5, hairline=31, parting=-0.6, fringe=0, sideburn=-8, seed=30),
        Palette(BLOND, BLUE_EYES, 0.6, Shirt((0.34, 0.36, 0.36), top=-12.2, drop=2.0)),
        skin={"beard": "stubble", "beard_strength": 0.28, "brow_strength": 0.6875, "brow_width": 0.36},
        back=True,
    ),
    Role(
        "kofi", 21, (-0.6, 0.2, -1.7), 0.11,
        replace(_PLAIN, style="cropped", thickness=0.35, hairline=31, sideburn=-4, seed=33),
        Palette(BLACK, DARK_EYES, 0.0, Shirt((0.68, 0.66, 0.62), top=-12.0, drop=2.0)),
        skin={"beard": "goatee", "beard_strength": 1.15, "brow_strength": 1.0, "brow_width": 0.4},
    ),
    Role(
        "mei", 22, (1.6, 0.6, -0.1, -0.2, -1.6), 0.56,
        replace(_PLAIN, style="bob", thickness=1.1, hairline=32, fringe=16, parting=0.1,
                length=-6, opening=60, seed=36),
        Palette(BLACK, DARK_EYES, 0.0, Shirt((0.75, 0.42, 0.45), drop=2.8, top=-12.2)),
        skin={"lip": 0.64, "lash": 0.8, "brow_width": 0.28, "brow_strength": 0.75},
    ),
)  # fmt: skip


def make_person(role: Role, head: Head) -> Person:
    """The renderer's person for a role; the same role always gives the same person."""
    rng = np.random.default_rng([77, role.seed])
    person = sample_person(rng, head)
    coefficients = 0.6 * person.coefficients
    coefficients[: len(role.shape)] = role.shape
    hair_tone = float(np.dot(role.palette.hair, (0.2126, 0.7152, 0.0722)))
    given = {**_SKIN, "tone": role.tone, "hair_tone": hair_tone, "moles": person.skin.moles[:2], **role.skin}
    skin = replace(person.skin, **given)
    return replace(person, coefficients=coefficients, skin=skin, hair=role.hair, glasses=role.glasses)
