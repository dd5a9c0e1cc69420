import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, SIDE, VOCABULARY, PerfectGenerator, RandomGenerator, readable_faces
from PIL import Image
from typer.testing import Result as Ran

from evaluation.benchmark import PARTS, Benchmark, Options, Read, Step, StepProgress, named
from evaluation.figures import read_figures
from evaluation.figures.drawings import generated_sheet
from evaluation.measurements import (
    AMOUNTS,
    canonicalised_values,
    compared_by_change,
    confusion_counts,
    error_values,
    picture_errors,
)
from evaluation.methods import methods_for
from evaluation.protocol import Experiment, prepare
from evaluation.recall import KS
from evaluation.results import Journal, Results, Unavailable, Value, read_results
from evaluation.studio import Studio
from evaluation.tables import PAPER_RECALL, error_tables, recall_table, recognition_tables, set_tables
from facedata.labelled import FaceSet, LabelRow, face_set, write_labels
from faces.errors import DataError, WeightsError
from faces.progress import NoProgress
from generator.attributes import AttributeGroup, Vocabulary

POSE_ROWS = ("ours-features", "ours-image", "two-step-image-true-pose", "two-step-features-true-pose")


def benchmark(
    *generators: PerfectGenerator,
    rows: tuple[str, ...] | None = POSE_ROWS,
    queries: int = 60,
    seed: int = 5,
    parts: tuple[str, ...] = PARTS[:-1],  # but for the figures
) -> Benchmark:
    options = Options(rows=rows, queries=queries, seed=seed, parts=parts)
    return Benchmark(named(generators or [PerfectGenerator()]), options=options)


def reading(faces: FaceSet) -> Read:
    return lambda geometry: faces


def measured(faces: FaceSet, out: Path, with_: Benchmark | None = None) -> Results:
    (with_ or benchmark()).measure(reading(faces), Journal(out), NoProgress())
    return read_results(out)


def experiment_on(faces: FaceSet, *generators: PerfectGenerator, queries: int = 60) -> Experiment:
    return benchmark(*generators, queries=queries).open(reading(faces), NoProgress())[0]


class Other(PerfectGenerator):
    name = "other"
    weights_id = "ba9876543210"


class Counted(PerfectGenerator):
    """Counts the faces that it canonicalises and draws."""

    def __init__(self) -> None:
        self.canonicalised = self.drawn = 0

    def draw(self, crops, wishes, /):  # type: ignore[no-untyped-def]
        self.drawn += len(crops)
        return super().draw(crops, wishes)

    def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
        self.canonicalised += len(crops)
        self.drawn -= len(crops)  # taken back: the drawings of canonicalisation do not count
        return super().canonicalise(crops)


def recall(results: Results, row: str, criterion: int = 1) -> list[float]:
    return [value.value for value in results.recall(row, criterion).values()]


def test_a_perfect_generator_finds_everything(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    assert results.methods() == list(POSE_ROWS)
    for row in POSE_ROWS[:2]:
        for criterion in (1, 2):
            values = results.recall(row, criterion)
            assert list(values) == [1, 5, 20]
            assert all((one.value, one.interval) == (100.0, (100.0, 100.0)) for one in values.values())


def test_a_random_generator_finds_what_chance_finds(tmp_path: Path) -> None:
    people, lights = 20, 3
    random = benchmark(RandomGenerator(), rows=("ours-features",), queries=2000)
    results = measured(readable_faces(people, lights), tmp_path, random)
    for value in results.find("recall"):
        right = lights if value.criterion == 1 else 1
        missed = [1 - right / (results.sets[0].gallery - place) for place in range(int(value.k))]
        chance = 100 * (1 - math.prod(missed))
        # five standard deviations of a share of 2,000 queries; their queries are not quite independent
        assert abs(value.value - chance) < 5 * 100 * math.sqrt(max(chance, 0.2) / 100 / value.n)


def test_every_row_is_computed_on_the_same_queries(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    assert {value.n for value in results.find("recall")} == {60}
    (header,) = results.sets
    assert (header.queries, header.gallery, header.seed) == (60, 126, 5)


def test_rows_that_cannot_be_computed_say_why_and_hold_up_nothing(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path, benchmark(rows=None))
    reasons = {one.method: one.reason for one in results.unavailable}
    assert reasons["two-step-deep-fc6"] == "weights not given"
    # What comes along sees faces of 32 × 32 pixels, these have 8 × 8.
    assert reasons["cpi"] == "CPI was trained on faces cropped in another way"
    assert reasons["two-step-image"] == "the rivals were fitted on faces of another size"
    assert set(results.methods()) == set(methods_for("pose"))
    assert all(not results.recall(row, 1) for row in reasons)


def test_a_row_that_does_not_exist_is_named_before_anything_is_computed(tmp_path: Path) -> None:
    generator = Counted()
    with pytest.raises(DataError, match="'ours-magic'"):
        measured(readable_faces(), tmp_path, benchmark(generator, rows=("ours-image", "ours-magic")))
    assert generator.canonicalised == 0


def test_criterion_2_is_left_out_where_lights_are_unknown(tmp_path: Path) -> None:
    results = measured(readable_faces(lit=False), tmp_path)
    assert results.sets[0].criteria == ("right person and pose",)
    assert {value.criterion for value in results.find("recall")} == {1}


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
    measured(readable_faces(people=3, lights=1), tmp_path, benchmark(generator, queries=20))
    assert generator.canonicalised == 21
    # queries, all 126 pairs for the error, and queries again for each amount of misalignment
    assert generator.drawn == 20 + 126 + 20 * (1 + sum(len(amounts) for amounts in AMOUNTS.values()))


def test_other_weights_get_rows_of_their_own(tmp_path: Path) -> None:
    with_both = benchmark(PerfectGenerator(), Other(), rows=None)
    results = measured(readable_faces(), tmp_path, with_both)
    made_with = {value.method: value.weights for value in results.find("recall")}
    made_with = {row: weights for row, weights in made_with.items() if row.startswith("ours-")}
    assert made_with == {
        "ours-features": "perfect@0123456789ab",
        "ours-all-values": "perfect@0123456789ab",
        "ours-posterior": "perfect@0123456789ab",
        "ours-image": "perfect@0123456789ab",
        "ours-features@other": "other@ba9876543210",
        "ours-all-values@other": "other@ba9876543210",
        "ours-posterior@other": "other@ba9876543210",
        "ours-image@other": "other@ba9876543210",
    }
    errors = results.find("squared error", k=1)
    assert [error.weights for error in errors] == ["perfect@0123456789ab", "other@ba9876543210"]
    assert results.sets[0].weights == ("perfect@0123456789ab", "other@ba9876543210")
    moved = {value.method for value in results.find("recall@1 by turn")}
    assert moved >= {"ours-features", "ours-features@other"}


def test_what_is_finished_is_not_measured_again(tmp_path: Path) -> None:
    faces, first, again = readable_faces(), Counted(), Counted()
    before = measured(faces, tmp_path, benchmark(first))
    after = measured(faces, tmp_path, benchmark(again))
    assert first.drawn > 0
    assert again.drawn == again.canonicalised == 0
    assert after == before


def test_rows_that_were_not_asked_for_again_stay(tmp_path: Path) -> None:
    faces = readable_faces()
    measured(faces, tmp_path, benchmark(rows=("ours-image",)))
    results = measured(faces, tmp_path, benchmark(rows=("ours-features",)))
    assert set(results.methods()) == {"ours-image", "ours-features"}


def test_parts_that_are_left_out_can_be_added_later_and_nothing_is_lost(tmp_path: Path) -> None:
    faces = readable_faces(people=3)
    everything = measured(faces, tmp_path / "at once", benchmark(parts=PARTS))
    tables = measured(faces, tmp_path / "bit by bit", benchmark(parts=("tables",)))
    assert {value.measure for value in tables.values} == {"recall", "seconds"}
    again = Counted()
    for part in ("figures", *PARTS[1:]):
        results = measured(faces, tmp_path / "bit by bit", benchmark(again, parts=(part,)))
    assert {value.measure for value in results.values} == {value.measure for value in everything.values}
    for value in everything.values:
        if value.measure != "seconds":
            assert value in results.values
    drawn = again.drawn
    same = measured(faces, tmp_path / "bit by bit", benchmark(again, parts=("tables",)))
    assert (same, again.drawn) == (results, drawn)


def test_figures_of_other_results_are_not_shown_beside_new_ones(tmp_path: Path) -> None:
    faces = readable_faces(people=3)
    measured(faces, tmp_path, benchmark(parts=("tables", "figures")))
    assert read_figures(tmp_path, "readable")
    results = measured(faces, tmp_path, benchmark(parts=("tables",)))
    assert read_figures(tmp_path, "readable") and results.find("figures")
    results = measured(faces, tmp_path, benchmark(Other(), parts=("tables",)))
    assert not read_figures(tmp_path, "readable") and not results.find("figures")
    measured(faces, tmp_path, benchmark(Other(), parts=("figures",)))
    assert read_figures(tmp_path, "readable")
    (tmp_path / "figures" / "readable.json").unlink()
    measured(faces, tmp_path, benchmark(Other(), parts=("figures",)))
    assert read_figures(tmp_path, "readable")


@pytest.mark.parametrize("change", ["seed", "queries", "faces", "weights"])
def test_what_was_measured_otherwise_is_measured_again(change: str, tmp_path: Path) -> None:
    faces = readable_faces()
    measured(faces, tmp_path)
    lighter = replace(faces, crops=np.where(faces.crops > 200, 200, faces.crops).astype(np.uint8))
    otherwise = {
        "seed": (faces, benchmark(seed=6)),
        "queries": (faces, benchmark(queries=59)),
        "faces": (lighter, benchmark()),
        "weights": (faces, benchmark(Other())),
    }
    results = measured(otherwise[change][0], tmp_path, otherwise[change][1])
    assert len(results.sets) == 1
    # Oracles look at the pictures alone, but other weights may be asked for other values.
    assert len(results.find("recall")) == 2 * len(KS) * len(POSE_ROWS)
    assert len(list((tmp_path / "arrays").iterdir())) == len(POSE_ROWS)


def test_a_second_set_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    first = measured(readable_faces(), tmp_path)
    both = measured(replace(readable_faces(people=4), name="second"), tmp_path)
    assert both.of("readable") == first
    assert [header.set for header in both.sets] == ["readable", "second"]


def test_a_kill_loses_the_row_in_flight_and_no_other(tmp_path: Path) -> None:
    class Dies(Counted):
        def draw(self, crops, wishes, /):  # type: ignore[no-untyped-def]
            if self.drawn >= 60:  # the error of both stages comes after the rows
                raise KeyboardInterrupt
            return super().draw(crops, wishes)  # type: ignore[no-untyped-call]

    faces = readable_faces()
    with pytest.raises(KeyboardInterrupt):
        measured(faces, tmp_path, benchmark(Dies()))
    known = read_results(tmp_path)
    assert known.methods() == list(POSE_ROWS)
    assert not known.find("squared error")
    again = Counted()
    assert len(measured(faces, tmp_path, benchmark(again)).find("squared error")) == 2


def test_progress_tells_the_step_and_once_it_is_known_the_time_left() -> None:
    told: list[str] = []
    now = [0.0]

    class Told(NoProgress):
        def start(self, what: str, total: int | None, unit: str) -> None:
            told.append(what)

    progress = StepProgress(Told(), clock=lambda: now[0])
    for step in progress.through([Step("ours-image", "", list, cost) for cost in (2.0, 6.0, 2.0)]):
        progress.start("searching", 10, "queries")
        now[0] += 60 * step.cost
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

    name = "unbar"
    vocabulary = Vocabulary((AttributeGroup("accessory", ("none",)),))

    def draw(self, crops, wishes, /):  # type: ignore[no-untyped-def]
        return super().draw(crops, VOCABULARY.vectors(crops[:, :1, 2].astype(np.int64)))


def barred_faces() -> FaceSet:
    """Frontal faces as they are and with a bar over the last four rows of pixels."""
    faces = readable_faces(people=4, lights=2)
    faces = faces.select(np.repeat(np.flatnonzero(faces.poses == "0"), 2))
    barred = np.arange(len(faces)) % 2 == 1
    crops = faces.crops.copy()
    crops[barred, 4:] = 0
    return replace(faces, crops=crops, accessories=np.where(barred, "bar", "none"))


def test_a_set_with_one_wish_has_errors_and_nothing_to_search_for(tmp_path: Path) -> None:
    results = measured(barred_faces(), tmp_path, benchmark(Unbar(), rows=None))
    assert results.sets[0].values == ("none",)
    assert (results.sets[0].queries, results.sets[0].criteria) == (0, ())
    errors = results.find("absolute error")
    assert [(error.k, error.value, error.n) for error in errors] == [(1, 0.0, 8), (2, 0.0, 8)]
    assert results.methods() == [] and results.find("canonicalised") == []


def test_each_set_is_measured_with_the_weights_that_know_it(tmp_path: Path) -> None:
    with_both = benchmark(PerfectGenerator(), Unbar())
    measured(readable_faces(), tmp_path, with_both)
    sets = measured(
        replace(barred_faces(), name="barred"), tmp_path, benchmark(PerfectGenerator(), Unbar(), rows=None)
    ).sets
    assert [(header.set, header.attribute, header.weights) for header in sets] == [
        ("readable", "pose", ("perfect@0123456789ab",)),
        ("barred", "accessory", ("unbar@0123456789ab",)),
    ]


def test_recall_by_change_adds_up_to_the_whole(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    values = results.find("recall@5 by change")
    ours = {value.k: value.n for value in values if value.criterion == 1}
    assert set(ours) == {15, 30, 45, 60, 75, 90}
    assert sum(ours.values()) == 60
    assert {value.method for value in values} == {"ours-features"}  # an oracle is no rival


def test_the_best_two_rivals_are_compared_by_change() -> None:
    reached = {
        "ours-features": 50.0,
        "ours-features@other": 99.0,
        "two-step-image": 10.0,
        "cpi": 60.0,
        "two-step-dlib": 30.0,
        "two-step-dlib-true-pose": 80.0,
    }
    values = [Value("set", row, "", "recall", 1, 5, at_5, None, None, 9) for row, at_5 in reached.items()]
    unavailable = [Unavailable("set", "two-step-deep-fc6", "weights not given")]
    results = Results([*values, *unavailable])
    assert compared_by_change(results, "pose") == ["ours-features", "cpi", "two-step-dlib"]


def test_the_error_is_the_mean_of_squared_and_of_absolute_grey_levels() -> None:
    drawn, true = np.full((2, 2, 2), 250, np.uint8), np.zeros((2, 2, 2), np.uint8)
    true[0, 0, 0] = 255
    squared, absolute = picture_errors(drawn, true)
    assert squared.tolist() == [(3 * 250**2 + 5**2) / 4, 250**2]
    assert absolute.tolist() == [(3 * 250 + 5) / 4, 250]


def test_the_error_of_both_stages_is_told_apart() -> None:
    class Rough(PerfectGenerator):
        def draw(self, crops, wishes, /):  # type: ignore[no-untyped-def]
            made = super().draw(crops, wishes)
            return replace(made, stage1=np.where(made.stage1 > 127, made.stage1 - 10, made.stage1 + 10))

    errors = error_values(readable_faces(), Studio(Rough()), "pose", count=400)
    assert [(error.measure, error.k, error.value) for error in errors] == [
        ("squared error", 1, 100.0),
        ("squared error", 2, 0.0),
        ("absolute error", 1, 10.0),
        ("absolute error", 2, 0.0),
    ]
    assert errors[0].interval == pytest.approx((100.0, 100.0))
    assert {error.n for error in errors} == {400}


def test_there_is_no_error_to_measure_without_pairs() -> None:
    faces = readable_faces(people=3, lights=1)
    assert error_values(faces.select(faces.poses == "0"), Studio(PerfectGenerator()), "pose") == []


def test_confusion_counts_true_values_down_and_chosen_ones_across() -> None:
    class Flatterer(PerfectGenerator):
        def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
            return self.taken_for(crops, np.full(len(crops), POSES.index("0")))

    accuracy, *found = canonicalised_values(readable_faces(people=2, lights=1), Studio(Flatterer()), "pose")
    values, counts = confusion_counts([one for one in found if isinstance(one, Value)])
    assert values == POSES
    assert counts[:, 3].tolist() == [2] * 7 and counts.sum() == 14
    assert accuracy.value == pytest.approx(100 / 7)


def test_the_tables_show_the_papers_numbers_beside_ours(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    header = results.sets[0]
    first, second = (recall_table(header, results, criterion).plain()[1] for criterion in (1, 2))
    assert first[0] == ("ours-features", *["100.0 [100.0–100.0]"] * 3, "53.5", "80.5", "90.7")
    assert second[2][4:] == ("6.3", "15.6", "25.3")
    (errors,) = error_tables(header, results)
    assert errors.plain()[1] == [
        ("perfect@0123456789ab", *["0.00 [0.00–0.00]"] * 4),
        ("the paper, on Multi-PIE", "380.89", "369.16", "–", "–"),
    ]
    told, confused = recognition_tables(header, results)
    assert told.plain()[1][0][1:] == ("100.0 [100.0–100.0]", "126")
    assert confused.plain()[1][0][1:] == ("100.0", *["0.0"] * 6, "18")
    for tables in set_tables(header, results).values():
        for table in tables:
            columns, rows = table.plain()
            assert all(len(row) == len(columns) for row in rows)


def test_rows_stand_in_the_order_of_the_tables_whenever_they_were_measured(tmp_path: Path) -> None:
    measured(readable_faces(), tmp_path, benchmark(rows=("two-step-image-true-pose", "ours-image")))
    results = measured(readable_faces(), tmp_path, benchmark(rows=("ours-features", "two-step-dlib")))
    columns, rows = recall_table(results.sets[0], results, 1).plain()
    assert [row[0] for row in rows] == [
        "ours-features", "ours-image", "two-step-dlib", "two-step-image-true-pose",
    ]  # fmt: skip
    assert columns[-1] == "note"
    assert rows[2][-1] != ""


def test_the_papers_numbers_stand_only_beside_the_pose(tmp_path: Path) -> None:
    results = measured(readable_faces(), tmp_path)
    accessories = replace(results.sets[0], attribute="accessory")
    assert recall_table(accessories, results, 1).columns == ("row", "R@1", "R@5", "R@20")
    (errors,) = error_tables(accessories, results)
    assert [line.name for line in errors.rows] == ["perfect@0123456789ab"]


def test_the_papers_numbers_are_whole() -> None:
    for by_criterion in PAPER_RECALL.values():
        for numbers in by_criterion.values():
            assert tuple(numbers) == KS
            assert list(numbers.values()) == sorted(numbers.values())


def test_sheets_show_a_line_for_each_face() -> None:
    faces = readable_faces(people=2, lights=1)
    studio = Studio(PerfectGenerator())
    page = generated_sheet(faces, np.array([0, 7]), studio, "pose")
    assert page.width == 8 * 144 and page.height % 2 == 0  # the face and seven poses
    one = generated_sheet(faces, np.array([0]), studio, "pose")
    assert page.height == 2 * one.height


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
    import evaluation.benchmark

    monkeypatch.setattr(evaluation.benchmark, "load_generator", lambda name: PerfectGenerator())
    out = tmp_path / "out"
    ran = run_cli("benchmark", folder, "--cropped", "--queries", "1000", "--seed", "3", "--out", out)
    assert ran.exit_code == 0, ran.stderr
    assert "Criterion 1" in ran.stdout and "Criterion 2" in ran.stdout
    assert "only 336 different queries" in ran.stderr
    assert set(read_results(out).methods()) == set(methods_for("pose"))


def test_the_command_measures_only_what_is_asked_for(
    folder: Path, tmp_path: Path, run_cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import evaluation.benchmark

    monkeypatch.setattr(evaluation.benchmark, "load_generator", lambda name: PerfectGenerator())
    out = tmp_path / "out"
    ran = run_cli("benchmark", folder, "--cropped", "--only", "tables", "--rows", "ours-image", "--out", out)
    assert ran.exit_code == 0, ran.stderr
    assert {value.measure for value in read_results(out).values} == {"recall", "seconds"}
    assert (out / "report.html").is_file() and not read_figures(out, "faces")
    ran = run_cli("benchmark", folder, "--cropped", "--only", "songs", "--out", out)
    assert ran.exit_code == 2
    assert "'songs' is none of tables, " in ran.stderr


def test_the_command_names_what_is_missing(
    tmp_path: Path, run_cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import evaluation.benchmark

    monkeypatch.setattr(evaluation.benchmark, "load_generator", lambda name: PerfectGenerator())
    ran = run_cli("benchmark", tmp_path / "nowhere", "--cropped", "--out", tmp_path)
    assert ran.exit_code == 1
    assert "does not exist" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_fakes_are_as_large_as_they_say() -> None:
    assert readable_faces().size == SIDE == PerfectGenerator.geometry.size


def test_a_face_whose_label_is_the_same_number_written_otherwise_is_measured(tmp_path: Path) -> None:
    faces = readable_faces(people=3, lights=1)
    plain = replace(faces, poses=np.char.lstrip(faces.poses, "+"))
    assert recall(measured(plain, tmp_path), "ours-features") == [100.0] * 3


def test_a_set_of_one_face_cannot_be_measured() -> None:
    one = face_set("one", np.zeros((1, SIDE, SIDE), np.uint8), [LabelRow("a", "ann", "0")])
    with pytest.raises(DataError):
        experiment_on(one)
