from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_generators import POSES, PerfectGenerator, RandomGenerator, readable_faces
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from results_made import confusion, one_figure, pose_records

from baselines.cpi.model import CPIConfig, CPIModel
from baselines.cpi.network import CPIArchitecture, CPINetwork
from evaluation.figures import make_figures
from evaluation.figures.answers import depth_of_right, failures_figure, found_cell, retrieval_figure
from evaluation.figures.charts import (
    Chart,
    confusion_figure,
    misalignment_figure,
    pose_change_figure,
)
from evaluation.figures.drawings import (
    Artist,
    attribute_maps_figure,
    cpi_artist,
    different_people,
    principal_maps,
    rival_drawings_figure,
    stages_figure,
)
from evaluation.figures.figure import read_figures, remove_figures, store_figures, value_word
from evaluation.figures.sheet import DARK, LIGHT, Cell, Sheet, Theme, Word
from evaluation.protocol import Criterion, Experiment, prepare
from evaluation.results import Results, Value
from evaluation.studio import Studio
from facedata.labelled import FaceSet, LabelRow, face_set
from faces.crop import CropGeometry
from faces.errors import DataError
from faces.sheet import Colour
from faces.types import Floats
from generator.attributes import AttributeGroup, Vocabulary

FACE = np.arange(64, dtype=np.uint8).reshape(8, 8)


class WithMaps(PerfectGenerator):
    """A perfect generator whose maps are a bright spot that wanders with the pose."""

    def attribute_maps(self) -> Floats:
        maps = np.zeros((len(POSES), 2, 4, 4), np.float32)
        for code in range(len(POSES)):
            maps[code, 0, 0, code % 4] = maps[code, 1, 0, code % 4] = 1 + code // 4
        return maps


class Bars(WithMaps):
    """Takes bars off eyes, and knows nothing else."""

    vocabulary = Vocabulary((AttributeGroup("accessory", ("none",)),))


def experiment_on(faces: FaceSet | None = None, *, random: bool = False, count: int = 60) -> Experiment:
    generator = RandomGenerator() if random else WithMaps()
    return prepare(faces or readable_faces(people=10), Studio(generator), "pose", count=count, seed=5)


def colours(picture: Image.Image) -> set[object]:
    return {colour for _, colour in picture.getcolors(1 << 24) or []}


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: Colour) -> float:
        parts = [part / 255 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_lines_can_be_seen_on_their_paper(theme: Theme) -> None:
    for colour in (theme.ink, theme.faint, theme.right, theme.wrong):
        assert contrast(colour, theme.paper) >= 4.5
    for colour in (theme.part, *theme.lines):
        assert contrast(colour, theme.paper) >= 3


def test_a_face_is_enlarged_so_that_each_pixel_is_a_square() -> None:
    page = np.asarray(Sheet([[Cell(FACE)]]).draw(LIGHT))
    shown = page[8:-8, 8:-8]
    assert shown.shape == (128, 128, 3)
    assert np.array_equal(shown[..., 0], np.kron(FACE, np.ones((16, 16), np.uint8)))


def test_frames_say_right_and_wrong_in_more_than_colour() -> None:
    pages = {
        frame: np.asarray(Sheet([[Cell(FACE, frame=frame)]]).draw(LIGHT))
        for frame in ("right", "part", "wrong")
    }
    marks = [np.all(page == LIGHT.paper, axis=2)[8:40, -40:-8] for page in pages.values()]
    assert all(mark.any() for mark in marks)
    assert not any(np.array_equal(marks[a], marks[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_a_word_too_long_for_its_face_is_cut() -> None:
    short, long = (Sheet([[Cell(FACE, (Word(text),))]]).draw(LIGHT) for text in ("who", "who " * 40))
    assert short.size == long.size
    edge = np.asarray(long)[:, :2]
    assert np.all(edge == LIGHT.paper)


def test_both_themes_draw_the_same_sheet_in_other_colours() -> None:
    sheet = Sheet([[Cell(FACE, frame="right"), None, Word("none")], []], ("a", "b", "c"), gaps=frozenset({1}))
    light, dark = sheet.draw(LIGHT), sheet.draw(DARK)
    assert light.size == dark.size
    assert LIGHT.paper in colours(light) and DARK.paper in colours(dark)
    assert LIGHT.paper not in colours(dark)


def test_figure_4_joins_the_maps_and_needs_no_face() -> None:
    figure = attribute_maps_figure(Studio(WithMaps()), "pose")
    assert figure is not None and figure.name == "figure-4"
    assert "100 % of the differences" in figure.caption  # both maps are the same
    assert attribute_maps_figure(Studio(PerfectGenerator()), "pose") is None
    assert attribute_maps_figure(Studio(Bars()), "accessory") is None  # one value has no differences


def test_the_principal_map_is_where_the_values_differ() -> None:
    maps = WithMaps().attribute_maps()
    joined, share = principal_maps(maps)
    assert share == pytest.approx(100)
    assert joined.shape == (7, 4, 4)
    for code in range(len(POSES)):
        assert joined[code].argmax() == code % 4  # strongest where the spot is
    assert principal_maps(np.ones((7, 2, 4, 4), np.float32))[1] == 100.0


def test_figure_5_shows_both_stages_of_different_people() -> None:
    figure = stages_figure(experiment_on())
    assert figure is not None and figure.name == "figure-5"
    assert figure.caption.startswith("12 pairs of test people")
    assert "stage 1 0.0, stage 2 0.0" in figure.caption  # a perfect generator
    again = stages_figure(experiment_on())
    assert again is not None and again.picture.draw(LIGHT) == figure.picture.draw(LIGHT)


def test_pairs_are_of_different_people_as_long_as_there_are_some() -> None:
    faces = readable_faces(people=5, lights=2)
    pairs = np.stack([np.arange(len(faces)), np.arange(len(faces))], axis=1)
    chosen = faces.persons[different_people(faces, pairs, 7, seed=1)[:, 0]]
    assert len(set(chosen[:5].tolist())) == 5 and len(chosen) == 7


def test_a_single_pair_makes_a_single_set() -> None:
    faces = readable_faces(people=1, lights=1).select(np.array([0, 1]))
    faces = replace(faces, poses=np.array(["up", "-30"]))
    figure = stages_figure(prepare(faces, Studio(WithMaps()), "pose"))
    assert figure is not None and figure.picture.draw(LIGHT).width == 4 * 144


def test_figure_10_only_takes_bars_off() -> None:
    rows = [LabelRow(f"{n}{word}.png", f"{n}", "0", "1", word) for n in range(3) for word in ("none", "bar")]
    faces = face_set("bars", np.stack([FACE] * 6), rows)
    figure = stages_figure(prepare(faces, Studio(Bars()), "accessory"))
    assert figure is not None and figure.name == "figure-10"
    assert figure.caption.startswith("3 pairs") and "absolute error" in figure.caption


def test_figure_7_counts_what_its_frames_show() -> None:
    figure = retrieval_figure(experiment_on())
    assert "Of the first answers 8 of 8 are right." in figure.caption
    assert LIGHT.right in colours(figure.picture.draw(LIGHT))
    random = retrieval_figure(experiment_on(random=True))
    assert LIGHT.wrong in colours(random.picture.draw(LIGHT))


def test_an_answer_is_judged_by_person_pose_and_light() -> None:
    experiment = experiment_on()
    gallery, queries = experiment.gallery, experiment.queries
    person, light = gallery.persons[queries.faces[0]], gallery.lights[queries.faces[0]]
    is_right = (gallery.persons == person) & (gallery.poses == queries.targets[0])
    for face in range(len(gallery)):
        cell = found_cell(experiment, 0, face)
        assert cell is not None
        wanted = "wrong" if not is_right[face] else "right" if gallery.lights[face] == light else "part"
        assert cell.frame == wanted
        assert [word.tone == "right" for word in cell.words] == [
            gallery.persons[face] == person,
            gallery.poses[face] == queries.targets[0],
            gallery.lights[face] == light,
        ]
    assert found_cell(experiment, 0, -1) is None


@given(st.integers(0, 2**32 - 1))
def test_the_first_right_answer_is_found_however_deep(seed: int) -> None:
    random = np.random.default_rng(seed)
    gallery = random.normal(size=(40, 6))
    gallery = (gallery / np.linalg.norm(gallery, axis=1, keepdims=True)).astype(np.float32)
    queries = gallery[random.integers(0, 40, 5)] + random.normal(size=(5, 6)).astype(np.float32)
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    keys = random.integers(0, 6, 40)
    asked = random.choice(keys, 8)
    which = np.array([0, 2, 3, 5, 7])
    ranks, faces = depth_of_right(
        gallery, queries, Criterion(number=1, meaning="", query_key=asked, gallery_key=keys), which
    )
    for row, query in enumerate(which):
        order = np.argsort(-(queries[row] @ gallery.T), kind="stable")
        place = int(np.flatnonzero(keys[order] == asked[query])[0])
        assert ranks[row] == place + 1 and faces[row] == order[place]


def test_failures_are_the_deepest_one_of_each_person() -> None:
    experiment = experiment_on(random=True, count=300)
    figure = failures_figure(experiment, np.zeros(300, np.int64), 20)
    assert figure is not None
    assert figure.caption.startswith("300 of 300 queries") and "These 8 are the worst" in figure.caption
    assert figure.picture.draw(LIGHT).width > 6 * 144
    assert failures_figure(experiment, np.ones(300, np.int64), 20) is None


def test_figure_8_sets_a_rivals_drawings_between_ours_and_the_true_ones() -> None:
    asked: list[str] = []

    def draw(crops: NDArray[np.uint8], words: NDArray[np.str_]) -> NDArray[np.uint8]:
        asked.extend(words.tolist())
        return np.zeros_like(crops)

    figure = rival_drawings_figure(experiment_on(), Artist("Black", draw))
    assert asked == list(POSES) * 4
    assert "Black" in figure.title and (0, 0, 0) in colours(figure.picture.draw(LIGHT))


def test_cpi_draws_in_grey_levels_and_says_its_light() -> None:
    sizes = CPIArchitecture(
        size=8, poses=7, maps1=2, maps2=3, maps3=4, hidden=24, features=32, recovery=5, auxiliary=16
    )
    config = CPIConfig(sizes, CropGeometry(size=8), mean=100.0, std=40.0, poses=POSES, light="07")
    network = CPINetwork(sizes).requires_grad_(False)
    for weights in network.parameters():
        weights.zero_()  # so it draws the mean everywhere
    artist = cpi_artist(CPIModel(network, config, name="small", weights_id="0" * 12))
    drawn = artist.draw(np.stack([FACE, FACE]), np.array(["-45", "+30"]))
    assert drawn.dtype == np.uint8 and np.array_equal(drawn, np.full((2, 8, 8), 100))
    assert "one light, 07" in rival_drawings_figure(experiment_on(), artist).caption


def by_bin(row: str, measure: str, recall: dict[float, float], n: int = 500) -> list[Value]:
    return [
        Value("made-up", row, "w@1", measure, 1, k, value, None, None, n * number)
        for number, (k, value) in enumerate(recall.items(), start=1)
    ]


def test_figure_6_has_a_curve_for_each_row_and_tells_the_ends() -> None:
    values = by_bin("ours-features", "recall@5 by change", {45: 90.0, 90: 70.0}, n=10)
    values[0] = replace(values[0], low=0.0, high=99.0)
    values += by_bin("cpi", "recall@5 by change", {45: 60.0, 90: 5.0}, n=10)
    figure = pose_change_figure(Results([*values]), "pose")
    assert figure is not None
    assert "At 45° and at 90° (criterion 1): ours, 2nd network, 90.0 % and 70.0 %;" in figure.caption
    assert "Queries in the groups: 10, 20." in figure.caption
    shown = colours(figure.picture.draw(LIGHT))
    assert {LIGHT.lines[0], LIGHT.lines[1]} <= shown
    assert pose_change_figure(Results(), "pose") is None


def test_misalignment_tells_what_the_worst_costs() -> None:
    values = [
        value
        for motion in ("shift", "turn")
        for k in (1, 5)
        for value in by_bin("ours-features", f"recall@{k} by {motion}", {0.0: 79.0 + k, 10.0: 69.0 + k})
    ]
    figure = misalignment_figure(Results([*values]), "pose")
    assert figure is not None
    assert "turn, 10 degrees: 70.0 % instead of 80.0 %" in figure.caption and "500 queries" in figure.caption
    others = Results([replace(value, criterion=2) for value in values])
    assert misalignment_figure(others, "pose") is None


def test_the_confusion_names_the_commonest_mistake() -> None:
    results = Results(confusion(((9, 1), (3, 7)), weights="w@1"))
    figure = confusion_figure(results, "pose", "w@1")
    assert figure is not None
    assert "20 faces, 80.0 % right" in figure.caption
    assert "0° for −45°, 30.0 % of its faces" in figure.caption
    perfect = Results(confusion(((10, 0), (0, 10)), weights="w@1"))
    figure = confusion_figure(perfect, "pose", "w@1")
    assert figure is not None and "mistaken" not in figure.caption
    assert confusion_figure(perfect, "pose", "other@2") is None


def test_a_chart_of_one_panel_and_no_intervals_can_be_drawn() -> None:
    values = by_bin("cpi", "recall@1 by turn", {1: 10, 2: 20})
    chart = Chart({"x": {"one": values}}, "percent", inches=(3, 2))
    assert chart.draw(LIGHT).size == (480, 320)


def test_values_are_written_as_they_are_read() -> None:
    assert value_word("-45", "pose") == "−45°" and value_word("", "pose") == "unknown"
    assert value_word("glasses-2", "accessory") == "glasses-2"


def test_figures_are_stored_with_their_words_and_replaced_by_set(tmp_path: Path) -> None:
    store_figures(tmp_path, "a set", [one_figure(), one_figure("figure-9")])
    store_figures(tmp_path, "other", [one_figure()])
    store_figures(tmp_path, "a set", [one_figure(caption="new")])
    (stored,) = read_figures(tmp_path, "a set")
    assert (stored.name, stored.caption, stored.light) == ("figure-7", "new", "a-set-figure-7.png")
    with Image.open(tmp_path / "figures" / stored.light) as picture:
        assert picture.size == (stored.width, stored.height)
    assert len(read_figures(tmp_path, "other")) == 1 and read_figures(tmp_path, "none") == []
    remove_figures(tmp_path, "other")
    assert read_figures(tmp_path, "other") == []
    (tmp_path / "figures" / "a-set.json").write_text("{")
    with pytest.raises(DataError, match=r"a-set\.json"):
        read_figures(tmp_path, "a set")


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        store_figures(tmp_path, "a set", [one_figure()])


def test_everything_there_is_something_to_show_of_is_drawn(tmp_path: Path) -> None:
    experiment = experiment_on()
    name, weights = experiment.gallery.name, experiment.studio.weights
    results = Results([*pose_records(name), *confusion(((9, 1), (3, 7)), name, weights)])
    make_figures(experiment, results, tmp_path)
    names = [figure.name for figure in read_figures(tmp_path, name)]
    assert names == ["figure-4", "figure-5", "figure-7", "confusion"]
