"""CPI: its layers, its training, its weights on disk and its row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from training_made import made_faces, write_faces

from baselines.cpi.model import SHIPPED, WEIGHTS_FILE, CPIConfig, CPIModel, load_cpi, save_cpi
from baselines.cpi.network import BORDER, WINDOW, CPIArchitecture, CPINetwork, LocallyConnected, MainNetwork
from baselines.cpi.searcher import CPI
from baselines.cpi.training import CPISettings, ExampleMaker, cpi_loss, target_rows, train_cpi
from baselines.searcher import QueryBatch
from facedata.labelled import FaceSet, read_labelled, rendered_mini_path
from faces.crop import CropGeometry
from faces.errors import DataError, TrainingError, WeightsError, WishError
from generator.training import Budget, Options, TrainingData, prepare

POSES = ("-45", "0", "+45")
SMALL = CPIArchitecture(
    size=8, poses=3, maps1=2, maps2=3, maps3=4, hidden=24, features=32, recovery=5, auxiliary=16
)


def small_settings(**changes: object) -> CPISettings:
    recipe = replace(CPISettings().recipe, batch_size=16, learning_rate=3e-3)
    return CPISettings(**{"light": "01", "recipe": recipe, **changes})  # type: ignore[arg-type]


def examples_of(light: str, count: int, *, mirror: bool = False) -> CPISettings:
    """Settings for batches of ``count`` examples."""
    settings = small_settings(light=light, mirror=mirror)
    return replace(settings, recipe=replace(settings.recipe, batch_size=count))


def small_data(*, people: int = 4, lights: int = 2) -> TrainingData:
    return prepare(made_faces(people=people, lights=lights), attribute="pose", seed=0, held_out=0)


def small_model(*, seed: int = 0) -> CPIModel:
    torch.manual_seed(seed)
    return CPIModel(
        CPINetwork(SMALL).requires_grad_(False), small_config(), name="small", weights_id="0" * 12
    )


def small_config() -> CPIConfig:
    return CPIConfig(SMALL, CropGeometry(size=8), mean=100.0, std=40.0, poses=POSES, light="01")


def by_loops(layer: LocallyConnected, x: torch.Tensor) -> torch.Tensor:
    """What a locally connected layer is, place by place."""
    side, batch = layer.side, x.shape[-1]
    out = torch.empty(side, side, layer.maps_out, batch)
    for row in range(side):
        for column in range(side):
            place = row * side + column
            window = x[row : row + WINDOW, column : column + WINDOW].reshape(-1, batch)
            out[row, column] = layer.weight[place] @ window + layer.bias[place]
    return out


@given(side=st.integers(1, 5), maps_in=st.integers(1, 3), maps_out=st.integers(1, 3), batch=st.integers(1, 4))
def test_locally_connected_layer_is_what_the_loops_say(
    side: int, maps_in: int, maps_out: int, batch: int
) -> None:
    torch.manual_seed(side)
    layer = LocallyConnected(side, maps_in, maps_out)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(side + WINDOW - 1, side + WINDOW - 1, maps_in, batch)
    torch.testing.assert_close(layer(x), by_loops(layer, x))


def test_the_frame_carries_the_remote_code_and_leaves_the_picture_alone() -> None:
    network = MainNetwork(SMALL)
    pictures, remote = torch.randn(3, 8, 8), torch.eye(3)
    framed = network.framed(pictures, remote)
    inside = framed[BORDER:-BORDER, BORDER:-BORDER]
    torch.testing.assert_close(inside.permute(2, 0, 1), pictures)
    outside = framed.clone()
    outside[BORDER:-BORDER, BORDER:-BORDER] = 0
    assert set(outside.flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(outside.sum(2).bool().sum(), torch.tensor(12 * 12 - 8 * 8))  # each pixel has one digit
    for row in range(12 - WINDOW):  # every window at the left edge sees all digits
        assert bool((outside[row : row + WINDOW, :BORDER].sum((0, 1)) > 0).all())


def test_drawings_depend_on_the_remote_code() -> None:
    torch.manual_seed(0)
    network = MainNetwork(SMALL)
    x = torch.randn(1, 8, 8).expand(3, 8, 8)
    drawn, recovery, hidden = network(x, torch.eye(3))
    assert drawn.shape == (3, 8, 8)
    assert recovery.shape == (3, 5)
    assert hidden.shape == (3, 32)
    assert bool((hidden >= 0).all())
    assert not torch.allclose(drawn[0], drawn[1])


def test_a_picture_is_drawn_alike_alone_and_in_a_batch() -> None:
    torch.manual_seed(0)
    network = MainNetwork(SMALL)
    x, remote = torch.randn(5, 8, 8), torch.eye(3)[[0, 1, 2, 1, 0]]
    together = network(x, remote)[0]
    alone = torch.cat([network(x[i : i + 1], remote[i : i + 1])[0] for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "change", [{"size": 10}, {"size": 0}, {"poses": 0}, {"hidden": True}, {"maps1": 1.5}]
)
def test_impossible_sizes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        CPIArchitecture(**change)


def test_targets_are_the_same_person_in_the_wished_pose_and_light() -> None:
    data = small_data(people=3, lights=3)
    faces = data.train.faces
    for light in ("1", "same"):
        rows = target_rows(data.train, poses=3, light=light)
        for face in range(len(faces)):
            for pose, row in enumerate(rows[face]):
                assert faces.persons[row] == faces.persons[face]
                assert faces.poses[row] == POSES[pose]
                assert faces.lights[row] == ("01" if light == "1" else faces.lights[face])


def test_a_light_that_nobody_has_is_named_with_those_there_are() -> None:
    data = small_data()
    with pytest.raises(TrainingError, match=r"'07'.*00, 01"):
        ExampleMaker(data.train, data, examples_of("07", 4), 0)


def test_examples_are_a_function_of_seed_and_step() -> None:
    data = small_data()
    one, two = (ExampleMaker(data.train, data, examples_of("same", 8, mirror=True), 3) for _ in range(2))
    assert torch.equal(one(5).source, two(5).source)
    assert torch.equal(one(5).codes, two(5).codes)
    assert not torch.equal(one(5).source, two(6).source)


def test_mirrored_examples_turn_the_sign_of_their_poses() -> None:
    data = small_data()
    plain = ExampleMaker(data.train, data, examples_of("01", 64), 0)(0)
    maybe = ExampleMaker(data.train, data, examples_of("01", 64, mirror=True), 0)(0)
    turned = (maybe.source != plain.source).flatten(1).any(1)
    assert 16 < int(turned.sum()) < 48
    assert torch.equal(maybe.source[turned], plain.source[turned].flip(-1))
    assert torch.equal(maybe.target[turned], plain.target[turned].flip(-1))
    assert torch.equal(maybe.codes, torch.where(turned, 2 - plain.codes, plain.codes))
    assert torch.equal(maybe.own, torch.where(turned, 2 - plain.own, plain.own))


def test_the_pose_head_teaches_the_network_nothing() -> None:
    data = small_data()
    torch.manual_seed(0)
    network = CPINetwork(SMALL)
    examples = ExampleMaker(data.train, data, examples_of("01", 8), 0)(0)
    gradients = []
    for _ in range(2):
        network.zero_grad()
        cpi_loss(network, examples, small_settings())[0].backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad.clone() for p in network.main.parameters() if p.grad is not None])
        torch.nn.init.normal_(network.pose.weight)
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert network.pose.weight.grad is not None


def test_redrawn_sources_are_turned_on_from_their_drawings() -> None:
    data = small_data()
    torch.manual_seed(0)
    network = CPINetwork(SMALL)
    examples = ExampleMaker(data.train, data, examples_of("01", 8), 0)(0)
    poses = torch.tensor([0, 2, 1])
    with torch.no_grad():
        drawings = network.main(examples.source[:3], torch.eye(3)[poses])[0]
        by_hand = replace(
            examples,
            source=torch.cat([drawings, examples.source[3:]]),
            own=torch.cat([poses, examples.own[3:]]),
        )
        expected = cpi_loss(network, by_hand, small_settings())[1]
        assert cpi_loss(network, examples, small_settings(), poses)[1] == pytest.approx(expected)


def run_training(
    out: Path,
    *,
    pairs: int = 16 * 60,
    stop_at: int | None = None,
    seed: int = 0,
    settings: CPISettings | None = None,
) -> bool:
    steps = iter(range(1, 10**6))
    return train_cpi(
        small_data(),
        settings or small_settings(),
        out=out,
        budget=Budget(pairs=pairs),
        seed=seed,
        architecture=SMALL,
        options=Options(precision="float32", stop=lambda: next(steps) == stop_at),
    )


def test_training_learns_and_leaves_weights_that_load(tmp_path: Path) -> None:
    assert run_training(tmp_path / "out", pairs=16 * 150)
    entries = [json.loads(line) for line in (tmp_path / "out" / "history.jsonl").read_text().splitlines()]
    assert entries[-1]["train"]["error"] < entries[0]["train"]["error"] / 2
    assert load_cpi(tmp_path / "out").config.light == "01"
    with Image.open(tmp_path / "out" / "curves.png") as picture:
        assert picture.width > 400


def test_a_stopped_training_goes_on_as_if_it_never_stopped(tmp_path: Path) -> None:
    settings = small_settings(redrawn=0.2)
    assert run_training(tmp_path / "whole", settings=settings)
    assert not run_training(tmp_path / "halved", settings=settings, stop_at=23)
    assert run_training(tmp_path / "halved", settings=settings)
    whole, halved = (load_cpi(tmp_path / name).network.state_dict() for name in ("whole", "halved"))
    for name, value in whole.items():
        if not name.startswith("auxiliary."):
            assert torch.equal(value, halved[name]), name


def test_a_finished_training_is_left_as_it_is_and_another_is_refused(tmp_path: Path) -> None:
    run_training(tmp_path, pairs=64)
    before = (tmp_path / WEIGHTS_FILE).read_bytes()
    assert run_training(tmp_path, pairs=64)
    assert (tmp_path / WEIGHTS_FILE).read_bytes() == before
    with pytest.raises(TrainingError, match="seed"):
        run_training(tmp_path, pairs=64, seed=1)


@pytest.mark.parametrize("changes", [{"light": " "}, {"auxiliary": -1.0}, {"redrawn": 1.5}])
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TrainingError):
        small_settings(**changes).check()


def test_weights_come_back_as_they_were_but_for_rounding(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, config = CPINetwork(SMALL), small_config()
    identity = save_cpi(tmp_path, network, config)
    found = load_cpi(tmp_path)
    assert (found.config, found.weights_id) == (config, identity)
    for name, value in network.state_dict().items():
        if not name.startswith("auxiliary."):
            torch.testing.assert_close(found.network.state_dict()[name], value, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("file", "content"),
    [("config.json", "{"), ("config.json", '{"format": 2}'), ("weights.safetensors", "no tensors")],
)
def test_damaged_weights_are_one_plain_sentence(tmp_path: Path, file: str, content: str) -> None:
    save_cpi(tmp_path, CPINetwork(SMALL), small_config())
    (tmp_path / file).write_text(content)
    with pytest.raises(WeightsError, match=f"{file} cannot be used"):
        load_cpi(tmp_path)


def test_weights_of_another_configuration_are_refused(tmp_path: Path) -> None:
    save_cpi(tmp_path, CPINetwork(SMALL), small_config())
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"mean": 100.0', '"mean": 90.0'))
    with pytest.raises(WeightsError, match="do not belong together"):
        load_cpi(tmp_path)


def test_weights_that_are_not_there_are_named() -> None:
    with pytest.raises(WeightsError, match="no CPI weights 'nothing'"):
        load_cpi("nothing")


def test_poses_are_known_however_they_are_written() -> None:
    model = small_model()
    assert model.codes_of(np.array(["+45", "45", "-45", "0", "+0"])).tolist() == [2, 2, 0, 1, 1]
    with pytest.raises(WishError, match=r"'\+60'.*-45, 0, \+45"):
        model.codes_of(np.array(["+60"]))


def test_faces_of_another_size_are_refused() -> None:
    with pytest.raises(WeightsError, match="8×8"):
        small_model().turn_to_all(np.zeros((1, 16, 16), np.uint8))


def batch_of(faces: FaceSet, targets: np.ndarray) -> QueryBatch:
    return QueryBatch(faces.pictures, {"pose": targets})


def test_the_row_reads_no_labels() -> None:
    faces = made_faces()
    blind = replace(
        faces,
        persons=np.full(len(faces), "x"),
        poses=np.full(len(faces), ""),
        lights=np.full(len(faces), ""),
    )
    queries = batch_of(faces, np.full(len(faces), "+45"))
    searchers = [CPI(model=small_model()) for _ in range(2)]
    rankings = [
        one.fit(gallery).rank(queries, 5) for one, gallery in zip(searchers, (faces, blind), strict=True)
    ]
    np.testing.assert_array_equal(rankings[0], rankings[1])


def test_answers_are_told_to_have_the_wished_pose() -> None:
    faces = made_faces(people=5)
    searcher = CPI(model=small_model(seed=2)).fit(faces)
    for code, word in enumerate(POSES):
        ranking = searcher.rank(batch_of(faces, np.full(len(faces), word)), len(faces))
        has = searcher.poses_ == code
        assert (ranking >= 0).sum(1).tolist() == [int(has.sum())] * len(faces)
        assert has[ranking[ranking >= 0]].all()


def test_a_face_told_its_own_pose_is_nearest_to_itself() -> None:
    faces, model = made_faces(), small_model()
    own = np.array(POSES)[model.turn_to_all(faces.crops)[1]]
    searcher = CPI(model=model).fit(faces)
    assert searcher.rank(batch_of(faces, own), 1)[:, 0].tolist() == list(range(len(faces)))


def test_only_poses_can_be_wished_for() -> None:
    faces = made_faces()
    searcher = CPI(model=small_model()).fit(faces)
    with pytest.raises(DataError, match="light"):
        searcher.rank(QueryBatch(faces.pictures, {"light": np.full(len(faces), "00")}), 1)


def test_the_command_trains(tmp_path: Path, run_cli) -> None:  # type: ignore[no-untyped-def]
    folder = write_faces(tmp_path / "faces", made_faces(people=3))
    out = tmp_path / "out"
    arguments = [*("train-cpi", folder, "--cropped", "--size", "8", "--light", "01"), *("--out", out)]
    result = run_cli(*arguments, "--minutes", "0.01", "--threads", "1")
    assert result.exit_code == 0, result.stderr
    assert load_cpi(out).config.geometry.size == 8
    result = run_cli(*arguments, "--minutes", "2")
    assert result.exit_code == 1
    assert "another training" in result.stderr


def test_shipped_weights_are_small_and_find_people() -> None:
    assert (SHIPPED / "cpi-32" / WEIGHTS_FILE).stat().st_size < 10_000_000
    model = load_cpi()
    faces = read_labelled(rendered_mini_path(), cropped=True, geometry=model.config.geometry)
    some = faces.select(np.isin(faces.persons, np.unique(faces.persons)[:5]))
    some = some.select(np.isin(some.lights, ("03", "07", "12")))
    told = np.array(model.config.poses)[model.turn_to_all(some.crops)[1]]
    assert (told == some.poses).mean() > 0.8
    queries = some.select(some.poses != "+30")
    best = CPI(model=model).fit(some).rank(batch_of(queries, np.full(len(queries), "+30")), 1)[:, 0]
    assert (some.persons[best] == queries.persons).mean() > 0.7
