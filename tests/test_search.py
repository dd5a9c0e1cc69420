"""A search draws the wish, looks the drawing up, and says plainly what is in its way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fake_faces import (
    DIMENSION,
    FACE,
    POSES,
    FakeEncoder,
    FakeFaces,
    FakeGroup,
    FakeVocabulary,
    open_fake_detector,
    save_photo,
)
from generators_made import generator_made
from PIL import Image

import retrieval
from faces.errors import (
    CollectionError,
    CollectionMissingError,
    CollectionWeightsError,
    NoFaceError,
    PhotoError,
    WishError,
)
from faces.types import Ints, Pixels
from index import Beginning, CollectionWriter
from retrieval import Finder, default_collection, draw_sheet, index_folders, open_collection, reindex
from retrieval.encoder import encoding_of
from retrieval.sheet import _sheet


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(12):
        save_photo(tmp_path / "photos" / f"{number}.png", number, faces=1 + number % 2)
    return tmp_path / "photos"


@pytest.fixture
def place(tmp_path: Path, photos: Path) -> Path:
    place = tmp_path / "collection"
    index_folders([photos], collection=place, encoder=FakeEncoder(), detector=open_fake_detector, workers=0)
    return place


@pytest.fixture
def finder(place: Path) -> Iterator[Finder]:
    with Finder(place, encoder=FakeEncoder(), detector=open_fake_detector) as finder:
        yield finder


def test_without_a_wish_a_face_finds_itself_first(finder: Finder, photos: Path) -> None:
    answer = finder.search(photos / "4.png", k=5)
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4, 5]
    assert answer.hits[0].path == str(photos / "4.png")
    assert answer.hits[0].distance < 1e-3
    distances = [hit.distance for hit in answer.hits]
    assert distances == sorted(distances)
    assert answer.drawing.wish == {}
    np.testing.assert_array_equal(answer.hits[0].crop, answer.query.crop)


@pytest.mark.parametrize("pose", POSES)
def test_a_wish_finds_faces_of_that_kind_first(finder: Finder, photos: Path, pose: str) -> None:
    answer = finder.search(photos / "4.png", wish={"pose": pose}, k=3)
    everything = finder.search(photos / "4.png", k=99)
    of_pose = [hit for hit in everything.hits if hit.estimates["pose"] == pose]
    expected = {hit.face_id for hit in of_pose}
    assert expected
    found = [hit.face_id for hit in answer.hits]
    assert set(found[: len(expected)]) <= expected or expected <= set(found)
    assert answer.drawing.wish == {"pose": pose}


def test_the_query_photograph_and_its_copies_can_be_left_out(
    finder: Finder, photos: Path, place: Path, tmp_path: Path
) -> None:
    shutil.copy(photos / "4.png", photos / "copy.png")
    index_folders([photos], collection=place, encoder=FakeEncoder(), detector=open_fake_detector, workers=0)
    elsewhere = shutil.copy(photos / "4.png", tmp_path / "query.png")
    for query in (photos / "4.png", elsewhere):
        with_own = {Path(hit.path).name for hit in finder.search(query, k=99).hits}
        without = {Path(hit.path).name for hit in finder.search(query, k=99, same_photo=False).hits}
        assert with_own - without == {"4.png", "copy.png"}


def test_the_largest_face_is_taken_unless_another_is_picked(
    finder: Finder, photos: Path, tmp_path: Path
) -> None:
    first = finder.search(photos / "3.png")
    second = finder.search(photos / "3.png", face=2)
    assert (first.query.number, first.query.count, second.query.number) == (1, 2, 2)
    assert first.query.box.left == 0
    assert second.query.box.left == FACE
    assert first.hits[0].face_id != second.hits[0].face_id
    with pytest.raises(NoFaceError, match="there is no face 3, there are only 2 faces"):
        finder.search(photos / "3.png", face=3)
    with pytest.raises(NoFaceError, match="no face was found"):
        finder.search(save_photo(tmp_path / "landscape.png", 1, faces=0))


def test_a_missing_query_and_an_unknown_wish_are_named(finder: Finder, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"nowhere\.jpg"):
        finder.search(tmp_path / "nowhere.jpg")
    with pytest.raises(WishError, match="choose one of: -45, 0"):
        finder.search(photos / "4.png", wish={"pose": "+50"})


def test_no_collection_an_empty_one_and_other_weights_are_named(tmp_path: Path, place: Path) -> None:
    with pytest.raises(CollectionMissingError, match="anotheryou index FOLDER"):
        Finder(tmp_path / "nowhere", encoder=FakeEncoder())
    empty = tmp_path / "empty"
    CollectionWriter(empty, Beginning(encoding_of(FakeEncoder()), "", 24)).close()
    with pytest.raises(CollectionError, match="no faces yet"):
        Finder(empty, encoder=FakeEncoder())
    with pytest.raises(CollectionWeightsError, match="anotheryou reindex"):
        Finder(place, encoder=FakeEncoder("ffffffffffff", "other"))


def test_a_finder_notices_that_the_collection_was_made_again_with_other_weights(
    finder: Finder, photos: Path, place: Path
) -> None:
    reindex(collection=place, encoder=FakeEncoder("ffffffffffff", "other"))
    with pytest.raises(CollectionWeightsError):
        finder.search(photos / "4.png")


def test_a_finder_sees_photographs_indexed_after_it_was_opened(
    finder: Finder, photos: Path, place: Path
) -> None:
    before = len(finder.search(photos / "4.png", k=99).hits)
    save_photo(photos / "new.png", 99, faces=2)
    index_folders([photos], collection=place, encoder=FakeEncoder(), detector=open_fake_detector, workers=0)
    assert len(finder.search(photos / "4.png", k=99).hits) == before + 2


@dataclass(frozen=True)
class TwoGroups(FakeVocabulary):
    """Poses with and without glasses."""

    groups: tuple[FakeGroup, ...] = (FakeGroup("pose", POSES), FakeGroup("glasses", ("no", "yes")))

    def codes(self, wish: object, /) -> Ints:
        wanted = {(name.lower(), value) for name, value in dict(wish).items()}  # type: ignore[call-overload]
        return np.array([code for code in range(6) if wanted <= set(self.label(code).items())], np.int64)

    def label(self, code: int, /) -> dict[str, str]:
        return {"pose": POSES[code // 2], "glasses": ("no", "yes")[code % 2]}


@dataclass(frozen=True)
class GlassesEncoder(FakeEncoder):
    """Sees pose +45 and glasses on everybody, and keeps what it was asked to draw."""

    vocabulary: FakeVocabulary = TwoGroups()

    def draw(self, crops: Pixels, codes: Ints, /) -> FakeFaces:
        features = np.zeros((len(crops), DIMENSION), np.float32)
        features[np.arange(len(crops)), codes] = 1
        images = np.repeat(codes, crops[0].size).reshape(crops.shape).astype(np.uint8)
        return FakeFaces(codes, images, features, np.zeros((len(crops), 6), np.float32))

    def canonicalise(self, crops: Pixels, /) -> FakeFaces:
        return self.draw(crops, np.full(len(crops), 5))


def test_what_a_wish_does_not_name_stays_as_it_is(tmp_path: Path, photos: Path) -> None:
    encoder, place = GlassesEncoder(), tmp_path / "glasses"
    index_folders([photos], collection=place, encoder=encoder, detector=open_fake_detector, workers=0)
    with Finder(place, encoder=encoder, detector=open_fake_detector) as finder:
        for wish, code in (({"Pose": "-45"}, 1), ({"glasses": "no"}, 4), ({"pose": "0", "glasses": "no"}, 2)):
            answer = finder.search(photos / "0.png", wish=wish)
            assert answer.drawing.image[0, 0] == code
            assert answer.drawing.wish == {name.lower(): value for name, value in wish.items()}


def test_the_sheet_shows_query_drawing_and_hits(finder: Finder, photos: Path, tmp_path: Path) -> None:
    answer = finder.search(photos / "3.png", wish={"pose": "+45"}, k=7)
    (photos / "5.png").unlink()
    draw_sheet(answer, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        narrow = sheet.size
        pixels = np.asarray(sheet)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000
    draw_sheet(answer, tmp_path / "sheet.jpg", columns=9)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > narrow[0]
        assert sheet.height < narrow[1]
    nobody = retrieval.Answer(answer.query, answer.drawing, ())
    assert _sheet(nobody, 5).height < narrow[1]


def test_odd_names_and_faces_at_the_edge_do_not_stop_the_sheet(finder: Finder, photos: Path) -> None:
    odd = photos / "a\nvery\tlong name \U0001f600 of a photograph that nobody could ever draw on one card.png"
    shutil.copy(photos / "4.png", odd)
    answer = finder.search(odd, k=2)
    assert _sheet(answer, 5).width > 500


def test_the_default_collection_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", str(tmp_path / "mine"))
    assert default_collection() == tmp_path / "mine"
    monkeypatch.delenv("ANOTHERYOU_COLLECTION")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_collection() == tmp_path / "anotheryou" / "collection"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_collection() == Path.home() / ".local" / "share" / "anotheryou" / "collection"
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", str(tmp_path / "mine"))
    with pytest.raises(CollectionMissingError, match="mine"):
        open_collection()


def test_the_public_names_are_these() -> None:
    assert sorted(retrieval.__all__) == [
        "Answer",
        "Drawn",
        "Finder",
        "Hit",
        "IndexSummary",
        "QueryFace",
        "ReindexSummary",
        "default_collection",
        "draw_sheet",
        "forget",
        "index_folders",
        "open_collection",
        "reindex",
        "search",
    ]
    assert all(hasattr(retrieval, name) for name in retrieval.__all__)


def test_real_photographs_real_faces_and_real_drawings_go_together(tmp_path: Path, photos_path: Path) -> None:
    """The whole way with the detector and networks that come along, the networks' weights left to chance."""
    names = [f"{who}_{way}_neutral_open.pgm" for who in ("an2i", "at33") for way in ("straight", "up")]
    for name in names:
        (tmp_path / "real").mkdir(exist_ok=True)
        shutil.copy(photos_path / "cmu_faces" / name, tmp_path / "real")
    generator, place = generator_made(), tmp_path / "collection"
    summary = index_folders(
        [tmp_path / "real"], collection=place, encoder=generator, workers=1, detector="hog"
    )
    assert summary.photographs == 4
    assert summary.faces >= 2
    with Finder(place, encoder=generator, detector="hog") as finder:
        query = tmp_path / "real" / names[0]
        answer = finder.search(query)
        assert answer.hits[0].path == str(query)
        assert answer.hits[0].distance < 0.05
        turned = finder.search(query, wish={"pose": "30"}, k=2)
        assert turned.drawing.wish == {"pose": "+30"}
        assert turned.drawing.image.shape == (32, 32)
        draw_sheet(turned, tmp_path / "sheet.png")
        with pytest.raises(WishError, match="the nearest is"):
            finder.search(query, wish={"pose": "+31"})
