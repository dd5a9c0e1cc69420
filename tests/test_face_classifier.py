"""The classifier of what faces show: its training, its file, and what canonicalising does with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from generators_made import generator_made
from training_made import made_faces

from faces.errors import TrainingError, WeightsError
from faces.types import Floats, Pixels
from generator.attributes import AttributeGroup, Vocabulary
from generator.available import CLASSIFIER_FILE, weights_folder
from generator.classifier import Classifier, ClassifierNetwork, load_classifier
from generator.deferred import DeferredClassifier
from generator.model import Generator
from generator.training import Budget, Options, prepare
from generator.training.classifying import classification_loss, classifier_recipe, train_classifier

GROUPS = (AttributeGroup("pose", ("-30", "0", "+30")), AttributeGroup("light", ("even", "left", "right")))
VOCABULARY = Vocabulary(GROUPS)


def classifier_made(vocabulary: Vocabulary = VOCABULARY) -> Classifier:
    torch.manual_seed(0)
    network = ClassifierNetwork(32, vocabulary.size).eval().requires_grad_(False)
    return Classifier(network, vocabulary, 118.0, 70.0, 32, {"pose": 1.5}, vocabulary.mirrored)


@pytest.fixture
def crops(rng: np.random.Generator) -> Pixels:
    return rng.integers(0, 256, (5, 32, 32), dtype=np.uint8)


def test_probabilities_of_each_attribute_sum_to_one(crops: Pixels) -> None:
    found = np.exp(classifier_made()(crops))
    assert found.shape == (5, 6) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, :3].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found[:, 3:].sum(1), 1, atol=1e-5)
    assert classifier_made()(crops[:0]).shape == (0, 6)


def test_a_mirrored_face_shows_the_mirrored_values(crops: Pixels) -> None:
    classifier = classifier_made()
    mirrored = classifier(np.ascontiguousarray(crops[:, :, ::-1]))
    np.testing.assert_allclose(classifier(crops)[:, [2, 1, 0, 3, 5, 4]], mirrored, atol=1e-5)


def test_it_comes_back_from_its_file(crops: Pixels, tmp_path: Path) -> None:
    made = classifier_made()
    made.save(tmp_path)
    found = load_classifier(tmp_path)
    assert np.array_equal(found(crops), made(crops))
    assert found.temperatures == {"pose": 1.5}


def test_only_its_words_are_read_before_a_face_comes(crops: Pixels, tmp_path: Path) -> None:
    made = classifier_made()
    made.save(tmp_path)
    found = DeferredClassifier(tmp_path)
    assert (found.vocabulary, found.size) == (VOCABULARY, 32)
    assert np.array_equal(found(crops), made(crops))
    other = replace(made, temperatures={"pose": 1.6})
    other.save(tmp_path)
    assert DeferredClassifier(tmp_path).digest != found.digest


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    classifier_made().save(tmp_path)
    path = tmp_path / CLASSIFIER_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match="changed or is damaged"):
        load_classifier(tmp_path)
    path.write_bytes(whole[:1000])
    with pytest.raises(WeightsError, match="copy the whole folder again"):
        load_classifier(tmp_path)
    with pytest.raises(WeightsError, match="train-classifier"):
        DeferredClassifier(tmp_path)


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is no classifier"):
        DeferredClassifier(tmp_path)
    with pytest.raises(WeightsError, match="no classifier 'nonsense'; name a folder that"):
        DeferredClassifier("nonsense")


def test_a_classifier_is_no_weights(tmp_path: Path) -> None:
    classifier_made().save(tmp_path)
    for named in (tmp_path, "attributes-32"):
        with pytest.raises(WeightsError, match="draws nothing; give it with --classifier"):
            weights_folder(named)


def test_unknown_attributes_do_not_count() -> None:
    logits = torch.tensor([[4.0, 0.0, 0.0, 9.0, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0, 0.0, 9.0]])
    known = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    half = classification_loss(logits, known, VOCABULARY.places)
    alone = classification_loss(logits[:, :3], known[:, :3], {"pose": slice(0, 3)})
    assert half.item() == pytest.approx(alone.item())


def levels(generator: Generator, crops: Pixels, wishes: Floats) -> Floats:
    """What the plain network draws, (N, S, S), in grey levels that are not cut off."""
    x = (torch.from_numpy(crops.astype(np.float32)) - generator.config.mean) / generator.config.std
    with torch.inference_mode():
        drawn = generator._given(x[:, None], torch.from_numpy(wishes))[1]
    return np.asarray(drawn[:, 0].numpy() * generator.config.std + generator.config.mean, np.float32)


def test_an_attribute_can_be_left_open(crops: Pixels) -> None:
    generator = generator_made(maps=8, two_groups=True)
    one = generator.vocabulary.vector({"pose": "0", "accessory": "hat"})
    wishes = np.repeat(one[None], 5, 0)
    wishes[:, generator.vocabulary.places["pose"]] = 0
    drawn = generator.draw(crops, wishes)
    assert np.abs(drawn.stage2 - levels(generator, crops, wishes).clip(0, 255)).max() <= 1


def learned(folder: Path, budget: Budget, stop: bool = False) -> Floats:
    faces = made_faces(people=6, lights=2)
    data = prepare(faces, attribute="pose", seed=0)
    options = Options(precision="float32", threads=1, stop=lambda: stop)
    train_classifier(
        data, replace(classifier_recipe(), batch_size=32), out=folder, budget=budget, options=options
    )
    return load_classifier(folder)(faces.crops)


def test_it_learns_what_faces_show_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    budget = Budget(pairs=32 * 12)
    whole = learned(tmp_path / "whole", budget)
    for _ in range(3):
        learned(tmp_path / "parts", budget, stop=True)
    assert np.allclose(learned(tmp_path / "parts", budget), whole, atol=1e-5)


def test_somebody_must_validate(tmp_path: Path) -> None:
    data = replace(prepare(made_faces(people=6, lights=2), attribute="pose", seed=0), validation=None)
    with pytest.raises(TrainingError, match="nobody to validate on"):
        train_classifier(data, classifier_recipe(), out=tmp_path / "out", budget=Budget(pairs=128))
