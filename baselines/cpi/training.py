"""How CPI is trained: on which examples, to make what small."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.cpi.model import CPIConfig, save_cpi
from baselines.cpi.network import CPIArchitecture, CPINetwork
from facedata.labelled import number_of
from faces.crop import CropGeometry
from faces.errors import TrainingError
from faces.types import Ints
from generator.devices import autocast, keep_freed_memory, pick_precision
from generator.training import Budget, Entry, Options, Recipe, TrainingData
from generator.training.augmentation import mirror
from generator.training.data import PairSet, Stream, mirrored_places
from generator.training.state import Counters
from generator.training.trainer import Measures, Phase, Task, run_training

SAME_LIGHT = "same"
_POSE_WEIGHT = 0.1  # of any size: the pose head's loss moves nothing but the head
_VALIDATION_BATCHES = 8  # of other people, always the same
_CPU = torch.device("cpu")
_RECIPE = Recipe(
    name="cpi",
    batch_size=128,
    optimiser="adamw",
    learning_rate=1e-3,
    weight_decay=1e-4,
    warmup=0.03,
    cosine=True,
    clip_norm=1.0,
    ema_decay=0.999,
)


@dataclass(frozen=True, slots=True)
class CPISettings:
    """Everything that decides the outcome of a training beside data, seed and budget."""

    light: str = "07"  # of the drawings: the word of one (in Yim et al. frontal light), or ``same``
    recipe: Recipe = _RECIPE  # as our own networks: no rival shall lose by its optimiser
    auxiliary: float = 1.0  # weight of the auxiliary task beside the squared error of the drawing
    remote: float = 0.1  # weight, within the auxiliary task, of the remote code beside the input picture
    redrawn: float = 0.1  # share of examples that are turned on from a drawing of the network itself
    mirror: bool = True  # half of the examples mirrored, the sign of the pose turned

    def check(self) -> None:
        """Raise TrainingError if the settings contradict themselves."""
        if not self.light.strip():
            raise TrainingError("Name the light of the drawings, or say same.")
        if min(self.auxiliary, self.remote) < 0 or not 0 <= self.redrawn <= 1:
            raise TrainingError("Weights cannot be negative, and a share lies between 0 and 1.")
        if self.recipe.batch_size < 2 or not 0 < self.recipe.learning_rate < 10:
            raise TrainingError("A batch needs two examples or more, and a learning rate between 0 and 10.")


def train_cpi(
    data: TrainingData,
    settings: CPISettings,
    *,
    out: Path,
    budget: Budget,
    seed: int = 0,
    architecture: CPIArchitecture | None = None,
    options: Options | None = None,
) -> bool:
    """Train CPI on the processor and keep it in the folder ``out``, from which ``load_cpi`` reads it.

    The same call on the same folder goes on where a killed run stood.  ``architecture`` None is the usual one
    for these crops and poses.  Returns true if the budget is used up, false if it was stopped.
    Raises TrainingError if settings, budget, data or folder do not fit, or if the loss is no longer a number.
    """
    settings.check()
    budget.check()
    options, recipe = options or Options(), settings.recipe
    size, poses = data.train.faces.size, data.vocabulary.size
    geometry = CropGeometry(size=size)
    architecture = architecture or CPIArchitecture(size=size, poses=poses)
    dtype = pick_precision(options.precision, _CPU)
    keep_freed_memory()
    torch.manual_seed(seed)
    network = CPINetwork(architecture)
    learners = ExampleMaker(data.train, data, settings, seed)
    unseen: ExampleMaker | None = None
    if data.validation is not None:
        unseen = ExampleMaker(data.validation, data, replace(settings, mirror=False), seed)
    scales = {"error": data.std**2, "auxiliary": data.std**2}

    def backward(step: int) -> tuple[float, Measures]:
        count = round(settings.redrawn * recipe.batch_size)
        redrawn = np.random.default_rng([seed, Stream.CPI_REDRAW, step]).integers(0, poses, count)
        network.zero_grad(set_to_none=True)
        with autocast(_CPU, dtype):
            loss, measures = cpi_loss(network, learners(step), settings, torch.from_numpy(redrawn))
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach()), measures

    @torch.no_grad()
    def validate(network: CPINetwork) -> Measures:
        sums: Measures = {}
        if unseen is None:
            return sums
        for step in range(_VALIDATION_BATCHES):
            with autocast(_CPU, dtype):
                _, measures = cpi_loss(network, unseen(step), settings)
            for name, value in measures.items():
                sums[name] = sums.get(name, 0.0) + value * scales.get(name, 1.0) / _VALIDATION_BATCHES
        return sums

    def export(network: CPINetwork, counters: Counters, last: Entry | None) -> None:
        measured = last.validation if last else {}
        config = CPIConfig(
            architecture=architecture,
            geometry=geometry,
            mean=data.mean,
            std=data.std,
            poses=data.vocabulary.groups[0].values,
            light=settings.light,
            data={**data.description, "seed": seed, "settings": asdict(settings)},
            metrics={
                "examples_seen": counters.pairs,
                "minutes": round(counters.seconds / 60, 1),
                **{f"unseen_people_{name}": round(value, 4) for name, value in measured.items()},
            },
        )
        save_cpi(out, network, config)

    task = Task(
        network=network,
        phases=[Phase("cpi", list(network.parameters()), backward)],
        validate=validate,
        export=export,
        scales=scales,
        identity={
            "method": "cpi",
            "settings": asdict(settings),
            "architecture": asdict(architecture),
            "budget": asdict(budget),
            "seed": seed,
            "geometry": asdict(geometry),
            "data": data.description,
        },
    )
    return run_training(task, recipe, out, budget, options)


@dataclass(frozen=True)
class Examples:
    """B examples, standardised: (grey level - mean) / std."""

    source: Tensor  # (B, S, S) float32, what is turned
    target: Tensor  # (B, S, S) float32, the person in the pose of ``codes``, in the light to be drawn
    codes: Tensor  # (B,) int64 poses to turn to, the source's own among them
    own: Tensor  # (B,) int64 poses of the sources


class ExampleMaker:
    """Examples from a set of faces; the same seed and step always give the same ones.

    With ``settings.mirror`` half of them are mirrored.  Raises TrainingError if nobody was photographed in
    all poses in the light of the drawings.
    """

    def __init__(self, faces: PairSet, data: TrainingData, settings: CPISettings, seed: int) -> None:
        self._crops, self._mean, self._std = torch.from_numpy(faces.faces.crops), data.mean, data.std
        self._codes, self._batch_size, self._seed = faces.values[:, 0], settings.recipe.batch_size, seed
        poses, light = data.vocabulary.size, settings.light
        self.targets = target_rows(faces, poses=poses, light=light)
        self.sources = np.flatnonzero((self.targets >= 0).all(1))
        if not len(self.sources):
            wanted = "in one light" if light == SAME_LIGHT else f"in the light {light!r}"
            known = ", ".join(faces.faces.values("light")) or "none"
            raise TrainingError(
                f"Nobody in {faces.faces.name} was photographed in all {poses} poses {wanted}; its lights "
                f"are: {known}."
            )
        self._mirrored = mirrored_places(data.train, data.vocabulary) if settings.mirror else None

    def __call__(self, step: int) -> Examples:
        """Return examples number ``step``: random faces, each with a random pose; half of them mirrored."""
        rng = np.random.default_rng([self._seed, Stream.CPI_EXAMPLE, step])
        rows = self.sources[rng.integers(0, len(self.sources), self._batch_size)]
        codes = rng.integers(0, self.targets.shape[1], self._batch_size)
        own = self._codes[rows]
        source = self._crops[rows].float()
        target = self._crops[self.targets[rows, codes]].float()
        if self._mirrored is not None:
            turned = rng.random(self._batch_size) < 0.5
            source, target = (mirror(part, torch.from_numpy(turned)) for part in (source, target))
            codes, own = (np.where(turned, self._mirrored[part], part) for part in (codes, own))
        source, target = ((part - self._mean) / self._std for part in (source, target))
        return Examples(source, target, torch.from_numpy(codes), torch.from_numpy(own))


def target_rows(faces: PairSet, *, poses: int, light: str) -> Ints:
    """Return (N, V) rows of the pictures that show the person of face n in pose v, -1 if there is none.

    Targets have the light of that word, however a number is written ("7" for "07"), or, for ``same``, the
    light of face n.  Of several such pictures the last stands.
    """
    lights = np.array([_canonical(word) for word in faces.faces.lights.tolist()], dtype=np.str_)
    people = np.unique(faces.faces.persons, return_inverse=True)[1]
    words, which = np.unique(lights, return_inverse=True)
    table = np.full((int(people.max()) + 1, len(words), poses), -1, np.int64)
    table[people, which, faces.values[:, 0]] = np.arange(len(people))
    if light == SAME_LIGHT:
        return table[people, which]
    wanted = np.flatnonzero(words == _canonical(light))
    return table[people, wanted[0]] if len(wanted) else np.full((len(people), poses), -1, np.int64)


def _canonical(word: str) -> str:
    number = number_of(word)
    return word if number is None else f"{number:g}"


def cpi_loss(
    network: CPINetwork, examples: Examples, settings: CPISettings, redrawn_codes: Tensor | None = None
) -> tuple[Tensor, Measures]:
    """Return the loss to go down on, and its parts: ``error`` of the drawings, ``auxiliary`` of the inputs
    made anew (both squared, per pixel, standardised), and ``pose_right``, the share the head gets right.

    Yim et al. (2015) add the squared errors of the two tasks.  With ``redrawn_codes`` (R,) the first R
    sources are first turned to these poses by the network itself, and turned on from there.
    """
    codes = torch.eye(network.architecture.poses, device=examples.source.device)
    source, own = examples.source, examples.own
    if redrawn_codes is not None and len(redrawn_codes):
        count = len(redrawn_codes)
        with torch.no_grad():
            drawings = network.main(source[:count], codes[redrawn_codes])[0].to(source.dtype)
        source = torch.cat([drawings, source[count:]])
        own = torch.cat([redrawn_codes, own[count:]])
    remote = codes[examples.codes]
    drawn, recovery, hidden = network.main(source, remote)
    made, digits = network.auxiliary(drawn, recovery)
    logits = network.pose(hidden.detach())
    error = (drawn.float() - examples.target).square().mean()
    auxiliary = (made.float() - source).square().mean()
    returned = (digits.float() - remote).square().mean()
    pose = functional.cross_entropy(logits.float(), own)
    loss = error + settings.auxiliary * (auxiliary + settings.remote * returned) + _POSE_WEIGHT * pose
    right = (logits.detach().argmax(1) == own).float().mean()
    parts = {"error": error, "auxiliary": auxiliary, "pose_right": right}
    return loss, {name: float(value.detach()) for name, value in parts.items()}
