import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.journal import RESULTS_FILE, Journal, identity_of, read_arrays, read_results
from evaluation.results import (
    KINDS,
    ChangeRecord,
    ClassifierRecord,
    ConfusionRecord,
    ErrorRecord,
    FiguresRecord,
    MisalignedRecord,
    Record,
    Results,
    RowRecord,
    SetRecord,
    from_json,
    kind_of,
    to_json,
)
from faces.errors import DataError

ROW = RowRecord(
    dataset="mini",
    row="ours-features",
    criterion=1,
    recall={1: 79.4, 5: 93.0, 20: 98.25},
    interval={1: (75.0, 83.5), 5: None, 20: (97.0, 99.0)},
    queries=990,
    left_out=10,
    gallery=3360,
    seed=0,
    made_with="rotation-32@f1587e97b47c",
    told=False,
    seconds=1.5,
    arrays="0123.npz",
)
RECORDS: list[Record] = [
    SetRecord(
        "mini", "0123456789ab", "pose", ("-45", "0"), 24, 3360, 1000, 0, ("a@1", "b@2"), {1: "right person"}
    ),
    ROW,
    replace(ROW, row="two-step-dlib", recall={}, interval={}, arrays="", unavailable="no larger pictures"),
    ErrorRecord(
        "mini",
        "a@1",
        "pose",
        {"stage1": 380.9},
        {"stage1": None},
        {"stage1": 9.5},
        {"stage1": (9.0, 10.0)},
        9,
        0,
    ),
    ConfusionRecord("mini", "a@1", "pose", ("-45", "0"), ((3, 1), (0, 4)), 87.5, (80.0, 95.0)),
    ClassifierRecord("mini", "pose", "dlib-128", "svc", 73.3, None, 8, {"image, lda": 60.0}),
    ChangeRecord(
        "mini", "ours-features", 1, 5, {15: 99.0, 90: 55.5}, {15: None, 90: (50.0, 60.0)}, {15: 3, 90: 2}
    ),
    MisalignedRecord("mini", "cpi", 2, "shift", 7.5, {1: 10.0}, {1: None}, 100),
    FiguresRecord("mini"),
]


def test_every_kind_of_record_is_among_those_tested() -> None:
    assert {kind_of(record) for record in RECORDS} == set(KINDS)


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    line = json.dumps(to_json(record), allow_nan=False)
    assert from_json(kind_of(record), json.loads(line)) == record


def test_what_is_no_number_is_null_and_comes_back() -> None:
    record = replace(ROW, recall={1: math.nan})
    text = json.dumps(to_json(record), allow_nan=False)
    read = from_json("row", json.loads(text))
    assert isinstance(read, RowRecord)
    assert math.isnan(read.recall[1])


@pytest.mark.parametrize(
    "change",
    [
        {"recall": [1]},
        {"queries": "9"},
        {"queries": True},
        {"told": 1},
        {"interval": {"1": [1]}},
        {"row": None},
    ],
)
def test_a_record_of_other_types_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        from_json("row", {**to_json(ROW), **change})


def test_unknown_kinds_and_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="no kind"):
        from_json("song", {})
    with pytest.raises(ValueError, match="has the fields"):
        from_json("row", {**to_json(ROW), "more": 1})


def written(folder: Path) -> Journal:
    journal = Journal(folder)
    journal.append("first", RECORDS[:1])
    journal.append("second", [ROW, replace(ROW, criterion=2)])
    journal.append("third", RECORDS[3:4])
    return journal


def test_results_hold_every_record_by_kind(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("all", RECORDS)
    results = read_results(tmp_path)
    assert sorted(map(repr, results.all)) == sorted(map(repr, RECORDS))
    assert results.of("mini") == results
    assert results.of("other") == Results()


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
    kept = [name for name in ("first", "second", "third") if name in after]
    assert kept == ["first", "second", "third"][: len(kept)]
    for name in kept:
        assert after.records(name) == before.records(name)
    missing = ["first", "second", "third"][len(kept) :]
    after.keep("mini", {"first", "second", "third"})
    for name in missing:
        after.append(name, before.records(name))
    assert read_results(folder) == before.results


def test_a_step_that_was_unavailable_is_not_finished_but_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    unavailable = replace(ROW, recall={}, interval={}, unavailable="weights not given")
    journal.append("row", [unavailable])
    assert "row" not in journal
    journal.append("row", [ROW])
    assert "row" in Journal(tmp_path)
    assert read_results(tmp_path).rows == [ROW]


def test_only_what_is_valid_is_kept_of_a_set_and_everything_of_others(tmp_path: Path) -> None:
    journal = written(tmp_path)
    journal.append("elsewhere", [replace(ROW, dataset="other", arrays="other.npz")])
    for name in ("0123.npz", "other.npz", "stale.npz"):
        journal.save_arrays(name, {"first_1": np.arange(3, dtype=np.int32)})
    journal.keep("mini", {"second"})
    results = read_results(tmp_path)
    assert [row.dataset for row in results.rows] == ["mini", "mini", "other"]
    assert not results.sets and not results.errors
    assert sorted(path.name for path in (tmp_path / "arrays").iterdir()) == ["0123.npz", "other.npz"]


def test_arrays_come_back_and_damaged_ones_are_one_clear_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.save_arrays("a.npz", {"rankings": np.arange(6, dtype=np.int32).reshape(2, 3)})
    assert read_arrays(tmp_path, "a.npz")["rankings"].tolist() == [[0, 1, 2], [3, 4, 5]]
    (tmp_path / "arrays" / "a.npz").write_bytes(b"PK broken")
    for name in ("a.npz", "missing.npz"):
        with pytest.raises(DataError, match=name):
            read_arrays(tmp_path, name)


def test_lines_of_another_version_are_not_mistaken_for_results(tmp_path: Path) -> None:
    (tmp_path / RESULTS_FILE).write_text('{"dataset": "mini", "row": "ours-image"}\n')
    with pytest.raises(DataError, match="line 1"):
        Journal(tmp_path)


def test_a_folder_without_results_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="anotheryou benchmark DATA"):
        read_results(tmp_path)


def test_an_identity_depends_on_every_part_and_not_on_their_order() -> None:
    assert identity_of(a=1, b="x") == identity_of(b="x", a=1)
    assert len({identity_of(a=1, b="x"), identity_of(a=2, b="x"), identity_of(a=1, c="x")}) == 3
