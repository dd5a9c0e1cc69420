import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from results_made import completion_records, header, one_figure, pose_records, row, store_one, write_results

from evaluation.figures.figure import store_figures
from evaluation.report import note_run, read_run, write_report
from evaluation.results import Record, Results, Unavailable, read_results
from evaluation.tables import Table, missing_rows, recall_table, verdict_tables
from faces.errors import DataError

_EMPTY = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source"}


class Page(HTMLParser):
    """What a page is made of; an element that is not closed, or closed twice, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split()).replace("\N{NO-BREAK SPACE}", " ")

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of two sets, with a figure and a note of how they were made."""
    write_results(tmp_path, pose_records(), completion_records())
    store_one(tmp_path)
    note_run(tmp_path, ["anotheryou", "benchmark", "made up", "--out", "results"])
    return tmp_path


def page_of(folder: Path) -> Page:
    write_report(folder)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_beside_it(folder: Path) -> None:
    page = page_of(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert page.all("script") == [] and page.all("link") == []
    assert not re.search(r"https?:|url\(|@import|src=\"(?!data:)|srcset=\"(?!data:)", text)
    for shown in [one["src"] for one in page.all("img")] + [one["srcset"] for one in page.all("source")]:
        assert Image.open(BytesIO(base64.b64decode(shown.removeprefix("data:image/png;base64,")))).size[0] > 0
    assert all(one["href"].startswith("#") for one in page.all("a"))


def test_the_page_serves_phones_light_and_dark_and_those_who_do_not_see(folder: Path) -> None:
    page = page_of(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert "prefers-color-scheme: dark" in text and "overflow-x: auto" in text
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("img")) == 1 and all(one["alt"] for one in page.all("img"))
    assert all(one["aria-label"] and one["tabindex"] == "0" for one in page.all("div"))
    anchors = {one["href"][1:] for one in page.all("a")}
    assert anchors <= {one["id"] for _, one in page.elements if "id" in one}
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_ours_and_the_papers_numbers_stand_side_by_side(folder: Path) -> None:
    text = page_of(folder).text
    assert "Table 2. Criterion 1: right person and pose" in text
    assert "Table 3. Criterion 2: right person, pose and light" in text
    assert (
        "ours, 2nd network ours-features 80.0 78.0–82.0 90.0 88.0–92.0 95.0 93.0–97.0 53.5 80.5 90.7" in text
    )
    assert "two-step-vgg16-fc7 weights not given 21.7 38.1 53.5" in text
    assert "nearest in the paper: two-step, Deep (VGG-Face fc6)" in text
    assert "300.25 290.00–310.00 280.50" in text and "380.89 369.16" in text
    assert "classifier of the two-step rows (dlib-128, svm) 91.2 90.0–92.0 2,000" in text
    assert "the paper’s classifier, on Multi-PIE 73.3" in text
    assert "anotheryou benchmark 'made up' --out results" in text
    assert "fedcba987654" in text and "rotation-32@0123456789ab" in text and "Python 3." in text


def test_oracles_stand_apart_and_win_nothing(folder: Path) -> None:
    table = recall_table(header(), read_results(folder).of("made-up"), 1)
    assert [line.code for line in table.rows_apart] == ["two-step-image-true-pose"]
    assert "two-step-image-true-pose" not in [line.code for line in table.rows]
    best = [line.code for line in table.rows for cell in line.cells if cell.style == "best"]
    assert best == ["ours-features"] * 3
    assert not any(cell.style == "best" for line in table.rows_apart for cell in line.cells)
    assert {"class": "apart"} in page_of(folder).all("tbody")


def test_what_was_not_searched_has_errors_but_no_winner(tmp_path: Path) -> None:
    write_results(tmp_path, completion_records())
    page = page_of(tmp_path)
    assert "no winner to name" in page.text
    assert "Completion: bars" in page.text and "2.25" in page.text
    assert "Table 1" not in page.text  # the paper's is about poses


def test_the_markdown_says_the_same(folder: Path) -> None:
    write_report(folder)
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "| ours, 2nd network | **80.0** (78.0–82.0) |" in text
    assert "*weights not given*" in text and "*(oracle)*" in text
    assert "![A face.](figures/made-up-figure-7.png)" in text
    assert (folder / "figures" / "made-up-figure-7.png").is_file()
    assert "\n\n\n\n" not in text and "{" not in text
    width = 0
    for line in text.splitlines():
        columns = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert width in (0, columns) or columns == 0, line
        width = columns


def test_no_word_of_the_results_becomes_markup(tmp_path: Path) -> None:
    nasty = '<script>alert("|")</script>'
    write_results(tmp_path, pose_records(nasty))
    store_figures(tmp_path, nasty, [one_figure(caption=f"{nasty} & more")])
    page = page_of(tmp_path)
    assert page.all("script") == []
    assert f"{nasty} & more" in page.text
    assert "<script" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_report_made_again_is_the_same(folder: Path) -> None:
    write_report(folder)
    pages = [(folder / name).read_bytes() for name in ("report.html", "report.md")]
    write_report(folder)
    assert pages == [(folder / name).read_bytes() for name in ("report.html", "report.md")]


def test_nothing_to_report_and_missing_pictures_are_one_clear_error(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="no results"):
        write_report(tmp_path / "empty")
    (folder / "figures" / "made-up-figure-7.png").unlink()
    with pytest.raises(DataError, match="make the figures again"):
        write_report(folder)


def verdict(*rows: list[Record]) -> Table:
    """The verdict on one criterion."""
    records = [record for one in rows for record in one]
    (table,) = verdict_tables(header(criteria=("right person and pose",)), Results(records))
    return table


def words_of(table: Table) -> list[str]:
    return [line.cells[2].text for line in table.rows]


def test_a_rival_that_stays_ahead_is_named() -> None:
    found = verdict(
        row("ours-features", (80.0, 90.0, 94.0)),
        row("two-step-dlib", (70.0, 91.0, 98.0)),
        row("cpi", (75.0, 90.0, 80.0)),
        row("two-step-image-true-pose", (99.0, 99.0, 99.0)),
        row("ours-image", (99.0, 99.0, 99.0)),
    )
    assert words_of(found) == ["ahead", "behind", "behind"]
    assert found.note == (
        "Ours is ahead of all 2 rivals of the same information at R@1. "
        "At R@5 two-step, Deep (dlib) (91.0 %) and CPI (Yim et al.) (90.0 %) stay ahead against our 90.0 %; "
        "the intervals overlap. "
        "At R@20 two-step, Deep (dlib) (98.0 %) stays ahead against our 94.0 %; the intervals overlap."
    )


def test_every_value_drawn_has_a_sentence_of_its_own() -> None:
    found = verdict(
        row("ours-features", (80.0, 90.0, 94.0)),
        row("ours-all-values", (85.0, 96.0, 99.0)),
        row("two-step-dlib", (82.0, 95.0, 98.0)),
    )
    assert words_of(found) == ["behind"] * 3
    assert found.note.endswith(
        "With every value drawn: Ours is ahead of the one rival of the same information at every K."
    )


def test_without_a_rival_or_without_ours_nothing_is_claimed() -> None:
    alone = verdict(row("ours-features"), [Unavailable("made-up", "two-step-dlib", "weights not given")])
    assert not alone.rows and "No rival" in alone.note
    for rows in (row("two-step-dlib"), row("ours-features", criterion=2)):
        one = header(criteria=("right person and pose",))
        assert verdict_tables(one, Results(rows)) == []


percents = st.tuples(*[st.integers(0, 1000).map(lambda n: n / 10)] * 3).map(
    lambda found: tuple(sorted(found))
)


@given(percents, st.lists(percents, min_size=1, max_size=4))
def test_ours_is_only_called_ahead_where_it_is(
    ours: tuple[float, ...], rivals: list[tuple[float, ...]]
) -> None:
    rows = [row("ours-features", ours, interval=None)]
    rows += [row(f"rival-{number}", recall, interval=None) for number, recall in enumerate(rivals)]
    found = verdict(*rows)
    ahead = [mine > max(column) for mine, column in zip(ours, zip(*rivals, strict=True), strict=True)]
    assert [word == "ahead" for word in words_of(found)] == ahead
    assert ("at every K" in found.note) == all(ahead)
    behind = {f"rival-{n}" for n, recall in enumerate(rivals) for k in range(3) if recall[k] >= ours[k]}
    assert {name for name in behind if name in found.note} == behind


def test_rows_left_out_are_told_by_reason() -> None:
    missing = [
        Unavailable("made-up", "two-step-vgg16-fc7", "weights not given"),
        Unavailable("made-up", "cpi", "no CPI trained"),
    ]
    assert missing_rows(Results([*missing]), "pose") == {
        "weights not given": ["two-step, VGG-16 fc7"],
        "no CPI trained": ["CPI (Yim et al.)"],
    }


def test_the_note_keeps_every_command_once(tmp_path: Path) -> None:
    assert read_run(tmp_path) is None
    for words in (
        ["anotheryou", "benchmark", "a"],
        ["anotheryou", "benchmark", "b"],
        ["anotheryou", "benchmark", "a"],
    ):
        note_run(tmp_path, words)
    note = read_run(tmp_path)
    assert note is not None and note["commands"] == ["anotheryou benchmark b", "anotheryou benchmark a"]
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(DataError, match=r"run\.json"):
        read_run(tmp_path)
