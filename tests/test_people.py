"""What is said of people holds: through new photographs, faces, weights and copies, until it is undone."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from fake_faces import (
    POSES,
    FakeDetector,
    FakeIdentity,
    fake_engine,
    fake_models,
    open_fake_detector,
    save_person,
    save_photo,
)
from typer.testing import Result

import retrieval.people
from anotheryou import Finder, forget, index_folders, reindex
from faces.detect import open_detector
from faces.errors import CollectionError, PeopleError
from faces.photo import read_photo
from faces.types import Box, DetectedFace, Photo
from index import (
    Collection,
    CollectionWriter,
    FaceName,
    FacesByName,
    PlacedFace,
    Status,
    add_decision,
    copy_collection,
)
from index.sqlite import CATALOG
from retrieval.decisions import checked_name
from retrieval.drawing_faces import draw_face
from retrieval.people import Group, People

PEOPLE = ("ann", "bob", "cleo")
ALBUM = REPOSITORY / "demo" / "album"


class Blind(FakeDetector):
    """Finds nothing."""

    def detect(self, photo: Photo) -> list[DetectedFace]:
        return []


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three people, each on six photographs."""
    for person, name in enumerate(PEOPLE):
        for number in range(6):
            path = tmp_path / "photos" / f"{name}{number}.png"
            save_person(path, person, POSES[number % 3], seed=number)
    return tmp_path / "photos"


@pytest.fixture
def place(tmp_path: Path, photos: Path) -> Path:
    indexed(tmp_path / "collection", photos)
    return tmp_path / "collection"


def indexed(place: Path, photos: Path, detector: Callable[[], FakeDetector] = open_fake_detector) -> None:
    index_folders([photos], collection=place, engine=fake_engine(), detector=detector, workers=0)


def read(place: Path) -> People:
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        return finder.people()


def faces_on(people: People, prefix: str) -> set[int]:
    return {face for face, where in people.faces.items() if Path(where.path).name.startswith(prefix)}


def group_of(people: People, prefix: str) -> Group:
    return people.of_face[min(faces_on(people, prefix))]


def groups(people: People) -> set[frozenset[int]]:
    return {frozenset(group.faces) for group in people.groups}


def test_groups_are_people_before_anybody_says_a_word(place: Path) -> None:
    people = read(place)
    assert groups(people) == {frozenset(faces_on(people, name)) for name in PEOPLE}
    assert all(not one.name and not one.confirmed and not one.hidden for one in people.groups)
    assert [one.label for one in people.groups] == [f"#{min(one.faces)}" for one in people.groups]
    assert people.find(f"#{people.groups[1].faces[3]}") is people.groups[1]


def test_a_name_is_kept_for_new_photographs_too(place: Path, photos: Path) -> None:
    people = read(place)
    people.name(group_of(people, "ann"), "  Ann \n Smith ")
    save_person(photos / "ann9.png", 0, "0", seed=99)
    indexed(place, photos)
    people = read(place)
    ann = people.find("ann smith")
    assert ann.name == "Ann Smith"
    assert {*ann.faces} == faces_on(people, "ann")
    assert ann.confirmed == faces_on(people, "ann") - faces_on(people, "ann9")
    assert list(people.names) == ["Ann Smith"]


def test_the_same_name_joins_and_another_renames(place: Path) -> None:
    for name in ("ann", "bob"):
        people = read(place)
        people.name(group_of(people, name), "Ann")
    people = read(place)
    assert {*people.find("Ann").faces} == faces_on(people, "ann") | faces_on(people, "bob")
    people.name(people.find("Ann"), "Both")
    people = read(place)
    assert list(people.names) == ["Both"]
    people.undo(), read(place).undo()
    people = read(place)
    assert {*people.find("Ann").faces} == faces_on(people, "ann")
    people.name(group_of(people, "cleo"), "Cleo")
    people = read(place)
    people.merge(people.find("Ann"), people.find("Cleo"))
    assert len(read(place).find("Ann").faces) == 12


def test_large_and_small_letters_of_a_name_are_alike(place: Path) -> None:
    people = read(place)
    (one, *others) = group_of(people, "ann").faces
    people.confirm([one], "Ann")
    read(place).confirm(others, "ann")
    people = read(place)
    assert list(people.names) == ["Ann"] and people.find("ANN").confirmed == faces_on(people, "ann")
    people.name(group_of(people, "bob"), "aNN")
    assert list(read(place).names) == ["Ann"]
    read(place).undo()
    read(place).reject([one], "ann")
    assert one not in read(place).find("Ann").faces
    people = read(place)
    people.name(people.find("Ann"), "ANN")
    assert list(read(place).names) == ["ANN"]


def test_questions_are_those_that_comparing_every_pair_finds(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for whom, count in (("ann", 2), ("bob", 1), ("bob", 2)):
        people = read(place)
        people.split(group := group_of(people, whom), group.faces[:count])
    people = read(place)
    people.name(group_of(people, "ann"), "Ann"), people.name(group_of(people, "cleo"), "Cleo")
    people = read(place)
    told = people.groups[-1]
    people.keep_apart(people.find("Cleo"), told)
    people = read(place)
    monkeypatch.setattr(retrieval.people, "_ASKED", 2.0)  # all are like enough to be asked about
    monkeypatch.setattr(retrieval.people, "_ROWS", 2)

    def is_said(one: Group, other: Group) -> bool:
        faces = {*one.faces}, {*other.faces}
        written = [{people.faces[face].name for face in part} for part in faces]
        return bool(one.name and other.name) or any(
            {FaceName.read(name) for name in decision.details["faces"]} & first
            and {FaceName.read(name) for name in decision.details["others"]} & second
            for decision in people.decisions
            if decision.kind in ("split", "apart")
            for first, second in (written, written[::-1])
        )

    pairs = {(one.id, other.id) for one, other in combinations(people.groups, 2) if not is_said(one, other)}
    questions = people.questions(100)
    assert {(each.one.id, each.other.id) for each in questions} == pairs
    assert 0 < len(pairs) < len([*combinations(people.groups, 2)])
    worth = [each.probability * min(len(each.one.faces), len(each.other.faces)) for each in questions]
    assert worth == sorted(worth, reverse=True)
    assert people.questions(2) == questions[:2]


def test_groups_without_names_can_be_merged_and_kept_apart(place: Path) -> None:
    people = read(place)
    one, other = group_of(people, "ann"), group_of(people, "bob")
    people.merge(one, other)
    people = read(place)
    assert {*group_of(people, "ann").faces} == faces_on(people, "ann") | faces_on(people, "bob")
    taken = people.undo()
    assert taken.kind == "same"
    people = read(place)
    people.keep_apart(group_of(people, "ann"), group_of(people, "cleo"))
    again = read(place)
    assert groups(again) == groups(people)
    assert all(
        {q.one.id, q.other.id} != {group_of(again, "ann").id, group_of(again, "cleo").id}
        for q in again.questions()
    )


def test_faces_can_leave_a_person_for_good(place: Path, photos: Path) -> None:
    people = read(place)
    people.name(group_of(people, "ann"), "Ann")
    people = read(place)
    out = sorted(faces_on(people, "ann"))[:2]
    people.split(people.find("Ann"), out)
    people = read(place)
    assert not {*people.find("Ann").faces} & {*out}
    assert people.of_face[out[0]] is people.of_face[out[1]]
    people.name(people.of_face[out[0]], "Twin")
    people = read(place)
    people.reject([people.find("Twin").faces[0]], "Twin")
    people = read(place)
    assert len(people.find("Twin").faces) == 1
    people.confirm(people.find("Twin").faces, "Ann")  # said last, it holds
    people = read(place)
    assert len(people.find("Ann").faces) == 5
    with pytest.raises(PeopleError, match="some must stay"):
        people.split(people.find("Ann"), people.find("Ann").faces)
    with pytest.raises(PeopleError, match="there is no face 999"):
        people.confirm([999], "Ann")


def test_what_is_no_face_leaves_groups_and_answers(place: Path, photos: Path) -> None:
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        first = finder.search(photos / "ann0.png", k=20).hits[0]
        finder.people().no_face([first.face_id])
        again = finder.search(photos / "ann0.png", k=20)
        assert first.face_id not in {hit.face_id for hit in again.hits}
        assert len(again.hits) == 16
        assert first.face_id not in finder.people().of_face
        assert first.face_id in finder.people().no_faces
        finder.people().undo()
        assert finder.search(photos / "ann0.png", k=20).hits[0].face_id == first.face_id


def test_hidden_groups_stay_hidden(place: Path) -> None:
    people = read(place)
    people.hide(group_of(people, "bob"))
    people.name(group_of(people, "ann"), "Ann")
    people = read(place)
    people.hide(people.find("Ann"))
    people = read(place)
    assert [one.hidden for one in people.groups] == [
        bool({*one.faces} & (faces_on(people, "ann") | faces_on(people, "bob"))) for one in people.groups
    ]
    people.hide(people.find("Ann"), hidden=False)
    assert not read(place).find("Ann").hidden


def test_what_was_said_outlives_moves_other_faces_weights_and_copies(
    tmp_path: Path, place: Path, photos: Path
) -> None:
    people = read(place)
    people.name(group_of(people, "ann"), "Ann")
    # Moved, renamed and read again by a detector with other boxes, so that all faces are new ones.
    (photos / "ann0.png").rename(photos / "z.png")
    shutil.rmtree(place / "vectors")

    class Shifted(FakeDetector):
        def detect(self, photo: Photo) -> list[DetectedFace]:
            return [
                replace(face, box=Box(*(side + 3 for side in face.box.sides)))
                for face in super().detect(photo)
            ]

    with CollectionWriter(place) as writer:
        ids = [known.id for some in writer.below(str(photos)) for known in some]
        writer.remove(ids)
    indexed(place, photos, Shifted)
    people = read(place)
    assert not {*people.faces} & set(range(1, 19))
    assert {*people.find("Ann").faces} == faces_on(people, "ann") | faces_on(people, "z")
    copy_collection(place, tmp_path / "copy")
    assert read(tmp_path / "copy").find("Ann").faces == people.find("Ann").faces
    add_decision(tmp_path / "copy", "undo", {"of": 1})  # goes on behind the copied ones
    assert not read(tmp_path / "copy").names
    reindex(collection=place, engine=fake_engine("ffffffffffff"))
    with Finder(place, engine=fake_engine("ffffffffffff"), detector=open_fake_detector) as finder:
        assert len(finder.people().find("Ann").faces) == 6


def test_a_face_can_be_drawn_by_hand_and_outlives_another_look(tmp_path: Path) -> None:
    photos, place = tmp_path / "photos", tmp_path / "c"
    photos.mkdir()
    shutil.copy(ALBUM / "mei-and-amara_street.jpg", photos / "two.jpg")

    def see_none() -> FakeDetector:
        return Blind()

    index_folders([photos], collection=place, engine=fake_engine(), detector=see_none, workers=0)
    with Collection(place) as collection, collection.snapshot() as snapshot:
        assert snapshot.is_empty
        record = next(iter(snapshot.photos(Status.OK)))
    (one, other) = open_detector().detect(read_photo(photos / "two.jpg"))
    shutil.copy(ALBUM / "mei_pose0_garden.jpg", photos / "seen.jpg")
    indexed(place, photos)  # a finder needs a face
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        drawn = draw_face(finder, photos / "two.jpg", one.box)
        assert finder.people().faces[drawn].photo_id == record.id
        people = finder.people()
        people.confirm([drawn], "Mei")
        with pytest.raises(PeopleError, match="a face at this place already"):
            draw_face(finder, photos / "two.jpg", one.box)
        for box, told in (
            (Box(-5, 0, 60, 60), "inside of"),
            (Box(0, 0, 4, 4), "8 pixels or more"),
        ):
            with pytest.raises(PeopleError, match=told):
                draw_face(finder, photos / "two.jpg", box)
        with pytest.raises(PeopleError, match="does not have"):
            draw_face(finder, photos / "nowhere.jpg", other.box)
    with CollectionWriter(place) as writer:
        writer.remove([record.id])
    index_folders([photos], collection=place, engine=fake_engine(), detector=see_none, workers=0)
    people = read(place)
    assert [Path(people.faces[face].path).name for face in people.find("Mei").faces] == ["two.jpg"]
    (face,) = people.find("Mei").faces
    assert people.undo().kind == "name"
    assert read(place).undo().kind == "face"
    assert face not in read(place).of_face
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        assert draw_face(finder, photos / "two.jpg", one.box) == face
        assert face in finder.people().of_face


def test_a_forgotten_photograph_is_forgotten_here_too(place: Path, photos: Path) -> None:
    people = read(place)
    people.name(group_of(people, "ann"), "Ann")
    forget(photos / "ann0.png", collection=place)
    with sqlite3.connect(place / CATALOG) as plain:
        (details,) = plain.execute("SELECT details FROM decisions").fetchone()
    plain.close()
    assert "ann0.png" not in details and "ann1.png" in details
    assert len(read(place).find("Ann").faces) == 5


def test_it_can_be_said_while_somebody_writes(place: Path) -> None:
    people = read(place)
    with CollectionWriter(place) as writer:
        number = people.name(group_of(people, "ann"), "Ann")
        assert number == 1
        assert list(read(place).names) == ["Ann"]
        assert writer.detection


def _name_until_killed(place: Path, told: multiprocessing.Queue[int]) -> None:
    people = read(place)
    for number in range(1000):
        told.put(people.name(group_of(people, "ann"), f"Ann {number}"))


def test_a_kill_loses_nothing_that_was_reported(place: Path) -> None:
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    process = context.Process(target=_name_until_killed, args=(place, told))
    process.start()
    last = 0
    while last < 5:
        last = told.get(timeout=120)
    process.kill()
    process.join()
    while not told.empty():
        last = told.get()
    people = read(place)
    assert [one.id for one in people.decisions][:last] == list(range(1, last + 1))
    assert people.groups


def test_a_damaged_decision_is_told(place: Path) -> None:
    people = read(place)
    people.name(group_of(people, "ann"), "Ann")
    with sqlite3.connect(place / CATALOG) as plain:
        plain.execute("UPDATE decisions SET details = replace(details, 'Ann', 'Bob')")
    plain.close()
    with pytest.raises(CollectionError, match="a decision about faces is damaged"):
        read(place)


def test_a_person_is_searched_with_all_confirmed_faces(place: Path) -> None:
    with Finder(place, engine=fake_engine(), detector=open_fake_detector) as finder:
        people = finder.people()
        people.name(group_of(people, "ann"), "Ann")
        ready = finder.prepare_person("Ann")
        people = finder.people()
        assert ready.face.path == "Ann"
        size = FakeIdentity.dimension
        np.testing.assert_allclose(ready.vector[:size], people.vector_of(people.find("Ann")))
        answer = finder.search(ready, wish={"pose": "+45"}, k=3)
        names = [Path(hit.path).name for hit in answer.hits]
        assert names[:2] == sorted(names[:2]) == ["ann2.png", "ann5.png"]  # both at +45, none left out
        others = finder.search(ready, k=20, without=["Ann"])
        assert {hit.face_id for hit in others.hits} == {*people.faces} - faces_on(people, "ann")
        with pytest.raises(PeopleError, match="nobody here is called 'Eve'"):
            finder.search(ready, with_=["Eve"])


def test_filters_by_people_look_at_photographs(tmp_path: Path) -> None:
    for number in range(4):
        save_photo(tmp_path / "photos" / f"{number}.png", 7, faces=1 + number % 2)
    indexed(tmp_path / "c", tmp_path / "photos")
    people = read(tmp_path / "c")
    second = [face for face, where in people.faces.items() if where.box.left > 0]
    people.confirm(second, "Second")
    people = read(tmp_path / "c")
    both = {where.photo_id for where in people.faces.values() if where.id in second}
    assert people.faces_with(["Second"]).tolist() == sorted(
        face for face, where in people.faces.items() if where.photo_id in both
    )
    assert {people.faces[face].photo_id for face in people.faces_with([], ["Second"]).tolist()}.isdisjoint(
        both
    )


def test_a_collection_without_a_model_of_identity_says_so(tmp_path: Path, photos: Path) -> None:
    engine = fake_engine(identity=None)
    index_folders([photos], collection=tmp_path / "c", engine=engine, detector=open_fake_detector, workers=0)
    with (
        Finder(tmp_path / "c", engine=engine, detector=open_fake_detector) as finder,
        pytest.raises(CollectionError, match="cannot tell people apart"),
    ):
        finder.people()


@pytest.mark.parametrize("name", ["", "  ", "#17", "x" * 201, "\x00"])
def test_what_is_no_name_is_told(name: str) -> None:
    with pytest.raises(PeopleError, match="is no name"):
        checked_name(name)


def test_a_face_is_found_by_content_and_else_by_path() -> None:
    face, copy, old = (
        PlacedFace(1, 1, "/a", "c1", Box(0, 0, 10, 10)),
        PlacedFace(2, 2, "/b", "c1", Box(1, 0, 10, 10)),
        PlacedFace(3, 3, "/old", "c9", Box(0, 0, 10, 10)),
    )
    beside = PlacedFace(4, 1, "/a", "c1", Box(20, 0, 30, 10))
    find = FacesByName([face, copy, old, beside])
    assert sorted(find([face.name])) == [1, 2]
    assert list(find([FaceName("changed", "/old", 0, 0, 10, 11)])) == [3]
    assert list(find([FaceName("changed", "/old", 50, 50, 60, 60), FaceName("x", "/y", 0, 0, 1, 1)])) == []


# From the shell


@pytest.fixture
def cli(
    place: Path, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Result]]:
    monkeypatch.setenv("ANOTHERYOU_COLLECTION", str(place))
    monkeypatch.setattr("retrieval.examine.open_detector", lambda *_, **__: open_fake_detector())
    fake_models(monkeypatch)
    monkeypatch.setattr("retrieval.loading.DEFAULT_CLASSIFIER", "none")

    def load(*_: object, **__: object) -> object:
        return fake_engine()

    monkeypatch.setattr("retrieval.finder.load_engine", load)
    yield lambda *words: run_cli(*words)


def test_people_are_named_from_the_shell(cli: Callable[..., Result], place: Path, tmp_path: Path) -> None:
    listed = cli("people", "list", "--json")
    assert listed.exit_code == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert [len(one["faces"]) for one in found] == [6, 6, 6]
    ann = next(one for one in found if "ann" in one["faces"][0]["photo"])
    named = cli("people", "name", f"#{ann['id']}", "Ann")
    assert named.exit_code == 0 and "6 faces of Ann (decision 1;" in named.stdout
    table = cli("people", "list", "--sheet", tmp_path / "sheet.png")
    assert "Ann" in table.stdout and (tmp_path / "sheet.png").is_file()
    one = cli("people", "list", "Ann")
    assert one.stdout.count("yes") == 6
    face = ann["faces"][0]["face_id"]
    for words in (
        ("reject", "Ann", f"#{face}"),
        ("confirm", "Ann", str(face)),
        ("split", "Ann", str(face)),
        ("no-face", f"#{face}"),
        ("hide", "Ann"),
        ("hide", "Ann", "--show"),
        ("undo",),
        ("undo", "2"),
        ("log",),
        ("log", "--json"),
        ("questions",),
        ("questions", "--json"),
    ):
        result = cli("people", *words)
        assert result.exit_code == 0, (words, result.stderr)
    others = [f"#{one['id']}" for one in found if one is not ann]
    assert cli("people", "apart", *others).exit_code == 0
    assert cli("people", "merge", *others).exit_code == 0
    # What was taken back last is that Ann is listed again.
    assert len(json.loads(cli("people", "list", "--json").stdout)) == 1
    assert len(json.loads(cli("people", "list", "--json", "--hidden").stdout)) == 2
    answer = cli("search", "--person", "Ann", "--pose", "+45", "--json")
    assert json.loads(answer.stdout)["query"]["photo"] == "Ann"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("people", "name", "Eve", "Ann"), "nobody here is called 'Eve'"),
        (("people", "name", "#1", "#2"), "'#2' is no name"),
        (("people", "reject", "Eve", "#1"), "nobody here is called 'Eve'"),
        (("people", "no-face", "one"), "'one' is no number of a face"),
        (("people", "undo"), "nothing has been said"),
        (("people", "undo", "7"), "there is no decision 7 that holds"),
        (("people", "merge", "#1", "#1"), "are one group already"),
        (("search", "--person", "Eve"), "nobody here is called 'Eve'"),
        (("search",), "name a photograph, or somebody"),
    ],
)
def test_what_cannot_be_said_is_one_plain_line(
    cli: Callable[..., Result], words: tuple[str, ...], told: str
) -> None:
    result = cli(*words)
    assert result.exit_code != 0
    assert told in result.stderr
    assert "Traceback" not in result.stderr
