from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_generators import PerfectGenerator, readable_faces
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import Result as Ran

from evaluation.check import Number, chosen, read_expected
from evaluation.methods import find_method
from evaluation.results import Results
from facedata.labelled import LabelRow, write_labels
from faces.errors import DataError

GOOD = """
perfect:
  command: anotheryou benchmark sets/readable --cropped --queries 20 --rows ours-features
  make: draw it
  tolerance: {recall: 1, error: 0.5, canonicalised: 1}
  recall:
    ours-features: {1: [100, 100, 100], 2: [97.5, 100, 50]}
  error: {perfect: [0, 0]}
  canonicalised: {perfect: 100}
elsewhere:
  command: anotheryou benchmark sets/far --rows cpi
  make: anotheryou data render far
  tolerance: {recall: 1}
  recall:
    cpi: {1: [1, 2, 3]}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "expected.yaml"
    path.write_text(text)
    return path


def test_an_entry_is_read_with_its_command_and_numbers(tmp_path: Path) -> None:
    entry = read_expected(written(tmp_path, GOOD))[0]
    assert (entry.name, entry.data, entry.options.queries, entry.options.seed) == (
        "perfect",
        "sets/readable",
        20,
        0,
    )
    assert (entry.cropped, entry.options.rows, entry.weights) == (True, ("ours-features",), ())
    assert len(entry.numbers) == 6 + 2 + 1
    assert str(entry.numbers[4]) == "ours-features, criterion 2, recall@5"
    assert entry.numbers[4].value == 100 and entry.numbers[4].tolerance == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("command: anotheryou benchmark sets/far", "command: rm -r sets/far"), "does not begin with"),
        (("--rows cpi", "--magic"), "cannot be understood"),
        (("--rows cpi", "--rows cpi --queries many"), "cannot be understood"),
        (("tolerance: {recall: 1}", "tolerance: {error: 1}"), "no 'recall'"),
        (("cpi: {1: [1, 2, 3]}", "cpi: {1: [1, 2]}"), "list of 3 numbers"),
        (("cpi: {1: [1, 2, 3]}", "cpi: {1: [1, 2, x]}"), "no number"),
        (("cpi: {1: [1, 2, 3]}", "cpi: {one: [1, 2, 3]}"), "whole numbers"),
        (("cpi: {1: [1, 2, 3]}", "cpi"), "must map words"),
        (("  make: anotheryou data render far", ""), "lacks 'make'"),
        (("  make: anotheryou data render far", "  make: [1]"), "must be words"),
        (("make: draw it", "makes: draw it"), "lacks 'make'"),
        (("make: draw it", "make: draw it\n  colour: red"), "'colour'"),
        (("make: draw it", "make: [draw"), "is not YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_it(
    change: tuple[str, str], reason: str, tmp_path: Path
) -> None:
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(DataError, match=reason) as error:
        read_expected(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_empty_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_expected(tmp_path / "missing.yaml")
    with pytest.raises(DataError, match="must map names"):
        read_expected(written(tmp_path, ""))


def test_the_file_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not YAML"):
        read_expected(written(tmp_path, "a: !!python/object/apply:os.system ['true']"))


def test_the_expected_numbers_that_come_along_are_of_rows_that_exist() -> None:
    entries = read_expected()
    assert len(chosen(entries, ["quick"])) == 3  # what CI runs
    for entry in entries:
        attribute = entry.options.attribute or "pose"
        for number in entry.numbers:
            if number.kind in ("recall", "change") and "accessor" not in entry.data:
                row = find_method(number.of, attribute)
                assert entry.options.rows is None or row.name in entry.options.rows
        for row_name in (entry.options.rows or ()) if "accessor" not in entry.data else ():
            find_method(row_name, attribute)


@given(st.floats(-100, 100), st.floats(0.1, 10), st.floats(-40, 40))
def test_a_verdict_is_a_matter_of_distance(value: float, tolerance: float, times: float) -> None:
    verdict = Number("recall", "cpi", 1, 1, value, tolerance).verdict(value + times * tolerance)
    if abs(abs(times) - 1) > 1e-6 and abs(abs(times) - 3) > 1e-6:
        assert verdict == ("OK" if abs(times) < 1 else "CLOSE" if abs(times) < 3 else "FAIL")


def test_exactly_the_tolerance_is_still_ok_and_nothing_measured_fails() -> None:
    number = Number("recall", "cpi", 1, 1, 79.4, 0.5)
    assert number.verdict(79.9) == "OK"
    assert number.verdict(80.9) == "CLOSE"
    assert number.verdict(number.measured(Results())) == "FAIL"


def test_entries_are_chosen_by_name(tmp_path: Path) -> None:
    entries = read_expected(written(tmp_path, GOOD))
    assert [entry.name for entry in chosen(entries, None)] == ["perfect", "elsewhere"]
    assert [entry.name for entry in chosen(entries, ["elsewhere"])] == ["elsewhere"]
    renamed = [replace(entries[0], name="quick-one"), replace(entries[0], name="quick-two"), entries[1]]
    assert [entry.name for entry in chosen(renamed, ["quick"])] == ["quick-one", "quick-two"]
    with pytest.raises(DataError, match="there are perfect, elsewhere"):
        chosen(entries, ["nowhere"])


@pytest.fixture
def checked(
    tmp_path: Path, run_cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Ran]:
    """Runs ``benchmark --check`` with a perfect generator on a folder called readable."""
    import evaluation.benchmark

    monkeypatch.setattr(evaluation.benchmark, "load_generator", lambda name: PerfectGenerator())
    faces = readable_faces(people=3, lights=2)
    folder = tmp_path / "readable"
    folder.mkdir()
    rows = []
    for index, crop in enumerate(faces.crops):
        Image.fromarray(crop).save(folder / f"{index}.png")
        rows.append(LabelRow(f"{index}.png", faces.persons[index], faces.poses[index], faces.lights[index]))
    write_labels(folder / "labels.csv", rows)

    def run(text: str) -> Ran:
        return run_cli("benchmark", "--check", folder, "--expected", written(tmp_path, text))

    return run


def test_the_command_says_what_parted_and_fails(checked: Callable[[str], Ran]) -> None:
    ran = checked(GOOD)
    assert ran.exit_code == 1
    lines = ran.stdout.splitlines()
    assert "OK       ours-features, criterion 1, recall@1: 100.00, expected 100 ± 1" in lines
    assert "CLOSE    ours-features, criterion 2, recall@1: 100.00, expected 97.5 ± 1" in lines
    assert "FAIL     ours-features, criterion 2, recall@20: 100.00, expected 50 ± 1" in lines
    assert "SKIPPED  3 numbers; to check them: anotheryou data render far" in lines
    assert ran.stderr.splitlines()[-1] == "anotheryou: 7 OK, 1 CLOSE, 1 FAIL, 3 SKIPPED"


def test_the_command_succeeds_where_nothing_fails(checked: Callable[[str], Ran]) -> None:
    ran = checked(GOOD.replace("[97.5, 100, 50]", "[97.5, 100, 100]"))
    assert ran.exit_code == 0, ran.output


def test_without_check_data_and_out_are_needed(run_cli: Callable[..., Ran], tmp_path: Path) -> None:
    assert run_cli("benchmark", "--out", tmp_path).exit_code == 2
    assert run_cli("benchmark", "rendered-mini").exit_code == 2
