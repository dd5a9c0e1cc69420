"""How a network does on people it has never seen, quickly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facedata.pairs import ATTRIBUTES, groups
from generator.devices import autocast
from generator.networks import TwoStage
from generator.training.batches import BatchMaker, one_hot_codes
from generator.training.data import PairSet, Stream, TrainingData, drawn_as
from generator.training.losses import contrastive, grey_levels, row_errors
from generator.training.recipes import Recipe

_PAIRS = 512
_CHUNK = 128
_GALLERY, _EACH, _QUERIES = 280, 14, 300  # each: faces of a person, two lights of the paper's seven poses


class Validation:
    """A fixed, seeded examination: errors on pairs, contrast on batches, recall@1 on a small gallery.

    The gallery is canonicalised as real galleries are: each face is drawn with every value, the closest
    drawing is kept and its middle-layer features are compared.
    """

    def __init__(
        self,
        faces: PairSet,
        data: TrainingData,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._faces, self._data, self._recipe = faces, data, recipe
        self._device, self._dtype = device, dtype
        rng = np.random.default_rng([seed, Stream.VALIDATION])
        pairs = faces.pairs.rows
        self._pairs = pairs[rng.permutation(len(pairs))[:_PAIRS]]
        self._gallery = _gallery_rows(data, faces, rng)
        candidates = pairs[np.isin(pairs[:, 1], self._gallery)]
        self._queries = candidates[rng.permutation(len(candidates))[:_QUERIES]]
        wanted = recipe.people_per_batch or 8
        each = max(1, (recipe.batch_size if recipe.people_per_batch else 64) // wanted)
        people = min(wanted, faces.pairs.people)
        settings = replace(recipe, batch_size=people * each, people_per_batch=people)
        self._contrast = BatchMaker(faces, data, settings, seed=seed, device=device, augmentation=None)
        self._one_hot = torch.from_numpy(one_hot_codes(data.vocabulary)).to(device)

    @torch.no_grad()
    def __call__(self, network: TwoStage) -> dict[str, float]:
        """Return the figures named in ``state.Entry``."""
        network.eval()
        try:
            return {**self._errors(network), **self._contrast_accuracy(network), **self._recall(network)}
        finally:
            network.train()

    def _errors(self, network: TwoStage) -> dict[str, float]:
        sums = np.zeros(2)
        for rows in np.array_split(self._pairs, max(1, len(self._pairs) // _CHUNK)):
            drawn = self._run(network, self._tensor(rows[:, 0]), self._faces.codes[rows[:, 1]])
            target = self._tensor(rows[:, 1], drawn=True)
            sums += [float(row_errors(one, target, self._recipe.error).sum()) for one in drawn[:2]]
        stage1, stage2 = sums / len(self._pairs) * grey_levels(self._data.std, self._recipe.error)
        return {"stage1": float(stage1), "stage2": float(stage2)}

    def _contrast_accuracy(self, network: TwoStage) -> dict[str, float]:
        loss, right = 0.0, 0.0
        for step in range(2):
            batch = self._contrast(step)
            with autocast(self._device, self._dtype):
                queries = network(batch.source, batch.wish)[2]
                positives = network(batch.positive_shown, batch.wish)[2]
            part, share = contrastive(queries, positives, batch.same, self._recipe.temperature)
            loss, right = loss + float(part) / 2, right + float(share) / 2
        return {"contrast": loss, "contrast_accuracy": right}

    def _recall(self, network: TwoStage) -> dict[str, float]:
        rows, queries = self._gallery, self._queries
        if not len(queries):
            return {}
        features, named = self._canonicalised(network, rows)
        asked = torch.cat(
            [
                self._run(network, self._tensor(part[:, 0]), self._faces.codes[part[:, 1]])[2].float()
                for part in np.array_split(queries, max(1, len(queries) // _CHUNK))
            ]
        )
        first = rows[(asked @ features.T).argmax(1).cpu().numpy()]
        wanted = queries[:, 1]
        persons, codes = self._faces.faces.persons, self._faces.codes
        right = (persons[first] == persons[wanted]) & (codes[first] == codes[wanted])
        found = {"recall1": float(right.mean()), "recall1_exact": float((first == wanted).mean())}
        if len(self._one_hot) > 1:  # a single value is never named wrongly
            found["value_accuracy"] = float((named == codes[rows]).mean())
        return found

    def _canonicalised(self, network: TwoStage, rows: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        """Features (N, D) of the closest drawings and the codes (N,) they were drawn with."""
        kept, named = [], []
        values = len(self._one_hot)
        for part in np.array_split(rows, max(1, len(rows) * values // (2 * _CHUNK))):
            pictures = self._tensor(part).repeat_interleave(values, 0)
            codes = np.tile(np.arange(values), len(part))
            _, drawn, features = self._run(network, pictures, codes)
            best = (drawn - pictures).square().flatten(1).sum(1).view(-1, values).argmin(1)
            places = torch.arange(len(part), device=best.device) * values + best
            kept.append(features[places].float())
            named.append(best.cpu().numpy())
        return torch.cat(kept), np.concatenate(named)

    def _run(
        self, network: TwoStage, pictures: Tensor, codes: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        with autocast(self._device, self._dtype):
            draft, drawn, features = network(
                pictures, self._one_hot[torch.from_numpy(codes).to(self._device)]
            )
        return draft.float(), drawn.float(), features

    def _tensor(self, rows: NDArray[np.int64], drawn: bool = False) -> Tensor:
        faces = self._faces.faces
        pictures = torch.from_numpy((drawn_as(faces) if drawn else faces.crops)[rows]).float()
        return ((pictures - self._data.mean) / self._data.std)[:, None].to(self._device)


def _gallery_rows(data: TrainingData, faces: PairSet, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of a small gallery: of each person in turn, a few whole groups (all values under one light).

    Only what can be wished for is in it, not what faces are merely changed from.
    """
    others = [name for name in ATTRIBUTES if name != data.attribute]
    group = groups(faces.faces, *others)
    wished = np.zeros(len(faces.faces), bool)
    wished[faces.pairs.rows[:, 1]] = True
    rows: list[NDArray[np.int64]] = []
    taken: dict[str, int] = {}
    for number in rng.permutation(int(group.max()) + 1):
        members = np.flatnonzero((group == number) & wished)
        if not len(members):
            continue
        person = str(faces.faces.persons[members[0]])
        if taken.get(person, 0) >= _EACH:
            continue
        taken[person] = taken.get(person, 0) + len(members)
        rows.append(members)
        if sum(map(len, rows)) >= _GALLERY:
            break
    return np.sort(np.concatenate(rows))
