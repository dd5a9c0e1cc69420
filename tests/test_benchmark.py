import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, SIDE, Group, PerfectGenerator, RandomGenerator, readable_faces
from PIL import Image
from typer.testing import Result as Ran

from evaluation.benchmark import PARTS
from evaluation.change import compared_rows
from evaluation.errors import confusion, picture_errors, stage_errors
from evaluation.experiment import Experiment, prepare
from evaluation.journal import Journal, read_results
from evaluation.misalign import AMOUNTS
from evaluation.paper import COMPARED_WITH, RECALL
from evaluation.recall import KS
from evaluation.results import Results, RowRecord
from evaluation.rows import rows_for
from evaluation.run import Read, Settings, Workshop, named
from evaluation.sheets import generated_sheet, retrieval_sheet
from evaluation.steps import StepProgress
from evaluation.studio import Studio
from evaluation.tables import all_tables, confusion_table, error_table, recall_tables
from facedata.labelled import FaceSet, LabelRow, face_set, write_labels
from faces.errors import DataError, WeightsError
from faces.progress import NoProgress
from faces.types import Ints

POSE_ROWS = ("ours-features", "ours-image", "two-step-image-true-pose", "two-step-features-true-pose")


def workshop(
    *generators: PerfectGenerator, rows: tuple[str, ...] | None = POSE_ROWS, queries: int = 60, seed: int = 5
) -> Workshop:
    settings = Settings(rows=rows, queries=queries, seed=seed, parts=PARTS - {"figures"})
    return Workshop(named(generators or [PerfectGenerator()]), settings=settings)


def reading(faces: FaceSet) -> Read:
    return lambda geometry: faces


def measured(faces: FaceSet, out: Path, with_: Workshop | None = None) -> Results:
    (with_ or workshop()).measure(reading(faces), Journal(out), NoProgress())
    return read_results(out)


def experiment_on(faces: FaceSet, *generators: PerfectGenerator, queries: int = 60) -> Experiment:
    return workshop(*generators, queries=queries).open(reading(faces), NoProgress())[0]


class Other(PerfectGenerator):
    name = "other"
    weights_id = "ba9876543210"


class Counted(PerfectGenerator):
    """Counts the faces that it canonicalises and draws."""

    def __init__(self) -> None:
        self.canonicalised = self.drawn = 0

    def draw(self, crops, codes, /):  # type: ignore[no-untyped-def]
        self.drawn += len(crops)
        return super().draw(crops, codes)

    def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
        self.canonicalised += len(crops)
        return super().draw(crops, crops[:, 0, 2].astype(np.int64))


def test_a_perfect_generator_finds_everything(tmp_path: Path) -> None:
    rows = measured(readable_faces(), tmp_path).rows
    assert [(row.row, row.criterion) for row in rows] == [(row, c) for row in POSE_ROWS for c in (1, 2)]
    assert all(row.recall == {1: 100.0, 5: 100.0, 20: 100.0} for row in rows if row.row.startswith("ours"))
    assert rows[0].interval == {1: (100.0, 100.0), 5: (100.0, 100.0), 20: (100.0, 100.0)}


def test_a_random_generator_finds_what_chance_finds(tmp_path: Path) -> None:
    people, lights = 20, 3
    random = workshop(RandomGenerator(), rows=("ours-features",), queries=2000)
    for row in measured(readable_faces(people, lights), tmp_path, random).rows:
        right = lights if row.criterion == 1 else 1
        for k, value in row.recall.items():
            chance = 100 * (1 - math.prod(1 - right / (row.gallery - place) for place in range(k)))
            # five standard deviations of a share of 2,000 queries; their queries are not quite independent
            assert abs(value - chance) < 5 * 100 * math.sqrt(max(chance, 0.2) / 100 / row.queries)


def test_every_row_is_computed_on_the_same_queries(tmp_path: Path) -> None:
    rows = measured(readable_faces(), tmp_path).rows
    assert {(row.queries, row.gallery, row.seed) for row in rows} == {(60, 126, 5)}
    assert [row.told for row in rows[::2]] == [False, False, True, True]


def test_rows_that_cannot_be_computed_say_why_and_hold_up_nothing(tmp_path: Path) -> None:
    rows = measured(readable_faces(), tmp_path, workshop(rows=None)).rows
    reasons = {row.row: row.unavailable for row in rows if not row.available}
    assert reasons["two-step-deep-fc6"] == "weights not given"
    # What comes along sees faces of 32 × 32 pixels, these have 8 × 8.
    assert reasons["cpi"] == "CPI was trained on faces cropped in another way"
    assert reasons["two-step-image"] == "the rivals were fitted on faces of another size"
    assert {row.row for row in rows} == set(rows_for("pose"))
    assert all(row.recall == {} for row in rows if not row.available)


def test_a_row_that_does_not_exist_is_named_before_anything_is_computed(tmp_path: Path) -> None:
    generator = Counted()
    with pytest.raises(DataError, match="'ours-magic'"):
        measured(readable_faces(), tmp_path, workshop(generator, rows=("ours-image", "ours-magic")))
    assert generator.canonicalised == 0


def test_criterion_2_is_left_out_where_lights_are_unknown(tmp_path: Path) -> None:
    results = measured(readable_faces(lit=False), tmp_path)
    assert results.sets[0].criteria == {1: "right person and pose"}
    assert {row.criterion for row in results.rows} == {1}


def test_only_the_people_of_the_test_split_are_measured() -> None:
    faces = readable_faces(people=4)
    faces = replace(faces, splits=np.where(faces.persons < "person 2", "test", "train"))
    assert len(experiment_on(faces).gallery) == len(faces) // 2


def test_faces_that_are_never_shown_otherwise_cannot_be_measured() -> None:
    faces = readable_faces(people=6, lights=1)
    each_once = faces.select(np.arange(6) * 7 + np.arange(6))
    with pytest.raises(DataError, match="no query"):
        experiment_on(each_once)


def test_poses_the_weights_cannot_draw_are_an_error() -> None:
    faces = readable_faces()
    with pytest.raises(DataError, match="none of the weights perfect can change"):
        experiment_on(replace(faces, poses=np.where(faces.poses == "0", "up", "down")))


def test_an_attribute_the_weights_do_not_know_is_an_error() -> None:
    with pytest.raises(WeightsError, match="only pose"):
        prepare(readable_faces(), Studio(PerfectGenerator()), attribute="accessory")


def test_faces_of_another_size_than_the_weights_take_are_refused(tmp_path: Path) -> None:
    faces = readable_faces(people=2, lights=1)
    larger = replace(faces, crops=np.kron(faces.crops, np.ones((1, 2, 2), np.uint8)))
    with pytest.raises(WeightsError, match="8×8"):
        measured(larger, tmp_path)


def test_the_gallery_is_canonicalised_and_the_queries_are_drawn_once_for_all_rows(tmp_path: Path) -> None:
    generator = Counted()
    measured(readable_faces(people=3, lights=1), tmp_path, workshop(generator, queries=20))
    assert generator.canonicalised == 21
    # queries, all 126 pairs for the error, and queries again for each amount of misalignment
    assert generator.drawn == 20 + 126 + 20 * (1 + sum(len(amounts) for amounts in AMOUNTS.values()))


def test_other_weights_get_rows_of_their_own(tmp_path: Path) -> None:
    with_both = workshop(PerfectGenerator(), Other(), rows=None)
    results = measured(readable_faces(), tmp_path, with_both)
    made_with = {row.row: row.made_with for row in results.rows if row.row.startswith("ours-")}
    assert made_with == {
        "ours-features": "perfect@0123456789ab",
        "ours-all-values": "perfect@0123456789ab",
        "ours-image": "perfect@0123456789ab",
        "ours-features@other": "other@ba9876543210",
        "ours-all-values@other": "other@ba9876543210",
        "ours-image@other": "other@ba9876543210",
    }
    assert [errors.weights for errors in results.errors] == ["perfect@0123456789ab", "other@ba9876543210"]
    assert results.sets[0].weights == ("perfect@0123456789ab", "other@ba9876543210")
    assert {one.row for one in results.misaligned} >= {"ours-features", "ours-features@other"}


def test_what_is_finished_is_not_measured_again(tmp_path: Path) -> None:
    faces, first, again = readable_faces(), Counted(), Counted()
    before = measured(faces, tmp_path, workshop(first))
    after = measured(faces, tmp_path, workshop(again))
    assert first.drawn > 0
    assert again.drawn == again.canonicalised == 0
    assert after == before


def test_rows_that_were_not_asked_for_again_stay(tmp_path: Path) -> None:
    faces = readable_faces()
    measured(faces, tmp_path, workshop(rows=("ours-image",)))
    rows = measured(faces, tmp_path, workshop(rows=("ours-features",))).rows
    assert {row.row for row in rows} == {"ours-image", "ours-features"}


@pytest.mark.parametrize("change", ["seed", "queries", "faces", "weights"])
def test_what_was_measured_otherwise_is_measured_again(change: str, tmp_path: Path) -> None:
    faces = readable_faces()
    measured(faces, tmp_path)
    lighter = replace(faces, crops=np.where(faces.crops > 200, 200, faces.crops).astype(np.uint8))
    otherwise = {
        "seed": (faces, workshop(seed=6)),
        "queries": (faces, workshop(queries=59)),
        "faces": (lighter, workshop()),
        "weights": (faces, workshop(Other())),
    }
    results = measured(otherwise[change][0], tmp_path, otherwise[change][1])
    assert len(results.sets) == 1
    # Told rows look at the pictures alone, but any change of the weights may change what is told of them.
    assert len(results.rows) == 2 * len(POSE_ROWS)
    assert len(list((tmp_path / "arrays").iterdir())) == len(POSE_ROWS)


def test_a_second_set_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    first = measured(readable_faces(), tmp_path)
    both = measured(replace(readable_faces(people=4), name="second"), tmp_path)
    assert both.of("readable") == first
    assert [found.dataset for found in both.sets] == ["readable", "second"]


def test_a_kill_loses_the_row_in_flight_and_no_other(tmp_path: Path) -> None:
    class Dies(Counted):
        def draw(self, crops, codes, /):  # type: ignore[no-untyped-def]
            if self.drawn >= 60:  # the error of both stages comes after the rows
                raise KeyboardInterrupt
            return super().draw(crops, codes)  # type: ignore[no-untyped-call]

    faces = readable_faces()
    with pytest.raises(KeyboardInterrupt):
        measured(faces, tmp_path, workshop(Dies()))
    known = read_results(tmp_path)
    assert len(known.rows) == 2 * len(POSE_ROWS)
    assert not known.errors
    again = Counted()
    assert len(measured(faces, tmp_path, workshop(again)).errors) == 1


def test_progress_tells_the_step_and_once_it_is_known_the_time_left() -> None:
    told: list[str] = []
    now = [0.0]

    class Told(NoProgress):
        def start(self, what: str, total: int | None, unit: str) -> None:
            told.append(what)

    progress = StepProgress(Told(), clock=lambda: now[0])
    progress.plan([2.0, 6.0, 2.0])
    for number, cost in enumerate((2.0, 6.0, 2.0), start=1):
        progress.enter(f"{number} of 3, ours-image")
        progress.start("searching", 10, "queries")
        now[0] += 60 * cost
        progress.leave(cost)
    assert told == [
        "1 of 3, ours-image: searching",
        "2 of 3, ours-image, 8 min left for this set: searching",
        "3 of 3, ours-image, 2 min left for this set: searching",
    ]


def test_an_output_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        Journal(tmp_path / "file" / "out")


class Unbar(PerfectGenerator):
    """Takes the bar off a face; knows no other wish."""

    class Vocabulary:
        groups = (Group("accessory", ("none",)),)

        def codes(self, wish: Mapping[str, str], /) -> Ints:
            return np.zeros(1, np.int64)

        def label(self, code: int, /) -> dict[str, str]:
            return {"accessory": "none"}

    name = "unbar"
    vocabulary = Vocabulary()  # type: ignore[assignment]

    def draw(self, crops, codes, /):  # type: ignore[no-untyped-def]
        return super().draw(crops, crops[:, 0, 2].astype(np.int64))


def barred_faces() -> FaceSet:
    """Frontal faces as they are and with a bar over the last four rows of pixels."""
    faces = readable_faces(people=4, lights=2)
    faces = faces.select(np.repeat(np.flatnonzero(faces.poses == "0"), 2))
    barred = np.arange(len(faces)) % 2 == 1
    crops = faces.crops.copy()
    crops[barred, 4:] = 0
    return replace(faces, crops=crops, accessories=np.where(barred, "bar", "none"))


def test_a_set_with_one_wish_has_errors_and_nothing_to_search_for(tmp_path: Path) -> None:
    results = measured(barred_faces(), tmp_path, workshop(Unbar(), rows=None))
    assert results.sets[0].values == ("none",)
    assert (results.sets[0].queries, results.sets[0].criteria) == (0, {})
    assert results.errors[0].pairs == 8
    assert results.errors[0].absolute == {"stage1": 0.0, "stage2": 0.0}
    assert results.rows == [] and results.confusions == []


def test_each_set_is_measured_with_the_weights_that_know_it(tmp_path: Path) -> None:
    with_both = workshop(PerfectGenerator(), Unbar())
    measured(readable_faces(), tmp_path, with_both)
    sets = measured(
        replace(barred_faces(), name="barred"), tmp_path, workshop(PerfectGenerator(), Unbar(), rows=None)
    ).sets
    assert [(found.dataset, found.attribute, found.weights) for found in sets] == [
        ("readable", "pose", ("perfect@0123456789ab",)),
        ("barred", "accessory", ("unbar@0123456789ab",)),
    ]


def test_recall_by_change_adds_up_to_the_whole(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    ours = next(change for change in results.changes if change.criterion == 1)
    assert ours.row == "ours-features"
    assert set(ours.recall) == {15, 30, 45, 60, 75, 90}
    assert sum(ours.queries.values()) == 60
    assert {change.row for change in results.changes} == {"ours-features"}  # true poses make no rival


def test_the_best_two_rivals_are_compared_by_change() -> None:
    def row(name: str, recall5: float, *, told: bool = False, unavailable: str = "") -> RowRecord:
        recall = {} if unavailable else {1: 0.0, 5: recall5, 20: 100.0}
        return RowRecord("set", name, 1, recall, {}, 9, 0, 9, 0, "", told, 0.0, unavailable=unavailable)

    rows = [
        row("ours-features", 50),
        row("ours-features@other", 99),
        row("two-step-image", 10),
        row("cpi", 60),
        row("two-step-dlib", 30),
        row("two-step-dlib-true-pose", 80, told=True),
        row("two-step-deep-fc6", 0, unavailable="weights not given"),
    ]
    assert compared_rows(rows) == ["ours-features", "cpi", "two-step-dlib"]


def test_the_error_is_the_mean_of_squared_and_of_absolute_grey_levels() -> None:
    drawn, true = np.full((2, 2, 2), 250, np.uint8), np.zeros((2, 2, 2), np.uint8)
    true[0, 0, 0] = 255
    squared, absolute = picture_errors(drawn, true)
    assert squared.tolist() == [(3 * 250**2 + 5**2) / 4, 250**2]
    assert absolute.tolist() == [(3 * 250 + 5) / 4, 250]


def test_the_error_of_both_stages_is_told_apart() -> None:
    class Rough(PerfectGenerator):
        def draw(self, crops, codes, /):  # type: ignore[no-untyped-def]
            made = super().draw(crops, codes)
            return replace(made, stage1=np.where(made.stage1 > 127, made.stage1 - 10, made.stage1 + 10))

    errors = stage_errors(readable_faces(), Studio(Rough()), "pose", count=400)
    assert errors is not None
    assert errors.squared == {"stage1": 100.0, "stage2": 0.0}
    assert errors.absolute == {"stage1": 10.0, "stage2": 0.0}
    assert errors.squared_interval["stage1"] == pytest.approx((100.0, 100.0))
    assert errors.pairs == 400


def test_there_is_no_error_to_measure_without_pairs() -> None:
    faces = readable_faces(people=3, lights=1)
    assert stage_errors(faces.select(faces.poses == "0"), Studio(PerfectGenerator()), "pose") is None


def test_confusion_counts_true_values_down_and_chosen_ones_across() -> None:
    class Flatterer(PerfectGenerator):
        def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
            return self.draw(crops, np.full(len(crops), POSES.index("0")))

    table = confusion(readable_faces(people=2, lights=1), Studio(Flatterer()), "pose")
    assert [row[3] for row in table.counts] == [2] * 7
    assert table.accuracy == pytest.approx(100 / 7)


def test_the_tables_show_the_papers_numbers_beside_ours(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    first, second = recall_tables(results.sets[0], results.rows)
    assert first.rows[0] == (
        "ours-features", *["100.0 [100.0, 100.0]"] * 3, "53.5", "80.5", "90.7", "ours-features",
    )  # fmt: skip
    assert second.rows[2][4:] == ("6.3", "15.6", "25.3", "two-step-image")
    assert error_table(results.errors[0]).rows[0] == ("stage1", *["0.00 [0.00, 0.00]"] * 2, "380.89")
    assert "100.0 [100.0, 100.0] % right" in confusion_table(results.confusions[0]).title
    for table in all_tables(results):
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_rows_stand_in_the_order_of_the_tables_whenever_they_were_measured(tmp_path: Path) -> None:
    measured(readable_faces(), tmp_path, workshop(rows=("two-step-image-true-pose", "ours-image")))
    results = measured(readable_faces(), tmp_path, workshop(rows=("ours-features", "two-step-dlib")))
    table = recall_tables(results.sets[0], results.rows)[0]
    assert [row[0] for row in table.rows] == [
        "ours-features", "ours-image", "two-step-dlib", "two-step-image-true-pose",
    ]  # fmt: skip
    assert table.columns[-1] == "note"
    assert table.rows[2][-1] != ""


def test_the_papers_numbers_stand_only_beside_the_pose(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    accessories = replace(results.sets[0], attribute="accessory")
    assert recall_tables(accessories, results.rows)[0].columns == ("row", "R@1", "R@5", "R@20")
    assert error_table(replace(results.errors[0], attribute="accessory")).columns[-1] == "mean absolute error"


def test_the_papers_numbers_are_whole() -> None:
    for by_criterion in RECALL.values():
        for numbers in by_criterion.values():
            assert tuple(numbers) == KS
            assert list(numbers.values()) == sorted(numbers.values())
    assert set(COMPARED_WITH.values()) <= set(RECALL)


def test_sheets_show_a_line_for_each_face() -> None:
    faces = readable_faces(people=2, lights=1)
    studio = Studio(PerfectGenerator())
    page = generated_sheet(faces, np.array([0, 7]), studio, "pose")
    other = retrieval_sheet(
        faces,
        np.array([0]),
        faces.crops[:1],
        ["+30"],
        np.array([[1, 2, -1]]),
        np.array([[True, False, False]]),
    )
    assert page.width == 2 * other.width  # source and seven poses; query, drawing and two hits
    assert page.height == 2 * other.height
    shown = {colour for _, colour in other.getcolors(1 << 24) or []}
    assert {(28, 124, 56), (200, 62, 52)} <= shown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Readable faces as a labelled folder of ready crops."""
    faces = readable_faces(people=4, lights=2)
    root = tmp_path / "faces"
    rows = []
    for index, crop in enumerate(faces.crops):
        name = faces.files[index].replace("/", "-")
        root.mkdir(exist_ok=True)
        Image.fromarray(crop).save(root / name)
        rows.append(LabelRow(name, faces.persons[index], faces.poses[index], faces.lights[index]))
    write_labels(root / "labels.csv", rows)
    return root


def test_the_command_measures_a_folder_and_prints_the_tables(
    folder: Path, tmp_path: Path, run_cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import generator.checkpoint

    monkeypatch.setattr(generator.checkpoint, "load_generator", lambda name: PerfectGenerator())
    out = tmp_path / "out"
    ran = run_cli("benchmark", folder, "--cropped", "--queries", "1000", "--seed", "3", "--out", out)
    assert ran.exit_code == 0, ran.stderr
    assert "criterion 1" in ran.stdout and "criterion 2" in ran.stdout
    assert "only 336 different queries" in ran.stderr
    assert {row.row for row in read_results(out).rows} == set(rows_for("pose"))


def test_the_command_names_what_is_missing(
    tmp_path: Path, run_cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import generator.checkpoint

    monkeypatch.setattr(generator.checkpoint, "load_generator", lambda name: PerfectGenerator())
    ran = run_cli("benchmark", tmp_path / "nowhere", "--cropped", "--out", tmp_path)
    assert ran.exit_code == 1
    assert "does not exist" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_fakes_are_as_large_as_they_say() -> None:
    assert readable_faces().size == SIDE == PerfectGenerator.geometry.size


def test_a_face_whose_label_is_the_same_number_written_otherwise_is_measured(tmp_path: Path) -> None:
    faces = readable_faces(people=3, lights=1)
    plain = replace(faces, poses=np.char.lstrip(faces.poses, "+"))
    assert measured(plain, tmp_path).rows[0].recall[1] == 100.0


def test_a_set_of_one_face_cannot_be_measured() -> None:
    one = face_set("one", np.zeros((1, SIDE, SIDE), np.uint8), [LabelRow("a", "ann", "0")])
    with pytest.raises(DataError):
        experiment_on(one)
