"""The rows that search as the product does: against the product itself, and against plain NumPy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from fake_faces import CALIBRATION, POSE, POSES, FakeEncoder, FakeIdentity
from PIL import Image

from baselines.searcher import QueryBatch, Searcher
from evaluation.composed import composed
from evaluation.context import CALIBRATIONS, CachedFeatures, Context
from evaluation.methods import find_method
from evaluation.ours import Fused
from evaluation.protocol import draw_queries
from evaluation.studio import Studio
from facedata.labelled import Attribute, FaceSet, LabelRow, face_set, read_labelled, rendered_mini_path
from facedata.large_pictures import LargeFace, LargePictures, Pictures
from faces.chips import five_points
from faces.errors import RowUnavailable
from faces.progress import Progress
from faces.types import Box, Doubles, Floats, Ints, Landmarks, Pixels
from generator.checkpoint import load_generator
from generator.projection import Projection
from index import CollectionWriter, FaceVector, NewCollection, NewFace, NewPhoto, Status, StoredFace
from retrieval.calibration import Calibration, read_calibration
from retrieval.engine import Engine, shortlist_size
from retrieval.finder import Finder
from retrieval.identity import unit_length
from retrieval.indexing import index_folders
from retrieval.loading import load_engine
from retrieval.parts import Encoding
from retrieval.query import Picture, Wish

CLOSE = 0.03
"""By so much log-odds may differ: a collection keeps the query's numbers in 16 bits, the row in full."""


@dataclass
class Described:
    """Features that are known already, by the bytes of the crops; counts what it was asked for."""

    known: dict[bytes, Floats]
    name: str = "known"
    needs_large: bool = False
    asked: list[int] = field(default_factory=list)

    def __call__(self, pictures: Pictures, progress: Progress | None = None) -> Floats:
        self.asked.append(len(pictures))
        return np.stack([self.known[crop.tobytes()] for crop in pictures.crops])


# The product and the row


def log_odds(probability: Doubles) -> Doubles:
    return np.asarray(np.log(probability) - np.log1p(-probability))


def points_of(pictures: Pictures) -> Floats | None:
    return None if pictures.large is None else pictures.large.points


def store_by_hand(folder: Path, engine: Engine, faces: FaceSet, descriptors: Floats) -> list[Path]:
    """Keep faces in a collection as the engine sees them, a photograph each; returns the photographs."""
    vectors = engine.embed(faces.crops, descriptors, points_of(faces.pictures))
    marks = Landmarks((10.0, 10.0), (22.0, 10.0), (16.0, 18.0))
    paths, photos = [], []
    for number, (crop, vector) in enumerate(zip(faces.crops, vectors, strict=True)):
        path = (folder / f"{number:04}.jpg").resolve()
        path.write_bytes(b"%d %s" % (number, crop.tobytes()))
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        face = NewFace(Box(0, 0, 32, 32), marks, 1.0, FaceVector(crop, vector))
        status = path.stat()
        photo = NewPhoto(
            str(path),
            status.st_size,
            status.st_mtime_ns,
            content,
            Status.OK,
            width=32,
            height=32,
            faces=(face,),
        )
        photos.append(photo)
        paths.append(path)
    with CollectionWriter(folder / "collection", NewCollection(engine.layout, "by hand", 0)) as writer:
        writer.store(photos)
        writer.refresh_vectors()
    return paths


def faces_of(finder: Finder) -> list[StoredFace]:
    """All faces of a collection, in the order of their ids."""
    with finder.collection.snapshot() as snapshot:
        ids = np.concatenate([block for block, _ in snapshot.blocks()])
        return snapshot.faces(sorted(ids.tolist()))


def check_same_answers(
    finder: Finder, stored: list[StoredFace], batch: QueryBatch, asked: Ints, fused: Fused
) -> None:
    """Ask the product for faces of known photographs; each answer must be that of the row, ties aside.

    ``stored`` are the N faces of the collection as the row has them, ``asked`` (Q,) those that are asked for.
    """
    ranking, probability = fused.rank(batch, 20), row_scores(fused, batch)
    wishes: list[Wish] = [{str(batch.attribute): str(word)} for word in batch.targets]
    photos: list[Picture] = [stored[place].path for place in asked]
    answers = finder.search_many(photos, wishes, k=len(stored), same_photo=True)
    place_of = {face.id: place for place, face in enumerate(stored)}
    equal = 0
    for answer, row, scores in zip(answers, ranking, probability, strict=True):
        assert answer.query.known
        found = np.array([place_of[hit.face_id] for hit in answer.hits])
        assert sorted(found.tolist()) == list(range(len(stored)))
        theirs = np.empty(len(stored))
        theirs[found] = [hit.probability for hit in answer.hits]
        np.testing.assert_allclose(log_odds(theirs), log_odds(scores), atol=CLOSE)
        np.testing.assert_allclose(log_odds(theirs[row]), log_odds(theirs[found[: len(row)]]), atol=CLOSE)
        equal += int((found[: len(row)] == row).sum())
    assert equal > 0.9 * ranking.size


def row_scores(fused: Fused, batch: QueryBatch) -> Doubles:
    """(Q, N): what all faces are worth to the engine of the row."""
    engine = fused.engine
    descriptors = np.asarray(fused.describe(batch.pictures), np.float32)
    faces = engine.embed(batch.crops, descriptors, points_of(batch.pictures))
    wishes = [engine.wanted({batch.attribute: str(word)}) for word in batch.targets]
    queries = composed(engine, fused.flow, engine.queries(batch.crops, faces, wishes), batch.pictures)
    return np.stack([engine.score(query, fused.vectors_).probability for query in queries])


@pytest.mark.parametrize(
    ("name", "attribute", "weights", "people", "lights"),
    [
        ("rendered-mini", "pose", "rotation-32", 4, 3),
        ("rendered-accessories-mini", "accessory", "accessories-32", 5, 2),
    ],
)
def test_the_product_answers_as_the_row_fused(
    tmp_path: Path, name: str, attribute: Attribute, weights: str, people: int, lights: int
) -> None:
    faces = read_labelled(rendered_mini_path().with_name(f"{name}.zip"), cropped=True)
    some = np.isin(faces.persons, np.unique(faces.persons)[:people])
    faces = faces.select(some & np.isin(faces.lights, np.unique(faces.lights)[:lights]))
    assert len(faces) == people * lights * 7
    context = Context(studio=Studio(load_generator(weights)), attribute=attribute)
    fused = find_method("fused", attribute).build(context).fit(faces)
    assert isinstance(fused, Fused)
    fused.flow = None  # what is stored by hand are no photographs, whose drawings could be composed with
    queries = draw_queries(faces, attribute, context.studio.values(attribute), count=25)
    batch = queries.batch(faces)
    descriptors = np.asarray(context.features("identity")(faces.pictures), np.float32)
    engine = load_engine()
    assert len(engine.encodings) == 2
    paths = store_by_hand(tmp_path, engine, faces, descriptors)
    with Finder(tmp_path / "collection", engine=engine) as finder:
        stored = faces_of(finder)
        assert [face.path for face in stored] == [str(path) for path in paths]
        check_same_answers(finder, stored, batch, queries.faces, fused)


def test_the_product_answers_as_the_row_fused_on_the_album(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.composed._TOGETHER", 3)  # several parts, the last one smaller
    album = tmp_path / "album"
    album.mkdir()
    for path in sorted((REPOSITORY / "demo" / "album").glob("[ab]*.jpg")):
        # The larger pictures of labelled faces are grey, and a grey photograph has other descriptors.
        with Image.open(path) as photo:
            photo.convert("L").save(album / f"{path.stem}.png")
    engine = load_engine()
    index_folders([album], collection=tmp_path / "collection", engine=engine, detector="hog", workers=1)
    size = engine.identity.dimension if engine.identity is not None else 0
    with Finder(tmp_path / "collection", engine=engine) as finder:
        stored = faces_of(finder)
        assert len(stored) > 20
        rows = [LabelRow(f"{face.id}.jpg", "", "") for face in stored]
        marks = [five_points(face.landmarks).astype(np.float32) for face in stored]
        pictures = [np.asarray(Image.open(face.path)) for face in stored]
        large = LargePictures.held(
            [LargeFace(picture, points) for picture, points in zip(pictures, marks, strict=True)]
        )
        gallery = face_set("album", np.stack([face.crop for face in stored]), rows, large=large)
        described = Described({face.crop.tobytes(): face.vector[:size].astype(np.float32) for face in stored})
        context = Context(studio=Studio(load_generator("rotation-32")), attribute="pose")
        engine, studio, flow = context.engine(), context.studio, context.flow
        assert flow is not None
        assert engine.composed
        fused = Fused(engine=engine, studio=studio, describe=described, name="fused", flow=flow)
        asked = np.array([place for place, face in enumerate(stored) if face.count == 1][::2], np.int64)
        targets = np.resize(np.array(["+30", "-30", "0"]), len(asked))
        batch = QueryBatch(gallery.pictures.select(asked), {"pose": targets})
        check_same_answers(finder, stored, batch, asked, fused.fit(gallery))


# The rows and plain NumPy


@pytest.fixture
def crops(rng: np.random.Generator) -> Pixels:
    """(60, 8, 8) faces, each pose the brightest third of some."""
    made = rng.integers(0, 120, (60, 8, 8), dtype=np.uint8)
    for number, crop in enumerate(made):
        column = 2 * (number % 3)
        crop[:, column : column + 2] += 100
    return made


@pytest.fixture
def gallery(crops: Pixels) -> FaceSet:
    return face_set("made", crops, [LabelRow(f"{number}.png", "", "") for number in range(len(crops))])


@pytest.fixture
def described(crops: Pixels, rng: np.random.Generator) -> Described:
    """Twenty people, three faces of each."""
    people = rng.normal(size=(20, 48))
    found = unit_length(people[np.arange(60) % 20] + 0.2 * rng.normal(size=(60, 48)))
    return Described({crop.tobytes(): vector for crop, vector in zip(crops, found, strict=True)})


@pytest.fixture
def batch(gallery: FaceSet) -> QueryBatch:
    asked = np.arange(0, 60, 7)
    return QueryBatch(gallery.pictures.select(asked), {"pose": np.resize(np.array(POSES), len(asked))})


def projected(encoder: FakeEncoder, dimension: int = 10) -> Projection:
    rng = np.random.default_rng(4)
    mean = rng.normal(0, 0.01, encoder.feature_size).astype(np.float32)
    return Projection(mean, rng.normal(size=(dimension, encoder.feature_size)).astype(np.float16))


def fused_made(described: Described, *, all_values: bool = False) -> Fused:
    encoder = FakeEncoder()
    engine = Engine([Encoding(encoder, projected(encoder), "fake")], FakeIdentity(), CALIBRATION)
    return Fused(
        engine=engine, studio=Studio(encoder), describe=described, name="fused", all_values=all_values
    )


def ordered(scores: Doubles, k: int) -> Ints:
    """(Q, k): the largest of (Q, N), equal ones in their order."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def check_order(found: Ints, scores: Doubles, tolerance: float) -> None:
    """The places found (Q, k) must be those of the largest scores (Q, N), but for ties."""
    k = found.shape[1]
    assert all(len(set(row)) == k for row in found.tolist())
    theirs = np.take_along_axis(scores, found, axis=1)
    np.testing.assert_allclose(theirs, np.take_along_axis(scores, ordered(scores, k), axis=1), atol=tolerance)


def test_the_row_fused_ranks_by_the_probability_of_every_face(
    gallery: FaceSet, described: Described, batch: QueryBatch
) -> None:
    fused = fused_made(described).fit(gallery)
    assert fused.vectors_.dtype == np.float16
    assert fused.vectors_.shape == (60, fused.engine.dimension)
    vectors = fused.engine.embed(gallery.crops, described(gallery.pictures))
    np.testing.assert_allclose(fused.vectors_, vectors, rtol=1e-3, atol=1e-3)  # features have 16 bits here
    scores = row_scores(fused, batch)
    check_order(fused.rank(batch, 60), log_odds(scores), 5e-3)
    # More than there are: the places behind them stay empty.
    more = fused.rank(batch, 63)
    assert (more[:, 60:] == -1).all()
    assert np.array_equal(more[:, :60], fused.rank(batch, 60))


def test_a_tiny_shortlist_leaves_the_best_faces_first(
    gallery: FaceSet, described: Described, batch: QueryBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = fused_made(described).fit(gallery)
    every = fused.rank(batch, 60)
    monkeypatch.setattr("retrieval.engine.SHORTLIST", 12)
    assert shortlist_size(3) == 12
    few = fused.rank(batch, 3)
    assert np.array_equal(few, every[:, :3])
    assert shortlist_size(10) == 40
    assert (fused.rank(batch, 10)[:, :3] == few).all()


def test_every_value_drawn_compares_the_mean_of_the_drawings(
    gallery: FaceSet, described: Described, batch: QueryBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = fused_made(described, all_values=True).fit(gallery)
    monkeypatch.setattr("evaluation.ours._ROWS", 7)
    engine, encoder = fused.engine, FakeEncoder()
    looks = np.zeros((len(batch), 60))
    for wish in np.eye(len(POSES), dtype=np.float32):
        theirs, own = (
            engine.encodings[0].projection(encoder.draw(crops, np.tile(wish, (len(crops), 1))).features)
            for crops in (gallery.crops, batch.crops)
        )
        looks += own.astype(np.float64) @ theirs.T / len(POSES)
    faces = engine.embed(batch.crops, described(batch.pictures))
    queries = engine.queries(
        batch.crops, faces, [engine.wanted({"pose": str(word)}) for word in batch.targets]
    )
    scores = np.stack(
        [
            engine.score(query, fused.vectors_, alike).probability
            for query, alike in zip(queries, looks, strict=True)
        ]
    )
    found = fused.rank(batch, 30)
    check_order(found, log_odds(scores), 5e-3)
    assert not np.array_equal(found, fused_made(described).fit(gallery).rank(batch, 30))


def row_named(name: str, encoder: FakeEncoder) -> Searcher:
    return find_method(name, "pose").build(Context(studio=Studio(encoder), attribute="pose"))


def test_the_row_of_few_numbers_is_the_nearest_projected_drawing(
    gallery: FaceSet, batch: QueryBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = FakeEncoder()
    projection = projected(encoder)
    monkeypatch.setattr(Context, "projection", lambda context, dimension: projection)
    row = row_named("appearance-256", encoder).fit(gallery)
    wishes = np.stack([POSE.vector({"pose": str(word)}) for word in batch.targets])
    theirs, own = (
        (features - projection.mean) @ projection.components.T.astype(np.float32)
        for features in (
            encoder.canonicalise(gallery.crops).features,
            encoder.draw(batch.crops, wishes).features,
        )
    )
    scores = unit_length(own).astype(np.float64) @ unit_length(theirs).T
    check_order(row.rank(batch, 20), scores, 2e-3)
    assert row.name == "appearance-256"


def test_the_row_identity_asks_for_nothing_but_the_person(
    gallery: FaceSet, described: Described, batch: QueryBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "features", lambda context, name: {"identity": described}[name])
    row = row_named("identity", FakeEncoder()).fit(gallery)
    scores = described(batch.pictures).astype(np.float64) @ described(gallery.pictures).T
    found = row.rank(batch, 20)
    check_order(found, scores, 1e-6)
    assert found[:, 0].tolist() == list(range(0, 60, 7))
    wished = QueryBatch(batch.pictures, {"pose": np.full(len(batch), "0")})
    assert np.array_equal(row.rank(wished, 20), found)


# What is made once


class Counted(FakeEncoder):
    """Counts the faces that it canonicalises."""

    def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
        counted.append(len(crops))
        return super().canonicalise(crops)


counted: list[int] = []


def test_faces_of_the_gallery_are_canonicalised_once_however_often_they_are_asked_for(
    gallery: FaceSet, described: Described
) -> None:
    counted.clear()
    studio, cached = Studio(Counted()), CachedFeatures(described)
    whole, vectors = studio.canonical(gallery), cached(gallery.pictures)
    chosen = np.array([3, 3, 59, 0, 17])
    some = gallery.pictures.select(chosen)
    again, alone = studio.canonical(some), Studio(FakeEncoder()).canonical(some)
    for name in ("values", "images", "features", "distances"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name)[chosen])
        np.testing.assert_allclose(getattr(again, name), getattr(alone, name), atol=1e-3)
    np.testing.assert_array_equal(cached(some), vectors[chosen])
    assert studio.canonical(some) is again
    assert studio.canonical(gallery) is whole
    assert (counted, described.asked) == ([60], [60])
    strange = Pictures(255 - gallery.crops[:4])
    found = studio.canonical(strange)
    np.testing.assert_array_equal(found.values, FakeEncoder().canonicalise(strange.crops).values)
    assert counted == [60, 4]
    assert studio.canonical(gallery) is whole
    assert studio.canonical(some).values.tolist() == again.values.tolist()
    assert counted == [60, 4]
    studio.forget()
    assert studio.canonical(some).values.tolist() == again.values.tolist()
    assert counted == [60, 4, 5]


# What the rows need


def test_rows_of_weights_without_a_projection_and_of_missing_calibrations_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without = Context(studio=Studio(FakeEncoder()), attribute="pose")
    for name in ("fused", "fused-all-values", "fused-rendered", "appearance-256"):
        method = find_method(name, "pose")
        with pytest.raises(RowUnavailable, match="the weights fake have no projection"):
            method.build(without)
        assert "" in method.cache_key(without).values()
    monkeypatch.setitem(CALIBRATIONS, "rendered", tmp_path / "none.json")
    context = Context(studio=Studio(load_generator("rotation-32")), attribute="pose")
    with pytest.raises(RowUnavailable, match="there is no calibration on rendered people"):
        find_method("fused-rendered", "pose").build(context)
    assert find_method("fused-rendered", "pose").cache_key(context)["calibration rendered"] == ""


def test_a_row_is_measured_again_if_its_own_calibration_changes_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    studio = Studio(load_generator("rotation-32"))
    CALIBRATION.save(tmp_path / "rendered.json")
    monkeypatch.setitem(CALIBRATIONS, "rendered", tmp_path / "rendered.json")

    def keys(calibration: Calibration) -> dict[str, dict[str, str]]:
        context = Context(studio=studio, attribute="pose", calibration=calibration)
        names = ("fused", "fused-all-values", "fused-rendered", "identity", "appearance-256", "ours-features")
        return {name: find_method(name, "pose").cache_key(context) for name in names}

    before, after = keys(read_calibration()), keys(replace(read_calibration(), doubt=0.123))
    assert {name for name in before if before[name] != after[name]} == {"fused", "fused-all-values"}
    assert all(value for key in before.values() for value in key.values())
    replace(CALIBRATION, doubt=0.2).save(tmp_path / "rendered.json")
    again = keys(read_calibration())
    assert {name for name in before if before[name] != again[name]} == {"fused-rendered"}
