"""A search draws the wish, ranks the collection's faces by it, and says plainly what is in its way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_faces import (
    ACCESSORY,
    BOTH,
    FACE,
    OTHER,
    POSE,
    POSES,
    WORN,
    FakeClassifier,
    FakeDetector,
    fake_engine,
    fake_models,
    open_fake_detector,
    save_person,
    save_photo,
    unused_detector,
)
from generators_made import generator_made
from PIL import Image

import anotheryou
from anotheryou import (
    Answer,
    Finder,
    default_collection,
    draw_sheet,
    index_folders,
    open_collection,
    reindex,
)
from faces.errors import (
    CollectionError,
    CollectionMissingError,
    CollectionWeightsError,
    NoFaceError,
    PhotoError,
    WishError,
)
from generator.attributes import AttributeGroup, Vocabulary
from generator.projection import Projection
from index import CollectionWriter, NewCollection
from retrieval.answers import SHOWS
from retrieval.calibration import read_calibration
from retrieval.engine import Engine
from retrieval.examine import content_of
from retrieval.identity import DlibIdentity
from retrieval.parts import Encoding, Telling
from retrieval.query import Picture, wanted_by
from retrieval.sheet import sheet_of

Ask = Callable[..., Answer]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Strangers, and two people, each turned to three sides with another accessory."""
    for number in range(12):
        save_photo(tmp_path / "photos" / f"{number}.png", number, faces=1 + number % 2)
    for person, name in enumerate(("ann", "bob")):
        for number, pose in enumerate(POSES):
            worn = WORN[(number + person) % 3]
            save_person(tmp_path / "photos" / f"{name}{pose}.png", person, pose, worn)
    return tmp_path / "photos"


def filled(place: Path, photos: Path, engine: Engine | None = None) -> Path:
    index_folders(
        [photos], collection=place, engine=engine or fake_engine(), detector=open_fake_detector, workers=0
    )
    return place


@pytest.fixture
def place(tmp_path: Path, photos: Path) -> Path:
    return filled(tmp_path / "collection", photos)


@pytest.fixture
def finder(place: Path) -> Iterator[Finder]:
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        yield finder


@pytest.fixture
def both(tmp_path: Path, photos: Path) -> Iterator[Finder]:
    """A finder in a collection of two encodings, one for poses and one for accessories."""
    engine = fake_engine(vocabularies=(POSE, ACCESSORY))
    with Finder(
        filled(tmp_path / "both", photos, engine), engine=engine, detector=open_fake_detector
    ) as finder:
        yield finder


def names(answer: Answer) -> list[str]:
    return [Path(hit.path).name for hit in answer.hits]


def told(answer: Answer) -> list[object]:
    """All that an answer says, without the query's name."""
    hits = [(hit.face_id, hit.probability, hit.same_person, hit.met, hit.estimates) for hit in answer.hits]
    return [hits, answer.wish, answer.remarks, answer.drawing.tobytes(), answer.query.crop.tobytes()]


def test_without_a_wish_a_face_finds_itself_first(finder: Finder, photos: Path) -> None:
    answer = finder.search(photos / "4.png", k=5, same_photo=True)
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4, 5]
    assert answer.hits[0].path == str(photos / "4.png")
    assert answer.hits[0].similarity == pytest.approx(1, abs=1e-3)
    assert answer.hits[0].probability == answer.hits[0].same_person > 0.99 > answer.hits[1].probability
    probabilities = [hit.probability for hit in answer.hits]
    assert probabilities == sorted(probabilities, reverse=True)
    assert answer.wish == {} and answer.remarks == () and answer.probable == 1
    np.testing.assert_array_equal(answer.hits[0].crop, answer.query.crop)


def test_a_folder_keeps_to_what_lies_below_it(place: Path, photos: Path) -> None:
    (photos / "kept").mkdir()
    for name in ("ann0.png", "3.png"):
        (photos / name).rename(photos / "kept" / name)
    filled(place, photos)
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        everything = finder.search(photos / "ann-45.png", wish="0", k=99)
        below = finder.search(photos / "ann-45.png", wish="0", k=99, below=photos / "kept")
        kept = [hit.face_id for hit in everything.hits if "/kept/" in hit.path]
        assert [hit.face_id for hit in below.hits] == kept and len(kept) == 3
        shown = finder.search(photos / "ann-45.png", wish="0", k=99, below=photos / "kept", only=True)
        assert names(shown) == ["ann0.png"]
        with pytest.raises(CollectionError, match=r"no faces in .*nowhere; name a folder that was indexed"):
            finder.search(photos / "ann-45.png", below=photos / "nowhere")


@pytest.mark.parametrize("pose", POSES)
def test_a_wish_finds_the_person_as_wished_first(finder: Finder, photos: Path, pose: str) -> None:
    for person in ("ann", "bob"):
        for own in set(POSES) - {pose}:
            answer = finder.search(photos / f"{person}{own}.png", wish={"pose": pose}, k=4)
            assert names(answer)[0] == f"{person}{pose}.png"
            assert answer.probable == 1 and answer.hits[0].met["pose"] > 0.9
            assert answer.hits[1].same_person > 0.9 > 0.1 > answer.hits[1].met["pose"]
            assert answer.wish == {"pose": pose} and answer.remarks == ()
            assert answer.drawing[0, 0] == POSES.index(pose)


def test_a_hit_tells_which_face_it_is_and_whether_its_file_is_still_there(
    finder: Finder, photos: Path
) -> None:
    second = finder.search(photos / "3.png", face=2, same_photo=True).hits[0]
    assert (second.number, second.count, second.box.left, second.exists) == (2, 2, FACE, True)
    (photos / "ann0.png").unlink()
    gone = finder.search(photos / "ann+45.png", wish={"pose": "0"}).hits[0]
    assert (Path(gone.path).name, gone.exists, gone.number, gone.count) == ("ann0.png", False, 1, 1)


def test_a_known_photograph_is_not_detected_again(finder: Finder, place: Path, photos: Path) -> None:
    looked = finder.search(save_photo(photos / "new.png", 50), wish={"pose": 0})
    assert not looked.query.known
    with Finder(place, engine=fake_engine(), detector=unused_detector) as blind:
        for query in (photos / "3.png", shutil.copy(photos / "3.png", photos / "copy.png")):
            answer = blind.search(query, face=2)
            assert answer.query.known and (answer.query.number, answer.query.count) == (2, 2)
            assert answer.query.path == str(query)
        known = blind.search(photos / "ann0.png", wish={"pose": "+45"})
        with pytest.raises(NoFaceError, match="there is no face 3, there are only 2 faces"):
            blind.search(photos / "3.png", face=3)
        save_photo(photos / "3.png", 51)  # another photograph now, under the same name
        with pytest.raises(AssertionError):
            blind.search(photos / "3.png")
    unknown = finder.search(save_person(photos / "x.png", 0, "0", WORN[1], seed=1), wish={"pose": "+45"})
    assert names(known)[0] == names(unknown)[0] == "ann+45.png"


def test_the_query_photograph_and_its_copies_are_left_out_unless_asked_for(
    finder: Finder, photos: Path, place: Path, tmp_path: Path
) -> None:
    shutil.copy(photos / "4.png", photos / "copy.png")
    filled(place, photos)
    elsewhere = Path(shutil.copy(photos / "4.png", tmp_path / "query.png"))
    for query in (photos / "4.png", elsewhere, elsewhere.read_bytes()):
        with_own = set(names(finder.search(query, k=99, same_photo=True)))
        assert with_own - set(names(finder.search(query, k=99))) == {"4.png", "copy.png"}


def test_the_largest_face_is_taken_unless_another_is_picked(
    finder: Finder, photos: Path, tmp_path: Path
) -> None:
    unknown = save_photo(tmp_path / "unknown.png", 60, faces=2)
    for query in (photos / "3.png", unknown):
        first, second = finder.search(query), finder.search(query, face=2)
        assert (first.query.number, first.query.count, second.query.number) == (1, 2, 2)
        assert (first.query.box.left, second.query.box.left) == (0, FACE)
        assert first.query.landmarks.left_eye[0] + FACE == second.query.landmarks.left_eye[0]
        assert (first.query.crop != second.query.crop).any()
        with pytest.raises(NoFaceError, match="there is no face 3, there are only 2 faces"):
            finder.search(query, face=3)
    with pytest.raises(NoFaceError, match="no face was found"):
        finder.search(save_photo(tmp_path / "landscape.png", 1, faces=0))


@pytest.mark.parametrize(
    ("wish", "named", "target"),
    [
        ({"pose": 45}, {"pose": "+45"}, 2),
        ({"Pose": "45"}, {"pose": "+45"}, 2),
        ("+45", {"pose": "+45"}, 2),
        ("pose=+45", {"pose": "+45"}, 2),
        ({"pose": "−45"}, {"pose": "-45"}, 0),
        ({"pose": 30}, {"pose": "+30"}, 2),
        ({"pose": -12.5}, {"pose": "-12.5"}, 1),
        ("sunglasses", {"accessory": "glasses-3"}, 2),
        ("none, pose=0", {"accessory": "none", "pose": "0"}, None),
        ({"accessory": "cap", "pose": 0.0}, {"accessory": "hat-1", "pose": "0"}, None),
    ],
)
def test_a_wish_may_be_said_in_many_ways(
    both: Finder, photos: Path, wish: object, named: dict[str, str], target: int | None
) -> None:
    answer = both.search(photos / "0.png", wish=wish)  # type: ignore[arg-type]
    assert answer.wish == named
    assert set(answer.hits[0].met) == set(named)
    assert target is None or answer.drawing[0, 0] == target


def test_any_angle_between_the_values_can_be_wished(finder: Finder, photos: Path) -> None:
    met = {
        degrees: {Path(hit.path).name: hit.met["pose"] for hit in answer.hits}
        for degrees in (0, 10, 20, 30, 45)
        if (answer := finder.search(photos / "ann-45.png", wish={"pose": degrees}, k=99))
    }
    straight, turned = [[met[degrees][f"ann{pose}.png"] for degrees in met] for pose in ("0", "+45")]
    assert straight == sorted(straight, reverse=True) and turned == sorted(turned)
    assert straight[0] > 0.99 > straight[1] > 0.5 and turned[-1] > 0.99
    assert names(finder.search(photos / "ann-45.png", wish={"pose": 10}))[0] == "ann0.png"
    assert names(finder.search(photos / "ann-45.png", wish={"pose": 35}))[0] == "ann+45.png"


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"pose": "+50"}, "There is no pose '+50'; the nearest is +45; choose one of: -45, 0, +45."),
        ({"pose": float("nan")}, "no pose"),
        ({"accessory": "scarf"}, r"choose one of: none, hat-1 (cap), glasses-3 (sunglasses)."),
        ({"smile": "broad"}, "Nothing here knows 'smile'; choose one of: pose, accessory."),
        ("monocle", "There is no value 'monocle'; choose one of pose: -45, 0, +45; accessory: none, hat-1,"),
        ("pose=0,pose=+45", "pose is wished for twice"),
        ("=3", "A wish has the form NAME=VALUE"),
    ],
)
def test_what_nobody_knows_is_one_sentence_with_what_there_is(
    both: Finder, photos: Path, wish: object, sentence: str
) -> None:
    with pytest.raises(WishError) as caught:
        both.search(photos / "nowhere.png", wish=wish)  # type: ignore[arg-type]
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_shall_not_be_shown_goes_together_with_a_wish(both: Finder, photos: Path) -> None:
    query = photos / "ann+45.png"  # in sunglasses
    plain = both.search(query, not_="sunglasses", k=2)
    assert (plain.wish, plain.unwished) == ({}, ("glasses-3",))
    assert sorted(names(plain)) == ["ann-45.png", "ann0.png"] and plain.probable == 2
    assert all(hit.met["not sunglasses"] > 0.9 for hit in plain.hits)
    assert plain.drawing[0, 0] != 2
    answer = both.search(query, wish="-45", not_=["accessory=sunglasses", "cap"], k=2)
    assert set(answer.hits[0].met) == {"pose", "not sunglasses", "not cap"}
    assert names(answer)[0] == "ann-45.png" and answer.probable == 1
    nobody = both.search(query, wish={"pose": 0}, not_="cap, sunglasses", only=True, k=99)
    assert "ann0.png" not in names(nobody)
    assert sheet_of(plain).size[1] > 0
    with pytest.raises(WishError, match="There is no value 'monocle'"):
        both.search(query, not_="monocle")


def test_a_word_that_two_attributes_share_must_be_named() -> None:
    engine = fake_engine(vocabularies=(POSE, Vocabulary((AttributeGroup("accessory", (*WORN, "+45")),))))
    with pytest.raises(
        WishError, match=r"'\+45' may mean pose or accessory; say pose=\+45 or accessory=\+45"
    ):
        wanted_by("+45", (), engine)
    assert wanted_by("sunglasses", (), engine)[0].word == "glasses-3"


def test_two_encodings_answer_each_wish_and_both_together(both: Finder, photos: Path) -> None:
    query = photos / "ann-45.png"  # without anything on
    assert both.search(query).query.estimates == {"pose": "-45", "accessory": "none"}
    assert names(both.search(query, wish={"pose": "0"}))[0] == "ann0.png"
    assert names(both.search(query, wish={"accessory": "sunglasses"}))[0] == "ann+45.png"
    answer = both.search(query, wish={"pose": "0", "accessory": "cap"})
    assert names(answer)[0] == "ann0.png"
    assert answer.probable == 1 and min(answer.hits[0].met.values()) > 0.9
    # The drawing is by both networks, one after the other.
    pose, accessory = both.engine.encodings
    wishes = np.eye(3, dtype=np.float32)[1:2]
    drawn = accessory.generator.draw(pose.generator.draw(answer.query.crop[None], wishes).stage2, wishes)
    np.testing.assert_array_equal(answer.drawing, drawn.stage2[0])


def test_wishes_that_cannot_be_met_together_are_told(both: Finder, photos: Path) -> None:
    query = photos / "ann-45.png"
    answer = both.search(query, wish={"pose": "+45", "accessory": "cap"})
    assert answer.probable == 0 and answer.hits[0].same_person > 0.9
    assert answer.doubt.startswith("this person is here, but probably not as wished")
    assert answer.remarks[0].endswith(
        "to show pose +45 and accessory cap; none of them is probably this person"
    )
    assert answer.remarks[1] == "each wish is met by some picture of this person, but no picture meets all"
    (photos / "ann0.png").unlink()
    index_folders(
        [photos],
        collection=both.collection.place,
        engine=both.engine,
        detector=open_fake_detector,
        workers=0,
    )
    answer = both.search(query, wish={"pose": "+45", "accessory": "cap"})
    assert answer.remarks[1] == "no likely picture of this person shows accessory cap"


def test_a_summary_says_how_many_faces_show_the_wish_if_none_is_the_person(
    finder: Finder, photos: Path, tmp_path: Path
) -> None:
    stranger = save_person(tmp_path / "stranger.png", 9)
    for pose in POSES:
        answer = finder.search(stranger, wish={"pose": pose}, k=99)
        showing = sum(hit.met["pose"] >= SHOWS for hit in answer.hits)
        assert showing > 1 and answer.probable == 0 and answer.doubt.startswith("probably nobody here")
        assert answer.remarks == (
            f"{showing} faces here seem to show pose {pose}; none of them is probably this person",
        )
    single = save_person(tmp_path / "alone" / "a.png", 0, "+45").parent
    engine = fake_engine()
    with Finder(filled(tmp_path / "few", single), engine=engine, detector=open_fake_detector) as few:
        remarks = few.search(stranger, wish="+45").remarks
        assert remarks == ("1 face here seems to show pose +45; none of them is probably this person",)
        assert few.search(stranger, wish="0").remarks == ("no face here seems to show pose 0",)


def test_only_keeps_to_faces_that_show_every_wish(both: Finder, photos: Path) -> None:
    everything = both.search(photos / "ann-45.png", wish={"pose": "0", "accessory": "cap"}, k=99)
    showing = [hit.face_id for hit in everything.hits if min(hit.met.values()) >= SHOWS]
    assert 0 < len(showing) < len(everything.hits)
    kept = both.search(photos / "ann-45.png", wish={"pose": "0", "accessory": "cap"}, k=99, only=True)
    assert [hit.face_id for hit in kept.hits] == showing
    nobody = both.search(photos / "0.png", wish={"pose": -22, "accessory": "cap"}, only=True)
    assert nobody.hits == () and nobody.remarks[0].startswith("no face here seems to show pose -22 and")
    # Without a wish every face does.
    plain = both.search(photos / "ann-45.png", k=99, only=True)
    assert len(plain.hits) == len(everything.hits)


def test_at_least_keeps_to_hits_of_this_probability(finder: Finder, photos: Path, tmp_path: Path) -> None:
    everything = finder.search(photos / "ann-45.png", k=99)
    kept = finder.search(photos / "ann-45.png", k=99, at_least=0.5)
    assert (
        names(kept) == names(everything)[: everything.probable] and kept.probable == everything.probable == 2
    )
    nobody = finder.search(save_person(tmp_path / "stranger.png", 9), wish="0", at_least=0.5)
    assert nobody.hits == () and "none of them is probably this person" in nobody.remarks[0]


@pytest.mark.parametrize("wish", [None, "+45", {"pose": 20}])
def test_a_path_bytes_a_picture_and_an_array_give_the_same_answer(
    place: Path, tmp_path: Path, wish: object
) -> None:
    path = save_person(tmp_path / "query.png", 0, "0", seed=7)
    with (
        Image.open(path) as picture,
        Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder,
    ):
        forms: list[Picture] = [path, str(path), path.read_bytes(), picture, np.asarray(picture)]
        answers = [finder.search(form, wish=wish) for form in forms]  # type: ignore[arg-type]
    assert all(told(answer) == told(answers[0]) for answer in answers)
    assert answers[0].query.path == answers[1].query.path == str(path)
    assert answers[2].query.path == "the picture"


def test_pictures_that_are_none_are_named(finder: Finder, tmp_path: Path) -> None:
    for wrong in (b"", b"no picture"):
        with pytest.raises(PhotoError, match=r"^the picture: "):
            finder.search(wrong)
    for array in (np.zeros((8, 8)), np.zeros((8, 8, 4), np.uint8), np.zeros((0, 8), np.uint8)):
        with pytest.raises(PhotoError, match=r"must be \(H, W\) or \(H, W, 3\) uint8"):
            finder.search(array)  # type: ignore[arg-type]
    with pytest.raises(PhotoError, match=r"nowhere\.jpg: there is no such file"):
        finder.search(tmp_path / "nowhere.jpg")
    with pytest.raises(PhotoError, match="cannot be read"):
        finder.search(tmp_path)
    with pytest.raises(ValueError, match="k must be 1 or more"):
        finder.search(tmp_path, k=0)


def test_many_questions_are_answered_as_each_one(both: Finder, photos: Path, tmp_path: Path) -> None:
    queries = [photos / "ann0.png", save_photo(tmp_path / "new.png", 70, faces=2), photos / "3.png"]
    wishes = ["+45", {"pose": 20, "accessory": "cap"}, None]
    options = {"k": 7, "at_least": 0.001}
    many = both.search_many(queries, wishes, **options)  # type: ignore[arg-type]
    single = [
        both.search(query, wish=wish, **options)  # type: ignore[arg-type]
        for query, wish in zip(queries, wishes, strict=True)
    ]
    assert [told(answer) for answer in many] == [told(answer) for answer in single]
    same = both.search_many(queries, {"pose": 0})
    assert [told(answer) for answer in same] == [told(both.search(query, wish="0")) for query in queries]
    assert both.search_many([]) == []
    with pytest.raises(ValueError, match="3 photographs need as many wishes, not 2"):
        both.search_many(queries, ["0", "0"])


@pytest.mark.parametrize("wish", [None, {"pose": 10}, {"accessory": "none"}, {"pose": 0, "accessory": "cap"}])
def test_a_short_list_finds_all_that_is_probably_right(
    both: Finder, photos: Path, wish: dict[str, str | float] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [photos / f"{name}.png" for name in ("ann-45", "ann0", "bob0", "bob+45", "4")]
    everything = [both.search(query, wish=wish, k=99) for query in queries]
    monkeypatch.setattr("retrieval.engine.SHORTLIST", 8)
    for query, whole in zip(queries, everything, strict=True):
        short = both.search(query, wish=wish, k=2)
        right = slice(min(2, whole.probable))
        assert [hit.face_id for hit in short.hits[right]] == [hit.face_id for hit in whole.hits[right]]
        assert short.probable == right.stop
    assert sum(answer.probable for answer in everything) >= 1


def test_the_answer_is_the_same_without_the_file_of_vectors(
    finder: Finder, place: Path, photos: Path
) -> None:
    before = told(finder.search(photos / "ann0.png", wish="+45", k=99))
    shutil.rmtree(place / "vectors")
    with CollectionWriter(place), Finder(place, engine=fake_engine(), detector=unused_detector) as slow:
        with slow.collection.snapshot() as snapshot:
            assert snapshot.store_kind is None
        assert told(slow.search(photos / "ann0.png", wish="+45", k=99)) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_collection_on_a_read_only_disk_can_be_searched(finder: Finder, place: Path, photos: Path) -> None:
    before = told(finder.search(photos / "ann0.png", wish="+45"))
    finder.close()
    shutil.rmtree(place / "vectors")
    place.chmod(0o500)
    try:
        with Finder(place, engine=fake_engine(), detector=unused_detector) as reading:
            assert told(reading.search(photos / "ann0.png", wish="+45")) == before
    finally:
        place.chmod(0o700)


def test_without_an_identity_model_the_drawing_alone_decides(tmp_path: Path, photos: Path) -> None:
    engine = fake_engine(identity=None)
    place = filled(tmp_path / "pure", photos, engine)
    with Finder(place, engine=engine, detector=open_fake_detector) as finder:
        answer = finder.search(photos / "ann0.png", k=99, same_photo=True)
        assert names(answer)[0] == "ann0.png" and answer.probable >= 1
        assert all(np.isnan(hit.similarity) for hit in answer.hits)
        turned = finder.search(photos / "ann0.png", wish="+45", k=5)
        assert all(hit.met["pose"] > 0.9 for hit in turned.hits)
    with pytest.raises(CollectionWeightsError, match=r"not with fake .*, fake identity; use those, or make"):
        Finder(place, engine=fake_engine())


def test_no_collection_an_empty_one_and_other_weights_are_named(tmp_path: Path, place: Path) -> None:
    with pytest.raises(CollectionMissingError, match="anotheryou index FOLDER"):
        Finder(tmp_path / "nowhere", engine=fake_engine())
    empty = tmp_path / "empty"
    CollectionWriter(empty, NewCollection(fake_engine().layout, "", 24)).close()
    with pytest.raises(CollectionError, match="no faces yet"):
        Finder(empty, engine=fake_engine())
    with pytest.raises(CollectionWeightsError, match="anotheryou reindex"):
        Finder(place, engine=fake_engine(OTHER, "other"))


def test_a_finder_notices_that_the_collection_was_made_again_with_other_weights(
    finder: Finder, photos: Path, place: Path
) -> None:
    reindex(collection=place, engine=fake_engine(OTHER, "other"))
    with pytest.raises(CollectionWeightsError):
        finder.search(photos / "4.png")


def test_a_finder_sees_photographs_indexed_after_it_was_opened(
    finder: Finder, photos: Path, place: Path
) -> None:
    before = len(finder.search(photos / "4.png", k=99).hits)
    save_photo(photos / "new.png", 99, faces=2)
    filled(place, photos)
    assert len(finder.search(photos / "4.png", k=99).hits) == before + 2


@pytest.mark.parametrize(
    ("wish", "places"),
    [
        ({"pose": "-45"}, [0, 2]),
        ({"accessory": "cap"}, [2, 1]),
        ({"pose": "0", "accessory": "none"}, [1, 0]),
        ({}, [2, 2]),
    ],
)
def test_what_a_wish_does_not_name_stays_as_it_is(
    tmp_path: Path, wish: dict[str, str], places: list[int]
) -> None:
    """One network that knows pose and accessory draws the other as it sees it."""
    engine = fake_engine(vocabularies=(BOTH,))
    query = save_person(tmp_path / "photos" / "a.png", 0, "+45", "glasses-3")
    place = filled(tmp_path / "collection", query.parent, engine)
    with Finder(place, engine=engine, detector=open_fake_detector) as finder:
        answer = finder.search(query, wish=wish, same_photo=True)
        assert answer.query.estimates == {"pose": "+45", "accessory": "glasses-3"}
        assert answer.drawing[0, :2].tolist() == places


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
    nobody = Answer(answer.query, answer.wish, (), (), (), (), answer.draw)
    assert sheet_of(nobody).height < narrow[1]


def test_the_sheet_shows_a_query_that_is_no_file(finder: Finder, photos: Path) -> None:
    path = photos / "ann0.png"
    with Image.open(path) as picture:
        handed: tuple[Picture, ...] = (path, path.read_bytes(), picture.copy(), np.asarray(picture))
    upper = [np.asarray(sheet_of(finder.search(one, k=3)))[80:300, 36:260] for one in handed]
    assert upper[0].std() > 10
    for other in upper[1:]:
        np.testing.assert_array_equal(other, upper[0])


def test_the_sheet_draws_a_line_above_what_is_improbable(finder: Finder, photos: Path) -> None:
    answer = finder.search(photos / "ann0.png", k=5)
    assert answer.probable == 2 and answer.doubt == ""
    whole = sheet_of(answer)
    certain = sheet_of(finder.search(photos / "ann0.png", k=5, at_least=0.5))
    nobody = sheet_of(finder.search(photos / "4.png", k=5))
    accent = [
        (np.asarray(sheet) == (196, 84, 40)).all(2).sum(1).max() > sheet.width // 3
        for sheet in (whole, certain, nobody)
    ]
    assert accent == [True, False, True]


def test_odd_names_and_faces_at_the_edge_do_not_stop_the_sheet(finder: Finder, photos: Path) -> None:
    odd = photos / "a\nvery\tlong name \U0001f600 of a photograph that nobody could ever draw on one card.png"
    shutil.copy(photos / "4.png", odd)
    answer = finder.search(odd, k=2)
    assert sheet_of(answer).width > 500
    answer = finder.search(odd.read_bytes(), k=2)  # a picture without a file
    assert sheet_of(answer).width > 500


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
    assert sorted(anotheryou.__all__) == [
        "AnotherYouError",
        "Answer",
        "Collection",
        "Edited",
        "Embedded",
        "Finder",
        "Hit",
        "IndexSummary",
        "Prepared",
        "QueryFace",
        "ReindexSummary",
        "default_collection",
        "draw_sheet",
        "edit",
        "embed",
        "forget",
        "index_folders",
        "open_collection",
        "reindex",
        "search",
    ]
    assert all(hasattr(anotheryou, name) for name in anotheryou.__all__)


def test_a_script_needs_only_the_public_names(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_models(monkeypatch)
    monkeypatch.setattr("retrieval.examine.open_detector", lambda *_, **__: open_fake_detector())
    place = tmp_path / "mine"
    assert anotheryou.index_folders([str(photos)], collection=str(place), workers=0).faces == 24
    answer = anotheryou.search(
        str(photos / "ann-45.png"), wish={"pose": 0, "accessory": "cap"}, k=3, collection=str(place)
    )
    assert names(answer)[0] == "ann0.png" and len(answer.hits) == 3
    assert anotheryou.forget(photos / "ann0.png", collection=place) == (1, 1)
    assert anotheryou.reindex(collection=place, identity="none").faces == 23
    with anotheryou.Finder(place) as finder, pytest.raises(WishError):
        finder.search(photos / "0.png", wish="monocle")


def test_embedding_gives_what_indexing_stores(finder: Finder, photos: Path) -> None:
    found = anotheryou.embed(photos / "3.png", engine=fake_engine(), detector=open_fake_detector)
    assert [face.box.left for face in found] == [0, FACE]
    with finder.collection.snapshot() as snapshot:
        stored = snapshot.faces_of(str(photos / "3.png"), content_of(photos / "3.png"))
    for face, kept in zip(found, stored, strict=True):
        np.testing.assert_array_equal(face.crop, kept.crop)
        np.testing.assert_array_equal(face.vector.astype(np.float16), kept.vector)
        assert set(face.estimates) == {"pose"}
    assert anotheryou.embed(np.zeros((9, 9, 3), np.uint8), engine=fake_engine(), detector=FakeDetector) == []


def test_real_photographs_real_faces_and_real_drawings_go_together(tmp_path: Path, photos_path: Path) -> None:
    """The whole way with the detector, descriptor and networks that come along, networks left to chance."""
    pictures = [f"{who}_{way}_neutral_open.pgm" for who in ("an2i", "at33") for way in ("straight", "up")]
    for name in pictures:
        (tmp_path / "real").mkdir(exist_ok=True)
        shutil.copy(photos_path / "cmu_faces" / name, tmp_path / "real")
    generator, place = generator_made(), tmp_path / "collection"
    features = generator.canonicalise(
        np.random.default_rng(0).integers(0, 256, (40, 32, 32), np.uint8)
    ).features
    encoding = Encoding(generator, Projection.fit(features, 32), "made")
    engine = Engine([encoding], DlibIdentity(), read_calibration())
    summary = index_folders([tmp_path / "real"], collection=place, engine=engine, workers=1, detector="hog")
    assert summary.photographs == 4
    assert summary.faces >= 2
    with Finder(place, engine=engine, detector="hog") as finder:
        query = tmp_path / "real" / pictures[0]
        answer = finder.search(query, same_photo=True)
        assert answer.hits[0].path == str(query)
        assert answer.hits[0].similarity > 0.999
        turned = finder.search(query, wish={"pose": "31"}, k=2)
        assert turned.wish == {"pose": "+31"}
        assert turned.drawing.shape == (32, 32)
        draw_sheet(turned, tmp_path / "sheet.png")
        with pytest.raises(WishError, match="the nearest is"):
            finder.search(query, wish={"pose": "+61"})


def test_what_no_network_draws_is_not_said_to_be_drawn(tmp_path: Path, photos: Path) -> None:
    plain = fake_engine()
    tilts = AttributeGroup("tilt", ("level", "up"))
    words = Vocabulary((*plain.encodings[0].generator.vocabulary.groups, tilts))
    telling = Telling(FakeClassifier(words, plain.geometry.size), "told")
    engine = Engine(plain.encodings, plain.identity, plain.calibration, telling)
    place = filled(tmp_path / "told", photos, engine)
    with Finder(place, engine=engine, detector=open_fake_detector) as finder:
        answer = finder.search(photos / "ann0.png", wish="up, +45", not_="level")
        assert answer.wish == {"tilt": "up", "pose": "+45"}
        assert answer.drawn == ("pose",)
        turned = finder.search(photos / "ann0.png", wish="+45")
        assert np.array_equal(answer.drawing, turned.drawing)
        alone = finder.search(photos / "ann0.png", wish="up")
        assert alone.drawn == ()
        assert {*alone.hits[0].estimates} == {"pose", "tilt"}
