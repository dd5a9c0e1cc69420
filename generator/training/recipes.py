"""How a network is trained: the recipes, one function each, and the budget of a run.

A recipe is data: it is written into the checkpoint and compared when a run goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from faces.errors import TrainingError

ErrorKind = Literal["squared", "absolute"]
ERROR_KINDS: tuple[ErrorKind, ...] = ("squared", "absolute")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How pictures are altered on their way into a batch.

    Shared changes are drawn once for all the pairs that one person has in a batch, lest pairs be told apart
    by brightness.  Changes of the input fall on what the network sees and not on what it shall draw.
    """

    mirror: bool = True  # both pictures mirrored, the sign of the pose turned: twice the people for nothing
    gain: float = 0.15  # shared: grey levels times exp(±gain); cameras expose differently
    offset: float = 10.0  # shared: plus ±offset grey levels; black is not black in every photograph
    gamma: float = 0.2  # shared: tone curve, exponent exp(±gamma); cameras bend tones differently
    degraded: float = 0.5  # share of inputs that get the following; good pictures exist too
    shift: float = 1.0  # input: crop moved by up to ±shift pixels (of 32); landmarks have that error
    turn: float = 3.0  # input: crop turned by up to ±turn degrees, for the same reason
    zoom: float = 0.05  # input: crop scaled by exp(±zoom), for the same reason
    blur: float = 0.6  # input: Gaussian blur of up to this many pixels (of 32); small faces are soft
    noise: float = 4.0  # input: Gaussian noise of up to this many grey levels; sensors are noisy
    aspect: float = 0.0  # input: width to height changed by exp(±aspect); heads differ, landmarks err
    corners: float = 0.0  # input: corners moved by up to ±corners of the side; cameras see from close by
    cover: float = 0.0  # every second input: hidden from a border by up to this share; hands, collars
    motion: float = 0.0  # every second input: blurred along up to this many pixels (of 32, up to 4)
    sampling: float = 0.0  # every second input: shrunk by up to 1 + sampling and enlarged; small faces
    contrast: float = 0.0  # input: levels spread about their mean by exp(±contrast); haze and flash
    tone: float = 0.0  # input: tone curve of its own, exponent exp(±tone)
    blocks: float = 0.0  # every second input: up to this many times JPEG's rounding at quality 50

    @property
    def as_photographs(self) -> bool:
        """Whether one of the changes from ``aspect`` on is made; otherwise no numbers are drawn for them."""
        own = (self.aspect, self.corners, self.cover, self.motion, self.sampling, self.contrast, self.tone)
        return any((*own, self.blocks))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a training beside data, seed and budget."""

    name: str
    batch_size: int  # pairs in a batch
    optimiser: str  # ``sgd`` (``momentum``) or ``adamw`` (``weight_decay``)
    learning_rate: float  # its peak, if it changes (``warmup``, ``cosine``)
    people_per_batch: int = 0  # each with batch_size / people_per_batch pairs; 0: pairs as they come
    matched: bool = False  # all these people are drawn with the same values in the same lights
    joint: bool = False  # both stages at once, else one after the other, half of the budget each
    error: ErrorKind = "squared"  # of each pixel; ``absolute`` if there are many right ways to draw it
    summed_error: bool = False  # the sum over a picture's pixels, else their mean; the mean over the batch
    momentum: float = 0.0
    weight_decay: float = 0.0
    warmup: float = 0.0  # share of the budget in which the learning rate rises linearly from nought
    cosine: bool = False  # the learning rate falls along a half cosine to nought at the end of the budget
    clip_norm: float = 0.0  # the gradient's norm is cut to this; 0: never
    ema_decay: float = 0.0  # of the moving average of the weights, which is kept, per step; 0: no average
    reconstruction_weight: float = 0.0  # of drawing the target from itself with its own value
    contrastive_weight: float = 0.0  # it and the reconstruction need ``joint``
    temperature: float = 0.03
    any_light: float = 0.0
    """Share of pairs whose positive is the target in any of its lights, none of which are negatives then.
    Nought keeps the light in the features (the paper's criterion 2)."""
    attribute_dropout: float = 0.0
    """Share of the attributes in which source and target agree that are left open, zeros in the attribute
    vector, so that the network learns to leave as it is what nobody names."""
    any_scene: float = 0.0  # the same for any picture of the person with the target's values, in any scene
    clean_sources: float = 0.0  # share of inputs that are clean versions: easier, so learned from sooner
    augmentation: Augmentation | None = None


def paper() -> Recipe:
    """Ghodrati et al. (2015), 3.4: stage 1, then stage 2; batches of 32; SGD, momentum 0.95, rate 1e-5.

    Their loss is ||F - Y||^2, a sum over pixels; how the 32 pairs of a batch are joined is not said.  It is
    their mean here: summed as well, stage 1 diverges within three steps.  The warm-up is ours: without one,
    stage 2 diverged within 41 steps on the protocol's 100 people.
    """
    return Recipe(
        name="paper",
        batch_size=32,
        optimiser="sgd",
        learning_rate=1e-5,
        momentum=0.95,
        summed_error=True,
        warmup=0.03,
    )


def default() -> Recipe:
    """Both stages together, and the searched features trained to be searched.

    The contrastive term asks of the middle-layer features what retrieval does: the drawing of (X, wish) lies
    nearer to the true target, drawn with its own value as gallery faces are, than to any other picture of the
    batch.  Reconstruction is trained since canonicalisation picks a face's value by it.
    """
    return Recipe(
        name="default",
        batch_size=64,
        people_per_batch=16,
        matched=True,
        optimiser="adamw",
        learning_rate=1e-3,
        joint=True,
        weight_decay=1e-4,
        warmup=0.03,
        cosine=True,
        clip_norm=1.0,
        ema_decay=0.995,
        reconstruction_weight=1.0,
        contrastive_weight=0.05,
        augmentation=Augmentation(),
    )


def completion() -> Recipe:
    """``default`` with the mean absolute error, for what a bar hides: Ghodrati et al. (2015), section 4.3."""
    return replace(default(), name="completion", error="absolute", augmentation=AUGMENTATIONS["mirror"])


def small() -> Recipe:
    """``default`` for a few dozen people, with ten times the contrast.

    So few differ little in a batch, and what tells them apart tells others apart as well: docs/evaluation.md,
    section 11, has what it is worth for photographs of ten real people and for 30 rendered ones.
    """
    return replace(default(), name="small", contrastive_weight=0.5)


PRESETS: dict[str, Callable[[], Recipe]] = {
    "paper": paper,
    "default": default,
    "small": small,
    "completion": completion,
}
FEW_PEOPLE = 64


def recipe(name: str) -> Recipe:
    """Return the preset of that name; raises TrainingError that lists the names there are."""
    if name not in PRESETS:
        raise TrainingError(f"There is no preset {name!r}; choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]()


AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "mirror": Augmentation(gain=0.0, offset=0.0, gamma=0.0, degraded=0.0),
    "full": Augmentation(),
    "photographs": Augmentation(
        gain=0.0,
        offset=0.0,
        gamma=0.0,
        degraded=0.8,
        shift=1.2,
        turn=4.0,
        zoom=0.07,
        noise=5.0,
        aspect=0.06,
        corners=0.03,
        cover=0.3,
        motion=2.0,
        sampling=1.2,
        contrast=0.35,
        tone=0.25,
        blocks=1.0,
    ),
}
"""``mirror`` is for sets whose pictures differ in nothing but labels, such as the paper's protocol;
``photographs`` for rendered sets of which photographs are to be understood: what shall be drawn keeps its
tone, which clean versions have in common."""


def adjusted(recipe: Recipe, *, augment: str | None = None, **changes: Any) -> Recipe:
    """Return the recipe with ``changes`` of its fields that the user gave; None leaves a value as it is.

    Raises TrainingError if ``augment`` is none of ``AUGMENTATIONS``.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if augment is not None:
        if augment not in AUGMENTATIONS:
            known = ", ".join(AUGMENTATIONS)
            raise TrainingError(f"There is no augmentation {augment!r}; choose one of: {known}.")
        given["augmentation"] = AUGMENTATIONS[augment]
    return replace(recipe, **given)


def check_recipe(recipe: Recipe) -> None:
    """Raise TrainingError if a recipe contradicts itself."""
    size, people = recipe.batch_size, recipe.people_per_batch
    if size < 1:
        raise TrainingError(f"A batch needs at least one pair, not {size}; choose --batch-size 1 or more.")
    if people < 0 or not 0 < recipe.learning_rate < 10:
        raise TrainingError(
            "The learning rate must lie between 0 and 10, and people in a batch cannot be negative."
        )
    if people and size % people:
        raise TrainingError(
            f"A batch of {size} pairs cannot be shared evenly by {people} people; choose a multiple of them."
        )
    if recipe.error not in ERROR_KINDS:
        raise TrainingError(f"There is no error {recipe.error!r}; choose {' or '.join(ERROR_KINDS)}.")
    if recipe.optimiser not in ("sgd", "adamw"):
        raise TrainingError(f"There is no optimiser {recipe.optimiser!r}; choose sgd or adamw.")
    shares = (recipe.any_light, recipe.any_scene)
    if min(shares) < 0 or sum(shares) > 1 or recipe.contrastive_weight < 0:
        raise TrainingError(
            "The shares of any light and any scene lie between 0 and 1, also together, and the contrastive "
            "weight is never below 0."
        )
    if not 0 <= recipe.clean_sources <= 1:
        raise TrainingError("The share of clean versions that the network is shown lies between 0 and 1.")
    if not 0 <= recipe.attribute_dropout < 1:
        raise TrainingError("The share of attributes left open lies between 0 and 1.")
    if (recipe.contrastive_weight or recipe.reconstruction_weight) and not recipe.joint:
        raise TrainingError("Contrast and reconstruction need both stages trained together.")
    if recipe.contrastive_weight and size < 2:
        raise TrainingError(
            "The contrastive term needs at least two pairs in a batch; choose --batch-size 2 or more."
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train: so many pairs, or so many minutes of training time (over all resumptions)."""

    pairs: int | None = None
    minutes: float | None = None

    def check(self) -> None:
        """Raise TrainingError unless exactly one of the two is given and positive."""
        given = [value for value in (self.pairs, self.minutes) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            raise TrainingError(
                "Give the length of the training as either --pairs or --minutes, above nought."
            )

    def fraction(self, pairs: int, seconds: float) -> float:
        """Return how much of the budget is used, 0..1, after so many pairs and seconds."""
        if self.pairs is not None:
            return min(pairs / self.pairs, 1.0)
        return min(seconds / (60.0 * (self.minutes or 1.0)), 1.0)
