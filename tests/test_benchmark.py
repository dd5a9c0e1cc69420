import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, SIDE, PerfectGenerator, RandomGenerator, readable_faces
from PIL import Image
from typer.testing import Result as Ran

from evaluation.benchmark import ROWS, Experiment, prepare, run_benchmark, run_rows
from evaluation.errors import confusion, mean_squared_error, stage_errors
from evaluation.paper import COMPARED_WITH, RECALL
from evaluation.recall import KS
from evaluation.sheets import generated_sheet, retrieval_sheet
from evaluation.studio import Studio
from evaluation.tables import confusion_table, error_table, recall_tables
from facedata.labelled import FaceSet, LabelRow, face_set, write_labels
from faces.errors import DataError, WeightsError


def experiment_on(faces: FaceSet, *, random: bool = False, count: int = 300) -> Experiment:
    generator = RandomGenerator() if random else PerfectGenerator()
    return prepare(faces, Studio(generator), count=count, seed=5)


def test_a_perfect_generator_finds_everything() -> None:
    ours = ("ours-image", "ours-features")
    results = list(run_rows(experiment_on(readable_faces()), ours))
    assert [(result.row, result.criterion) for result in results] == [
        (row, c) for row in ours for c in (1, 2)
    ]
    assert all(result.recall == {1: 100.0, 5: 100.0, 20: 100.0} for result in results)


def test_a_random_generator_finds_what_chance_finds() -> None:
    people, lights = 20, 3
    experiment = experiment_on(readable_faces(people, lights), random=True, count=2000)
    for result in run_rows(experiment, ["ours-features"]):
        right = lights if result.criterion == 1 else 1
        for k, value in result.recall.items():
            chance = 100 * (1 - math.prod(1 - right / (result.gallery - place) for place in range(k)))
            # five standard deviations of a share of 2,000 queries; their queries are not quite independent
            assert abs(value - chance) < 5 * 100 * math.sqrt(max(chance, 0.2) / 100 / result.queries)


def test_every_row_is_computed_on_the_same_queries() -> None:
    results = list(run_rows(experiment_on(readable_faces())))
    assert [result.row for result in results[::2]] == [
        "ours-image",
        "ours-features",
        "two-step-image-true-pose",
    ]
    assert {(result.queries, result.gallery, result.seed) for result in results} == {(300, 126, 5)}
    assert len(ROWS) == 3


def test_a_row_that_does_not_exist_is_named_before_anything_is_computed() -> None:
    with pytest.raises(DataError, match="'ours-magic'"):
        next(run_rows(experiment_on(readable_faces()), ["ours-image", "ours-magic"]))


def test_criterion_2_is_left_out_where_lights_are_unknown() -> None:
    experiment = experiment_on(readable_faces(lit=False))
    assert not experiment.knows_lights
    assert {result.criterion for result in run_rows(experiment)} == {1}


def test_only_the_people_of_the_test_split_are_measured() -> None:
    faces = readable_faces(people=4)
    faces = replace(faces, splits=np.where(faces.persons < "person 2", "test", "train"))
    assert len(experiment_on(faces).gallery) == len(faces) // 2


def test_faces_that_are_never_shown_otherwise_cannot_be_measured() -> None:
    faces = readable_faces(people=6, lights=1)
    each_once = faces.select(np.arange(6) * 7 + np.arange(6))
    with pytest.raises(DataError, match="no query"):
        list(run_rows(experiment_on(each_once)))


def test_poses_the_weights_cannot_draw_are_an_error() -> None:
    faces = readable_faces()
    with pytest.raises(DataError, match="can draw"):
        experiment_on(replace(faces, poses=np.full(len(faces), "up")))


def test_an_attribute_the_weights_do_not_know_is_an_error() -> None:
    with pytest.raises(WeightsError, match="only pose"):
        prepare(readable_faces(), Studio(PerfectGenerator()), attribute="accessory")


def test_faces_of_another_size_than_the_weights_take_are_refused() -> None:
    faces = readable_faces(people=2, lights=1)
    larger = replace(faces, crops=np.kron(faces.crops, np.ones((1, 2, 2), np.uint8)))
    with pytest.raises(WeightsError, match="8×8"):
        list(run_rows(experiment_on(larger)))


def test_the_gallery_is_canonicalised_once_for_all_rows() -> None:
    seen: list[int] = []

    class Counted(PerfectGenerator):
        def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
            seen.append(len(crops))
            return super().canonicalise(crops)

    experiment = prepare(readable_faces(), Studio(Counted()))
    list(run_rows(experiment))
    confusion(experiment.gallery, experiment.studio, "pose")
    assert sum(seen) == len(experiment.gallery)


def test_the_results_are_lines_of_json_as_promised(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "results"
    run_benchmark(experiment_on(readable_faces()), out)
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    for line in lines:
        assert set(line) == {
            "dataset", "row", "criterion", "recall", "queries", "gallery", "weights", "seed",
        }  # fmt: skip
        assert set(line["recall"]) == {"1", "5", "20"}
    assert lines[0] == {
        "dataset": "readable",
        "row": "ours-image",
        "criterion": 1,
        "recall": {"1": 100.0, "5": 100.0, "20": 100.0},
        "queries": 300,
        "gallery": 126,
        "weights": "perfect@0123456789ab",
        "seed": 5,
    }
    errors = json.loads((out / "errors.json").read_text())
    assert errors == {"dataset": "readable", "stage1": 0.0, "stage2": 0.0, "pairs": 756, "seed": 5}
    table = json.loads((out / "confusion.json").read_text())
    assert table["accuracy"] == 100.0
    assert np.array_equal(table["counts"], 18 * np.eye(7))


def test_an_output_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        run_benchmark(experiment_on(readable_faces()), tmp_path / "file" / "out")


def test_the_error_is_the_mean_of_squared_grey_levels() -> None:
    drawn, true = np.full((2, 2, 2), 250, np.uint8), np.zeros((2, 2, 2), np.uint8)
    true[0, 0, 0] = 255
    assert mean_squared_error(drawn, true) == (7 * 250**2 + 5**2) / 8


def test_the_error_of_both_stages_is_told_apart() -> None:
    class Rough(PerfectGenerator):
        def draw(self, crops, codes, /):  # type: ignore[no-untyped-def]
            made = super().draw(crops, codes)
            return replace(made, stage1=np.where(made.stage1 > 127, made.stage1 - 10, made.stage1 + 10))

    errors = stage_errors(readable_faces(), Studio(Rough()), "pose", count=400)
    assert errors is not None
    assert (errors.stage1, errors.stage2, errors.pairs) == (100.0, 0.0, 400)


def test_there_is_no_error_to_measure_without_pairs() -> None:
    faces = readable_faces(people=3, lights=1)
    assert stage_errors(faces.select(faces.poses == "0"), Studio(PerfectGenerator()), "pose") is None


def test_confusion_counts_true_values_down_and_chosen_ones_across() -> None:
    class Flatterer(PerfectGenerator):
        def canonicalise(self, crops, /):  # type: ignore[no-untyped-def]
            return self.draw(crops, np.full(len(crops), POSES.index("0")))

    table = confusion(readable_faces(people=2, lights=1), Studio(Flatterer()), "pose")
    assert table.counts[:, 3].tolist() == [2] * 7
    assert table.accuracy == pytest.approx(100 / 7)


def test_the_tables_show_the_papers_numbers_beside_ours(tmp_path: Path) -> None:
    measured = run_benchmark(experiment_on(readable_faces()), tmp_path)
    first, second = recall_tables(measured.results, "pose")
    assert first.rows[1] == (
        "ours-features", "100.0", "100.0", "100.0", "53.5", "80.5", "90.7", "ours-features",
    )  # fmt: skip
    assert second.rows[2][4:] == ("6.3", "15.6", "25.3", "two-step-image")
    assert measured.errors is not None
    assert error_table(measured.errors, "pose").rows[0] == ("stage1", "0.00", "380.89")
    assert "100.0 % right" in confusion_table(measured.confusion).title
    for table in (first, second, confusion_table(measured.confusion)):
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_papers_numbers_stand_only_beside_the_pose(tmp_path: Path) -> None:
    results = list(run_rows(experiment_on(readable_faces())))
    assert recall_tables(results, "accessory")[0].rows[0][4:] == ("-", "-", "-", "-")


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
    assert {(40, 150, 70), (205, 70, 60)} <= shown


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
    assert "Criterion 1" in ran.stdout and "Criterion 2" in ran.stdout
    assert "only 336 different queries" in ran.stderr
    assert len((out / "results.jsonl").read_text().splitlines()) == 6


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


def test_a_face_whose_label_is_the_same_number_written_otherwise_is_measured() -> None:
    faces = readable_faces(people=3, lights=1)
    plain = replace(faces, poses=np.char.lstrip(faces.poses, "+"))
    assert next(run_rows(experiment_on(plain), ["ours-features"])).recall[1] == 100.0


def test_a_set_of_one_face_cannot_be_measured() -> None:
    one = face_set("one", np.zeros((1, SIDE, SIDE), np.uint8), [LabelRow("a", "ann", "0")])
    with pytest.raises(DataError):
        list(run_rows(experiment_on(one)))
