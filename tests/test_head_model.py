"""The morphable head: packed and published forms agree, and damage is one plain error."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedata.rendered import head_model as module
from facedata.rendered.head_model import MEAN_FILE, HeadModel, load_head_model
from facedata.rendered.person import Head
from faces.errors import HeadModelError

SMALL = {"N_VERTICES": 5, "N_QUADS": 2, "N_IDENTITY": 2}
NAMES = ("blink", "smile")


@pytest.fixture
def small_model(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arrays of a head of five vertices, which the reader is told to expect."""
    for name, value in SMALL.items():
        monkeypatch.setattr(module, name, value)
    return small_arrays()


def small_arrays() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "vertices": rng.normal(size=(5, 3)).round(4).astype(np.float32),
        "faces": np.array([[0, 1, 2, 3], [1, 2, 4, 4]], np.int32),
        "identity_modes": rng.normal(size=(2, 5, 3)).astype(np.float16),
        "expression_modes": rng.normal(size=(2, 5, 3)).astype(np.float16),
        "expression_names": np.array(NAMES),
        "landmarks68": (np.arange(68) % 5).astype(np.int32),
    }


def packed(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def published(folder: Path, arrays: dict[str, Any]) -> Path:
    """The same head as ICT-FaceKit publishes it: OBJ files, texture indices and all."""
    folder.mkdir(parents=True)

    def write(name: str, vertices: Any) -> None:
        lines = ["# a comment", "mtllib x.mtl"]
        lines += ["v " + " ".join(repr(float(value)) for value in row) for row in vertices]
        lines += ["vt 0.5 0.5", "usemtl skin"]
        for quad in arrays["faces"]:
            corners = list(dict.fromkeys(quad.tolist()))
            lines.append("f " + " ".join(f"{corner + 1}/1" for corner in corners))
        (folder / f"{name}.obj").write_text("\n".join(lines) + "\n")

    mean = arrays["vertices"].astype(np.float64)
    write("generic_neutral_mesh", mean)
    for number, mode in enumerate(arrays["identity_modes"].astype(np.float64)):
        write(f"identity{number:03d}", mean + mode)
    for name, mode in zip(NAMES, arrays["expression_modes"].astype(np.float64), strict=True):
        write(name, mean + mode)
    index = {"expressions": [NAMES[1]], "idx_to_landmark_verts": arrays["landmarks68"].tolist()}
    (folder / "vertex_indices.json").write_text(json.dumps(index))
    return folder


def assert_equal(one: HeadModel, other: HeadModel) -> None:
    assert one.expression_names == other.expression_names
    for name in ("vertices", "faces", "identity_modes", "expression_modes", "landmarks68"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        assert np.array_equal(a, b), name


@pytest.mark.parametrize("inside", ["", "FaceXModel"])
def test_the_published_folder_gives_what_the_archive_gives(
    small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.setattr(module, "UNLISTED", (NAMES[0],))
    published(tmp_path / "clone" / inside, small_model)
    assert_equal(
        load_head_model(tmp_path / "clone"), load_head_model(packed(tmp_path / "head.npz", small_model))
    )


def test_meshes_as_published_agree_with_the_packed_arrays(head_model_path: Path) -> None:
    originals = head_model_path.parent / "original"
    if head_model_path.is_dir() or not originals.is_dir():
        pytest.skip("needs the folder original/ beside the packed archive")
    model = load_head_model(head_model_path)
    mean = module._obj_vertices(originals / MEAN_FILE)
    assert np.array_equal(mean.astype(np.float32), model.vertices)
    assert np.array_equal(module._obj_faces(originals / MEAN_FILE), model.faces)
    assert np.array_equal(
        module._modes(originals, ["identity000", "identity001"], mean), model.identity_modes[:2]
    )
    opened = model.expression_names.index("jawOpen")
    assert np.array_equal(module._modes(originals, ["jawOpen"], mean)[0], model.expression_modes[opened])
    index = json.loads((originals / "vertex_indices.json").read_bytes())
    assert model.expression_names == tuple(sorted({*index["expressions"], *module.UNLISTED}))
    assert index["idx_to_landmark_verts"] == model.landmarks68.tolist()


def test_an_incomplete_folder_is_told_which_files_it_lacks(head_model_path: Path) -> None:
    originals = head_model_path.parent / "original"
    if not originals.is_dir():
        pytest.skip("needs the folder original/ beside the packed archive")
    with pytest.raises(HeadModelError, match=r"lacks identity002\.obj and 153 more of its files"):
        load_head_model(originals)


@pytest.mark.parametrize("lost", [MEAN_FILE, "vertex_indices.json", "identity001.obj", "smile.obj"])
def test_each_missing_file_is_named(
    small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(module, "UNLISTED", ())
    folder = published(tmp_path / "head", small_model)
    (folder / lost).unlink()
    with pytest.raises(HeadModelError, match=f"lacks {lost}; give"):
        load_head_model(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("identity001.obj", "v 1 2\n"),
        ("identity001.obj", "v a b c\n" * 5),
        ("identity001.obj", "v 1 2 3\n" * 4),
        ("identity001.obj", "v 1e9 2 3\n" * 5),
        ("identity001.obj", "v nan 2 3\n" * 5),
        ("generic_neutral_mesh.obj", "v 1 2 3\n" * 5 + "f 1 2 x 4\n"),
        ("generic_neutral_mesh.obj", "v 1 2 3\n" * 5 + "f\nf\n"),
        ("generic_neutral_mesh.obj", "v 1 2 3\n" * 5 + "f 1 2 3 9\nf 1 2 3 4\n"),
        ("generic_neutral_mesh.obj", "v 1 2 3\n" * 5 + "f 1 2 3 99999999999\nf 1 2 3 4\n"),
        ("vertex_indices.json", "{"),
        ("vertex_indices.json", "[]"),
        ("vertex_indices.json", '{"idx_to_landmark_verts": [1, 2], "expressions": []}'),
        ("vertex_indices.json", '{"idx_to_landmark_verts": ["a"], "expressions": []}'),
        ("vertex_indices.json", '{"idx_to_landmark_verts": [1e99], "expressions": 3}'),
    ],
)
def test_a_damaged_folder_is_one_error(
    small_model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    monkeypatch.setattr(module, "UNLISTED", NAMES)
    folder = published(tmp_path / "head", small_model)
    load_head_model(folder)
    (folder / name).write_text(content)
    with pytest.raises(HeadModelError, match="give the packed"):
        load_head_model(folder)


def test_a_path_to_nothing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(HeadModelError, match=r"There is no head model at .*nowhere"):
        load_head_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vertices", None),
        ("vertices", np.zeros((4, 3), np.float32)),
        ("vertices", np.full((5, 3), np.nan, np.float32)),
        ("vertices", np.array(["a"] * 15).reshape(5, 3)),
        ("vertices", np.zeros((5, 3), complex)),
        ("faces", np.full((2, 4), 5, np.int32)),
        ("faces", np.full((2, 4), -1, np.int32)),
        ("faces", np.full((2, 4), np.nan)),
        ("identity_modes", np.zeros((3, 5, 3), np.float16)),
        ("identity_modes", np.full((2, 5, 3), np.inf, np.float16)),
        ("expression_modes", np.full((2, 5, 3), np.inf, np.float16)),
        ("expression_names", np.array(["blink"])),
        ("expression_names", np.array([{"a": 1}, None], object)),  # needs pickle, which is never loaded
        ("landmarks68", np.zeros(67, np.int32)),
    ],
)
def test_a_wrong_array_is_one_error(
    small_model: dict[str, Any], tmp_path: Path, name: str, value: Any
) -> None:
    if value is None:
        del small_model[name]
    else:
        small_model[name] = value
    with pytest.raises(HeadModelError, match="give the packed"):
        load_head_model(packed(tmp_path / "head.npz", small_model))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all", "one array"])
def test_other_files_are_one_error(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "head.npz"
    if isinstance(content, str):
        memory = io.BytesIO()
        np.save(memory, np.zeros(3))
        content = memory.getvalue()
    path.write_bytes(content)
    with pytest.raises(HeadModelError, match="is not a packed head model"):
        load_head_model(path)


@given(data=st.data())
def test_no_damage_to_the_archive_ends_in_a_traceback(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    memory = io.BytesIO()
    np.savez_compressed(memory, **small_arrays())
    content = bytearray(memory.getvalue())
    if data.draw(st.booleans(), "truncate"):
        content = content[: data.draw(st.integers(0, len(content) - 1), "length")]
    for place in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=6), "places"):
        if content:
            content[place] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path_factory.mktemp("damaged") / "head.npz"
    path.write_bytes(content)
    # Whatever can be read has other shapes than the real head's.
    with pytest.raises(HeadModelError):
        load_head_model(path)
    shutil.rmtree(path.parent)


def test_a_head_without_the_expressions_that_are_used_is_refused(
    small_model: dict[str, Any], tmp_path: Path
) -> None:
    model = load_head_model(packed(tmp_path / "head.npz", small_model))
    with pytest.raises(HeadModelError, match="has no expression browDown_L"):
        Head(model)
