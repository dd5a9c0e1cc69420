"""The dozen people of the album, as ``cast.yaml`` describes them, and how to make them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from colour import Palette
from outfit import Shirt

from facedata.rendered.accessories import Glasses
from facedata.rendered.hair import Hair
from facedata.rendered.person import Head, Person, sample_person


@dataclass(frozen=True)
class Role:
    """One person of the album."""

    name: str
    seed: int  # draws all that is not given
    shape: list[float]  # leading coefficients of the head
    tone: float
    hair: Hair
    palette: Palette
    skin: dict[str, Any]
    glasses: Glasses | None
    back: bool = False  # the hair is combed away from the forehead


def read_cast() -> list[Role]:
    """Read all people from the file beside this one."""
    people = yaml.safe_load(Path(__file__).with_name("cast.yaml").read_text(encoding="utf-8"))["people"]
    return [_role(name, **person) for name, person in people.items()]


def _role(
    name: str,
    *,
    hair: dict[str, Any],
    palette: dict[str, Any],
    shirt: dict[str, Any],
    glasses: dict[str, Any] | None = None,
    **more: Any,
) -> Role:
    worn = Glasses(**glasses) if glasses else None
    return Role(
        name, hair=Hair(**hair), palette=Palette(**palette, shirt=Shirt(**shirt)), glasses=worn, **more
    )


def make_person(role: Role, head: Head) -> Person:
    """The renderer's person for a role; the same role always gives the same person."""
    rng = np.random.default_rng([77, role.seed])
    person = sample_person(rng, head)
    coefficients = 0.6 * person.coefficients
    coefficients[: len(role.shape)] = role.shape
    hair_tone = float(np.dot(role.palette.hair, (0.2126, 0.7152, 0.0722)))
    given = {**role.skin, "tone": role.tone, "hair_tone": hair_tone, "moles": person.skin.moles[:2]}
    skin = replace(person.skin, **given)
    return replace(person, coefficients=coefficients, skin=skin, hair=role.hair, glasses=role.glasses)
