"""Weights and classifiers that are read when the first face comes: a search for somebody known needs none."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from faces.errors import WeightsError
from faces.types import Floats, Pixels
from generator.available import (
    CLASSIFIER_FILE,
    CONFIG_FILE,
    SHIPPED,
    WEIGHTS_FILE,
    find_weights,
    first_line,
    parse_classifier,
    parse_config,
    read_config,
    read_metadata,
    weights_folder,
)
from generator.config import essentials

if TYPE_CHECKING:
    from generator.classifier import Classifier
    from generator.model import Canonical, Drawing, Generator


class DeferredGenerator:
    """A ``Generator`` of which only the configuration is read, until it has to draw.

    If the weights do not carry the same configuration they are loaded at once (see ``checkpoint``).  Raises
    WeightsError if there are no such weights, or when drawing if they cannot be used.
    """

    def __init__(self, name_or_folder: str | Path) -> None:
        self.folder = weights_folder(name_or_folder).resolve()
        self.name = self.folder.name
        self.config, self.weights_id = read_config(self.folder / CONFIG_FILE)
        try:
            config, identity = parse_config(read_metadata(self.folder / WEIGHTS_FILE).get("config", ""))
            agreed = identity == self.weights_id and essentials(config) == essentials(self.config)
        except (SafetensorError, OSError, ValueError, RecursionError):
            agreed = False
        if not agreed:
            self.config, self.weights_id = self._loaded.config, self._loaded.weights_id
        self.geometry, self.vocabulary = self.config.geometry, self.config.vocabulary

    def draw(self, crops: Pixels, wishes: Floats) -> Drawing:
        """Draw as ``Generator.draw`` does."""
        return self._loaded.draw(crops, wishes)

    def canonicalise(self, crops: Pixels) -> Canonical:
        """Canonicalise as ``Generator.canonicalise`` does."""
        return self._loaded.canonicalise(crops)

    @cached_property
    def _loaded(self) -> Generator:
        from generator.checkpoint import load_generator

        return load_generator(self.folder)


class DeferredClassifier:
    """A ``Classifier`` of which only the words are read, until a face comes.

    ``size`` is the side of the crops it looks at, ``digest`` stands for all of it.  Raises WeightsError if
    there is no such classifier, or when looking if it cannot be used.
    """

    def __init__(self, name_or_folder: str | Path) -> None:
        self.folder = find_weights(
            name_or_folder, SHIPPED, holding=CLASSIFIER_FILE, what="classifier", command="train-classifier"
        ).resolve()
        self.name = self.folder.name
        path = self.folder / CLASSIFIER_FILE
        try:
            self.vocabulary, self.size, self.digest = parse_classifier(read_metadata(path))
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"{path} is no classifier ({first_line(error)}); name a folder that `anotheryou "
                "train-classifier` has written."
            ) from None

    def __call__(self, crops: Pixels) -> Floats:
        """Tell what faces show as ``Classifier`` does."""
        return self._loaded(crops)

    @cached_property
    def _loaded(self) -> Classifier:
        from generator.classifier import load_classifier

        return load_classifier(self.folder)
