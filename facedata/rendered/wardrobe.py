"""What people wear on photographs, each time another; ``accessories`` has what the protocols wear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facedata.labels import ACCESSORIES
from facedata.rendered.accessories import HATS, Glasses, Hat, Pane, sample_hat, sample_kind
from facedata.rendered.extras import EXTRAS, Extra
from facedata.rendered.mesh import Rng
from facedata.rendered.person import Person
from facedata.rendered.photograph import GAMMA
from facedata.rendered.skin import Skin
from facedata.rendered.wraps import Mask, Wrap

_EXTRAS_SHARE = 0.12  # of the pictures with something that nobody asks for
_ALIKE = 0.12  # difference in grey below which cloth and skin look alike
_WITH_HEADGEAR = ("hand", "microphone", "collar", "scarf")  # what fits under hats and masks


_USUAL_WRAP = Wrap(
    close=True, tone=0.3, trim=0.3, pattern=0, brow=1.9, inward=0.16, chin=0.0, edge=0.2, stand=1.2,
    folds=0.15, seed=0,
)  # fmt: skip
_USUAL_MASK = Mask(tone=0.6, low=0.4, pleats=3, room=0.4, strap=0.12)


def dress_alike(person: Person, accessory: str) -> Person:
    """Put on somebody what everybody wears for this word, as ``dress`` does it: always the same.

    A network can foretell it.  Raises KeyError for other words.
    """
    unused = np.random.default_rng(0)  # nothing of it is left where the spread is nought
    bare = replace(person, glasses=None, hat=None, mask=None, wrap=None, extras=())
    if accessory == "none":
        return bare
    if accessory == "head-scarf":
        return replace(bare, wrap=_USUAL_WRAP)
    if accessory == "mask":
        return replace(bare, mask=_USUAL_MASK)
    if accessory not in ACCESSORIES:
        raise KeyError(accessory)
    kind = int(accessory[-1]) - 1
    if accessory.startswith("hat"):
        return replace(bare, hat=sample_hat(unused, HATS[kind], spread=0))
    return replace(bare, glasses=sample_kind(unused, kind, spread=0))


def dress(rng: Rng, person: Person, accessory: str) -> Person:
    """Put an accessory on somebody in its own make and way: a word such as "none", "hat-2" or "mask".

    Raises KeyError for other words.
    """
    extras: tuple[Extra, ...] = ()
    skin = person.skin
    if rng.random() < _EXTRAS_SHARE and accessory not in ("head-scarf", "mask"):
        extras = (_sample_extra(rng, skin, EXTRAS if not accessory.startswith("hat") else _WITH_HEADGEAR),)
    bare = replace(person, glasses=None, hat=None, mask=None, wrap=None, extras=extras)
    if accessory == "none":
        return bare
    if accessory in ("glasses-1", "glasses-2"):
        return replace(bare, glasses=_sample_spectacles(rng, skin, round_=accessory == "glasses-1"))
    if accessory == "glasses-3":
        return replace(bare, glasses=_sample_sunglasses(rng, skin))
    if accessory in ("hat-1", "hat-2", "hat-3"):
        return replace(bare, hat=_sample_hat(rng, skin, HATS[int(accessory[-1]) - 1]))
    if accessory == "head-scarf":
        return replace(bare, wrap=_sample_wrap(rng, skin))
    if accessory == "mask":
        return replace(bare, mask=_sample_mask(rng, skin))
    raise KeyError(accessory)


def _tone(rng: Rng, skin: Skin, low: float = 0.012, high: float = 0.8) -> float:
    """An albedo of any grey between two, seldom that of the skin."""
    grey = rng.uniform(low**GAMMA, high**GAMMA, 2)
    alike = abs(grey[0] - skin.tone**GAMMA) < _ALIKE
    return float(grey[int(alike)] ** (1 / GAMMA))


def _sample_spectacles(rng: Rng, skin: Skin, *, round_: bool) -> Glasses:
    """Round and oval frames, or square, rectangular and pointed ones; of metal, wire or thick plastic."""
    thick = rng.random() < 0.45
    if round_:
        width = rng.uniform(4.3, 5.6)
        height, square, corner = width * rng.uniform(0.82, 1.0), rng.uniform(1.9, 2.25), 0.0
    else:
        width = rng.uniform(4.8, 6.2)
        height, square = width * rng.uniform(0.5, 0.76), rng.uniform(3.6, 7.0)
        corner = rng.uniform(0.3, 0.9) if rng.random() < 0.25 else 0.0
    rim = str(rng.choice(["full", "upper", "none"], p=[0.8, 0.12, 0.08]))
    wire = rng.uniform(0.16, 0.34) if thick else rng.uniform(0.08, 0.14)
    return Glasses(
        width=width,
        height=height,
        square=square,
        wire=0.06 if rim == "none" else wire,
        drop=rng.uniform(-0.1, 0.6),
        tone=_tone(rng, skin, 0.01, 0.25) if thick and rng.random() < 0.85 else _tone(rng, skin, 0.01, 0.5),
        dark=False,
        tilt=float(rng.normal(0, 1.0)),
        corner=corner,
        rim=rim,
        pane=_sample_pane(rng, through=rng.uniform(0.88, 0.97)),
    )


def _sample_sunglasses(rng: Rng, skin: Skin) -> Glasses:
    """Dark, mirrored or gradient; through some the eyes are faintly seen."""
    width = rng.uniform(5.0, 6.8)
    faint = rng.random() < 0.12
    through, below = (rng.uniform(0.08, 0.25), rng.uniform(0.12, 0.32)) if faint else (1.0, 1.0)
    return Glasses(
        width=width,
        height=min(width * rng.uniform(0.6, 0.95), 5.4),
        square=rng.uniform(2.0, 4.5),
        wire=rng.uniform(0.06, 0.34),
        drop=rng.uniform(-0.1, 0.6),
        tone=_tone(rng, skin, 0.01, 0.2) if rng.random() < 0.8 else _tone(rng, skin, 0.2, 0.8),
        dark=not faint,
        tilt=float(rng.normal(0, 1.0)),
        corner=float(rng.choice([0.0, rng.uniform(-0.6, 0.8)])),
        rim=str(rng.choice(["full", "upper"], p=[0.9, 0.1])),
        pane=_sample_pane(
            rng, through=through, below=below, mirror=0.0 if faint else 0.4 * rng.random() ** 4, gleam=0.4
        ),
    )


def _sample_pane(
    rng: Rng, *, through: float, below: float | None = None, mirror: float = 0.0, gleam: float = 0.8
) -> Pane:
    """Lenses; some of them reflect a window or a lamp."""
    return Pane(
        through=through,
        below=through if below is None else max(through, below),
        veil=0.1 * rng.random() ** 3,
        mirror=mirror,
        gleam=float(gleam * rng.random() ** 2),
        x=rng.uniform(-0.8, 0.8),
        y=rng.uniform(-0.5, 0.9),
        width=rng.uniform(0.1, 0.5),
        height=rng.uniform(0.1, 0.6),
        slant=rng.uniform(-0.8, 0.8),
    )


def _sample_hat(rng: Rng, skin: Skin, kind: str) -> Hat:
    """Caps with a peak, hats with a brim or knitted hats, each of any cut and worn in any way."""
    hat = replace(
        sample_hat(rng, kind),
        tone=_tone(rng, skin),
        trim=_tone(rng, skin),
        lean=float(rng.normal(0, 3.0)),
        turn=float(rng.normal(0, 5.0)),
        room=rng.uniform(0.4, 0.9),
    )
    if kind == "cap":
        return replace(
            hat,
            lift=rng.uniform(0.7, 2.5),
            tilt=rng.uniform(2, 14),
            aside=float(rng.choice([-1, 1]) * rng.uniform(15, 100)) if rng.random() < 0.1 else 0.0,
            reach=rng.uniform(5.5, 8.0),
            droop=rng.uniform(0.6, 3.2),
            logo=rng.uniform(12, 48) if rng.random() < 0.5 else 0.0,
        )
    if kind == "brimmed":
        bucket = rng.random() < 0.3
        return replace(
            hat,
            lift=rng.uniform(0.5, 1.9),
            tilt=rng.uniform(0, 12),
            reach=rng.uniform(4.0, 5.5) if bucket else rng.uniform(4.0, 9.5),
            droop=rng.uniform(2.0, 3.5) if bucket else rng.uniform(-0.5, 2.8),
            curl=rng.uniform(-3.0, -1.5) if bucket else rng.uniform(-0.5, 3.0),
            trim=hat.tone if bucket or rng.random() < 0.3 else hat.trim,
        )
    return replace(
        hat,
        lift=rng.uniform(0.2, 1.5),
        tilt=rng.uniform(6, 18),
        cover=rng.uniform(1.0, 6.0),
        ribs=int(rng.integers(20, 60)),
        crown=rng.uniform(-0.5, 2.5),
        cuff=rng.uniform(3.0, 5.5) if rng.random() < 0.6 else 0.0,
        stripes=rng.uniform(0.8, 2.5) if rng.random() < 0.25 else 0.0,
        trim=hat.tone if rng.random() < 0.5 else hat.trim,
    )


def _sample_wrap(rng: Rng, skin: Skin) -> Wrap:
    """A scarf close round the face, a looser one or a hood."""
    close = rng.random() < 0.7
    return Wrap(
        close=close,
        tone=_tone(rng, skin),
        trim=_tone(rng, skin),
        pattern=int(rng.integers(8, 24)) if rng.random() < 0.25 else 0,
        brow=rng.uniform(0.8, 3.0) if close else rng.uniform(2.5, 4.5),
        inward=rng.uniform(0.08, 0.24) if close else rng.uniform(-0.05, 0.08),
        chin=rng.uniform(-0.8, 0.8) if close else rng.uniform(-3.0, -1.0),
        edge=rng.uniform(0.05, 0.35) if close else rng.uniform(0.8, 2.0),
        stand=rng.uniform(0.5, 2.0),
        folds=rng.uniform(0.05, 0.3),
        seed=int(rng.integers(2**31)),
    )


def _sample_mask(rng: Rng, skin: Skin) -> Mask:
    """Surgical ones with pleats, cloth ones without; some worn low."""
    pleats = int(rng.integers(2, 5)) if rng.random() < 0.6 else 0
    return Mask(
        tone=_tone(rng, skin, 0.25, 0.8) if rng.random() < 0.7 else _tone(rng, skin, 0.015, 0.25),
        low=rng.uniform(2.0, 3.4) if rng.random() < 0.12 else rng.uniform(-0.3, 1.2),
        pleats=pleats,
        room=rng.uniform(0.15, 0.7),
        strap=rng.uniform(0.08, 0.18),
    )


def _sample_extra(rng: Rng, skin: Skin, kinds: tuple[str, ...]) -> Extra:
    """One of these kinds."""
    return Extra(
        kind=str(rng.choice(kinds)),
        side=int(rng.choice([-1, 1])),
        tone=_tone(rng, skin),
        size=float(rng.random()),
        turn=rng.uniform(-1, 1),
    )
