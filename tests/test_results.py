import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.results import (
    RESULTS_FILE,
    Journal,
    Record,
    Results,
    SetHeader,
    Unavailable,
    Value,
    hash_of,
    read_arrays,
    read_results,
)
from faces.errors import DataError

HEADER = SetHeader(
    "mini", "0123456789ab", "pose", ("-45", "0"), 24, 3360, 1000, 0, ("a@1", "b@2"), ("right person",)
)
RECALL = Value("mini", "ours-features", "a@1", "recall", 1, 5, 79.4, 75.0, 83.5, 990)
RECORDS: list[Record] = [
    HEADER,
    RECALL,
    replace(RECALL, k=20, value=98.25, low=None, high=None),
    Value("mini", "", "a@1", "squared error", 0, 1, 380.9, None, None, 9),
    Value("mini", "cpi", "c@3", "recall@1 by shift", 2, 7.5, 10.0, 9.0, 11.5, 100),
    Value("mini", "", "a@1", "confusion", 0, "-45>0", 3.0, None, None, 4),
    Unavailable("mini", "two-step-dlib", "no larger pictures"),
]


def test_every_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    Journal(tmp_path).append("all", RECORDS)
    assert Journal(tmp_path).results.records == RECORDS


def test_what_is_no_number_is_null_and_comes_back(tmp_path: Path) -> None:
    Journal(tmp_path).append("one", [replace(RECALL, value=math.nan)])
    assert json.loads((tmp_path / RESULTS_FILE).read_text())["value"] is None
    (read,) = Journal(tmp_path).results.records
    assert isinstance(read, Value)
    assert math.isnan(read.value)


@pytest.mark.parametrize(
    "change",
    [
        {"k": [1]},
        {"n": "9"},
        {"n": True},
        {"value": True},
        {"low": "1"},
        {"method": None},
        {"more": 1},
        {"kind": "song"},
        {"kind": "set"},
    ],
)
def test_a_line_of_other_types_or_fields_is_no_result(change: dict[str, object], tmp_path: Path) -> None:
    Journal(tmp_path).append("one", [RECALL])
    path = tmp_path / RESULTS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}) + "\n")
    with pytest.raises(DataError, match="line 1 is not a result of this version"):
        Journal(tmp_path)
    content = {**json.loads(path.read_text())}
    content.pop("value", None)
    path.write_text(json.dumps(content) + "\n")
    with pytest.raises(DataError, match="line 1"):
        Journal(tmp_path)


STEPS: dict[str, list[Record]] = {
    "first": [HEADER],
    "second": [RECALL, replace(RECALL, criterion=2)],
    "third": RECORDS[3:4],
}


def written(folder: Path) -> Journal:
    journal = Journal(folder)
    for step, records in STEPS.items():
        journal.append(step, records)
    return journal


def test_results_hold_every_record_by_kind_and_are_found_by_field(tmp_path: Path) -> None:
    Journal(tmp_path).append("all", RECORDS)
    results = read_results(tmp_path)
    assert results.records == RECORDS
    assert [*results.sets, *results.values, *results.unavailable] == RECORDS
    assert results.of("mini") == results
    assert results.of("other") == Results()
    assert results.find("recall", k=5) == [RECALL]
    assert results.find("recall", k=5, criterion=2) == []
    assert results.recall("ours-features", 1)[20].value == 98.25
    assert results.methods() == ["ours-features", "two-step-dlib"]


@settings(max_examples=15)  # each writes to the disk a dozen times
@given(data=st.data())
def test_a_file_cut_anywhere_holds_whole_steps_only(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    before = written(folder)
    path = folder / RESULTS_FILE
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    after = Journal(folder)
    kept = [name for name in STEPS if name in after]
    assert kept == list(STEPS)[: len(kept)]
    assert after.results.records == [record for name in kept for record in STEPS[name]]
    after.keep("mini", set(STEPS))
    for name in list(STEPS)[len(kept) :]:
        after.append(name, STEPS[name])
    assert read_results(folder) == before.results


def test_a_step_that_was_unavailable_is_not_finished_but_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("row", [Unavailable("mini", "ours-features", "weights not given")])
    assert "row" not in journal
    assert read_results(tmp_path).unavailable[0].reason == "weights not given"
    journal.append("row", [RECALL])
    assert "row" in Journal(tmp_path)
    assert read_results(tmp_path) == Results([RECALL])


def test_only_what_is_valid_is_kept_of_a_set_and_everything_of_others(tmp_path: Path) -> None:
    journal = written(tmp_path)
    journal.append("elsewhere", [replace(RECALL, set="other")])
    for step in ("second", "elsewhere", "stale"):
        journal.save_arrays(step, {"first_1": np.arange(3, dtype=np.int32)})
    journal.keep("mini", {"second"})
    results = read_results(tmp_path)
    assert [value.set for value in results.values] == ["mini", "mini", "other"]
    assert not results.sets and not results.find("squared error")
    assert sorted(path.name for path in (tmp_path / "arrays").iterdir()) == ["elsewhere.npz", "second.npz"]


def test_arrays_come_back_and_damaged_ones_are_one_clear_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.save_arrays("a", {"rankings": np.arange(6, dtype=np.int32).reshape(2, 3)})
    assert read_arrays(tmp_path, "a")["rankings"].tolist() == [[0, 1, 2], [3, 4, 5]]
    (tmp_path / "arrays" / "a.npz").write_bytes(b"PK broken")
    for step in ("a", "missing"):
        with pytest.raises(DataError, match=f"{step}.npz"):
            read_arrays(tmp_path, step)


def test_lines_of_another_version_are_not_mistaken_for_results(tmp_path: Path) -> None:
    (tmp_path / RESULTS_FILE).write_text('{"dataset": "mini", "row": "ours-image"}\n')
    with pytest.raises(DataError, match="line 1"):
        Journal(tmp_path)


def test_a_folder_without_results_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="anotheryou benchmark DATA"):
        read_results(tmp_path)


def test_a_hash_depends_on_every_part_and_not_on_their_order() -> None:
    assert hash_of(a=1, b="x") == hash_of(b="x", a=1)
    assert len({hash_of(a=1, b="x"), hash_of(a=2, b="x"), hash_of(a=1, c="x")}) == 3
