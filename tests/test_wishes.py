"""What can be wished for, in whose words, and which weights know it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_faces import fake_engine, open_fake_detector, save_photo
from generators_made import POSES, pose_config
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import Result

import generator.available
from faces.errors import WishError
from generator.architecture import Architecture
from generator.attributes import EVERYDAY, AttributeGroup, Vocabulary, parse_wishes
from generator.available import weights_for, weights_knowing
from generator.checkpoint import load_generator, save_checkpoint
from generator.networks import TwoStage
from retrieval.detail import DEFAULT_FLOW, DEFAULT_RETOUCH
from retrieval.finder import Finder
from retrieval.indexing import index_folders

WORN = ("none", *EVERYDAY.values())
ACCESSORY = AttributeGroup("accessory", WORN)


def test_wishes_are_names_and_values() -> None:
    assert parse_wishes(["Pose = +30", "accessory=hat-1"]) == {"pose": "+30", "accessory": "hat-1"}
    assert parse_wishes([]) == {}


@pytest.mark.parametrize("text", ["+30", "", "=3"])
def test_a_wish_without_name_or_value_is_told_the_form(text: str) -> None:
    with pytest.raises(WishError, match=r"NAME=VALUE, such as pose=\+30"):
        parse_wishes([text])


def test_the_same_thing_cannot_be_wished_for_twice() -> None:
    with pytest.raises(WishError, match="pose is wished for twice"):
        parse_wishes(["pose=0", "POSE=15"])


@given(st.lists(st.text(max_size=20), max_size=3))
def test_no_text_breaks_the_parser_or_the_vocabulary(texts: list[str]) -> None:
    vocabulary = Vocabulary((AttributeGroup("pose", POSES), ACCESSORY))
    try:
        found = vocabulary.vector(parse_wishes(texts), np.ones(vocabulary.size, np.float32))
    except WishError:
        return
    assert found.shape == (len(POSES) + 7,)


@pytest.mark.parametrize(("word", "value"), [*EVERYDAY.items(), ("Brimmed hat", "hat-2"), ("NONE", "none")])
def test_accessories_have_everyday_names(word: str, value: str) -> None:
    assert ACCESSORY.meant(word) == [WORN.index(value)]


def test_everyday_names_are_told_and_known_only_where_the_value_is() -> None:
    with pytest.raises(WishError, match=r"none, hat-1 \(cap\), .*glasses-3 \(sunglasses\)"):
        ACCESSORY.meant("scarf")
    with pytest.raises(WishError, match="no accessory 'sunglasses'; choose one of: none, hat-1"):
        AttributeGroup("accessory", ("none", "hat-1")).meant("sunglasses")
    assert AttributeGroup("accessory", ("glasses-3", "sunglasses")).meant("sunglasses") == [1]


def save(folder: Path, *groups: AttributeGroup) -> None:
    """Small untrained weights with this vocabulary."""
    vocabulary = Vocabulary(groups)
    sizes = replace(pose_config(32, 8).architecture, attribute_size=vocabulary.size)
    torch.manual_seed(0)
    save_checkpoint(
        folder, TwoStage(sizes), replace(pose_config(32, 8), architecture=sizes, vocabulary=vocabulary)
    )


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights that come along: for poses, for accessories, for light, and to take a bar away."""
    place = tmp_path / "shipped"
    save(place / "accessories-32", ACCESSORY)
    save(place / "completion-32", AttributeGroup("accessory", ("none",)))
    save(place / "rotation-32", AttributeGroup("pose", POSES))
    save(place / DEFAULT_RETOUCH, AttributeGroup("light", ("even", "dim")))
    shutil.copytree(generator.available.SHIPPED / DEFAULT_FLOW, place / DEFAULT_FLOW)
    monkeypatch.setattr(generator.available, "SHIPPED", place)
    return place


def test_the_weights_that_know_a_wish_are_found_the_best_first(shipped: Path) -> None:
    assert weights_knowing({"pose": "30"}) == ["rotation-32"]
    assert weights_knowing({"accessory": "none"}) == ["accessories-32", "completion-32"]
    assert weights_knowing({"Accessory": "sunglasses"}) == ["accessories-32"]
    assert weights_knowing({"accessory": None}) == ["accessories-32", "completion-32"]
    assert weights_knowing({"pose": "30", "accessory": "none"}) == []
    assert weights_for({"accessory": "none"}) == "accessories-32"
    save(shipped / "both-32", AttributeGroup("pose", POSES), ACCESSORY)
    assert weights_knowing({"pose": "30", "accessory": "none"}) == ["both-32"]
    assert weights_for({"pose": "30"}) == "rotation-32"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"smile": "broad"}, "know 'smile'; choose one of: accessory, light, pose"),
        ({"pose": "+53"}, "the nearest is"),
        ({"accessory": "scarf"}, "no accessory 'scarf'; choose one of: none, hat-1"),
        ({"pose": "0", "accessory": "none"}, "know pose and accessory together"),
    ],
)
def test_what_no_weights_know_is_told_what_there_is(shipped: Path, wish: dict[str, str], words: str) -> None:
    with pytest.raises(WishError, match=words.replace("+", r"\+")):
        weights_for(wish)


@pytest.fixture
def posed(shipped: Path, tmp_path: Path) -> Iterator[Finder]:
    """A finder in a collection that only knows poses."""
    engine = fake_engine(name="rotation-32")
    save_photo(tmp_path / "photos" / "0.png", 0)
    place = tmp_path / "my pictures"
    index_folders(
        [tmp_path / "photos"], collection=place, engine=engine, detector=open_fake_detector, workers=0
    )
    with Finder(place, engine=engine, detector=open_fake_detector) as finder:
        yield finder


def test_a_collection_that_cannot_fulfil_a_wish_says_what_to_run(
    posed: Finder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = tmp_path / "photos" / "0.png"
    assert posed.search(query, wish={"pose": "0"}).wish == {"pose": "0"}
    command = "anotheryou reindex --weights rotation-32 --weights accessories-32"
    with pytest.raises(WishError) as caught:
        posed.search(query, wish={"accessory": "sunglasses"})
    assert "Nothing here knows 'accessory'; choose one of: pose." in str(caught.value)
    assert f"`{command} --collection '{tmp_path}/my pictures'` makes" in str(caught.value)
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", str(tmp_path / "my pictures"))
    with pytest.raises(WishError, match=f"`{command}` makes a collection know accessory as well"):
        posed.search(query, wish={"pose": "0", "accessory": "none"})


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"smile": "broad"}, "knows 'smile'; choose one of: pose"),
        ({"accessory": "scarf"}, "knows 'accessory'; choose one of: pose"),
        ({"pose": "+50"}, "choose one of: -45, 0"),
        ("sunglasses", "no value 'sunglasses'; choose one of pose: -45, 0"),
    ],
)
def test_wishes_that_nothing_fulfils_are_told_so(
    posed: Finder, tmp_path: Path, wish: dict[str, str] | str, words: str
) -> None:
    with pytest.raises(WishError, match=words) as caught:
        posed.search(tmp_path / "photos" / "0.png", wish=wish)
    assert "reindex" not in str(caught.value)


@pytest.fixture
def crop(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "crop.png"
    Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("option", "word", "weights"),
    [
        ("--pose", "+30", "rotation-32"),
        ("--accessory", "sunglasses", "accessories-32"),
        ("--wish", "accessory=none", "accessories-32"),
    ],
)
def test_edit_takes_the_weights_that_know_the_wish(
    shipped: Path,
    crop: Path,
    tmp_path: Path,
    run_cli: Callable[..., Result],
    option: str,
    word: str,
    weights: str,
) -> None:
    plain, named = tmp_path / "plain.png", tmp_path / "named.png"
    for out, more in ((plain, []), (named, ["--weights", shipped / weights])):
        result = run_cli("edit", crop, option, word, "--cropped", "--out", out, *more)
        assert result.exit_code == 0, result.stderr
    assert plain.read_bytes() == named.read_bytes()


def test_edit_draws_all_accessories_or_the_only_one(
    shipped: Path, crop: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    widths = []
    for weights in ("accessories-32", "completion-32"):
        out = tmp_path / f"{weights}.png"
        result = run_cli(
            "edit", crop, "--accessory", "all", "--cropped", "--out", out, "--weights", shipped / weights
        )
        assert result.exit_code == 0, result.stderr
        with Image.open(out) as strip:
            widths.append(strip.width)
    assert widths[0] > 7 * 160 > 3 * 160 > widths[1]


def test_wishes_of_several_weights_are_drawn_one_after_the_other(
    shipped: Path, crop: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    out, turner, dresser = tmp_path / "o.png", *map(load_generator, ("rotation-32", "accessories-32"))
    result = run_cli(
        "edit", crop, "--cropped", "--pose", "0", "--accessory", "cap", "--out", out, "--size", "32"
    )
    assert result.exit_code == 0, result.stderr
    turned = turner.draw(
        np.asarray(Image.open(crop))[None], np.eye(7, dtype=np.float32)[[POSES.index("0")]]
    ).stage2
    drawn = dresser.draw(turned, np.eye(7, dtype=np.float32)[[WORN.index("hat-1")]]).stage2[0]
    assert np.array_equal(np.asarray(Image.open(out)), drawn)
    result = run_cli(
        "edit", crop, "--cropped", "--pose", "all", "--accessory", "none", "--out", tmp_path / "strip.png"
    )
    assert result.exit_code == 0, result.stderr
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width > 7 * 160


def test_edit_says_in_one_line_what_no_weights_know(
    shipped: Path, crop: Path, tmp_path: Path, run_cli: Callable[..., Result]
) -> None:
    for options, words in (
        (["--pose", "0", "--accessory", "scarf"], "no accessory 'scarf'; choose one of: none, hat-1"),
        (["--pose", "all", "--accessory", "all"], "Only one attribute at a time"),
        (["--wish", "smile=all"], "know 'smile'; choose one of: accessory, light, pose"),
    ):
        result = run_cli("edit", crop, "--cropped", *options, "--out", tmp_path / "o.png")
        assert result.exit_code == 1 and words in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("word", "shares"),
    [
        ("+30", {"+30": 1}),
        ("30", {"+30": 1}),
        ("+20", {"+15": 2 / 3, "+30": 1 / 3}),
        ("-37.5", {"-45": 0.5, "-30": 0.5}),
        ("\N{MINUS SIGN}1.5", {"-15": 0.1, "0": 0.9}),
    ],
)
def test_an_angle_between_two_values_is_spread_over_both(word: str, shares: dict[str, float]) -> None:
    found = AttributeGroup("pose", POSES).spread(word)
    assert found == pytest.approx([shares.get(value, 0) for value in POSES], abs=1e-6)


def test_weights_with_a_single_value_draw_and_canonicalise(shipped: Path, rng: np.random.Generator) -> None:
    loaded = load_generator(shipped / "completion-32", device="cpu")
    assert loaded.config.architecture == replace(
        Architecture(), attribute_size=1, maps=8, fused_maps=16, attribute_hidden=64
    )
    crops = rng.integers(0, 256, (5, 32, 32), dtype=np.uint8)
    canonical = loaded.canonicalise(crops)
    assert canonical.values.tolist() == [[0]] * 5 and canonical.distances.shape == (5, 1)
    drawing = loaded.draw(crops, np.ones((5, 1), np.float32))
    assert np.allclose(drawing.features, canonical.features, atol=1e-3)
