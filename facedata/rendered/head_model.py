"""The morphable head: ICT-FaceKit (MIT), read from a packed archive or from its published folder.

Li et al. 2020, *Learning Formation of Physically-Based Face Attributes*;
https://github.com/ICT-VGL/ICT-FaceKit.  Centimetres; x to the subject's left, which is the right of
a frontal picture; y up; z out of the face.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faces.errors import HeadModelError

N_VERTICES, N_QUADS, N_IDENTITY = 26719, 26384, 100
HINT = "give the packed ict_facekit.npz or the published FaceXModel folder of ICT-FaceKit"


@dataclass(frozen=True)
class HeadModel:
    """The arrays of the head.

    ``vertices`` (V, 3) float32 mean head; ``faces`` (Q, 4) int32 quads, a triangle repeats its last index;
    ``identity_modes`` (100, V, 3) float32, a person is vertices + sum c_i mode_i with c_i ~ N(0, 1);
    ``expression_modes`` (E, V, 3) float32 with weights 0..1, named by ``expression_names``;
    ``landmarks68`` (68,) int32 vertex indices of the 68 Multi-PIE landmarks.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    identity_modes: NDArray[np.float32]
    expression_modes: NDArray[np.float32]
    expression_names: tuple[str, ...]
    landmarks68: NDArray[np.int32]


def load_head_model(path: Path) -> HeadModel:
    """Read the head from ``path``: the packed archive, or the published folder with its OBJ files.

    Raises HeadModelError where it is missing or damaged.
    """
    if path.is_dir():
        model = _read_folder(path)
    elif path.is_file():
        model = _read_archive(path)
    else:
        raise HeadModelError(f"There is no head model at {path}; {HINT}.")
    _check(model, path)
    return model


def _read_archive(path: Path) -> HeadModel:
    try:
        with np.load(path, allow_pickle=False) as data:
            return HeadModel(
                vertices=data["vertices"].astype(np.float32),
                faces=data["faces"].astype(np.int32),
                identity_modes=data["identity_modes"].astype(np.float32),
                expression_modes=data["expression_modes"].astype(np.float32),
                expression_names=tuple(str(name) for name in data["expression_names"]),
                landmarks68=data["landmarks68"].astype(np.int32),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise HeadModelError(f"{path} is not a packed head model ({error}); {HINT}.") from error


def _read_folder(folder: Path) -> HeadModel:
    mean_path = folder / "generic_neutral_mesh.obj"
    if not mean_path.is_file():
        raise HeadModelError(f"{folder} holds no generic_neutral_mesh.obj; {HINT}.")
    vertices, faces = _read_obj(mean_path)
    identity_paths = [folder / f"identity{i:03d}.obj" for i in range(N_IDENTITY)]
    missing = [p.name for p in identity_paths if not p.is_file()]
    if missing:
        raise HeadModelError(
            f"{folder} lacks {missing[0]} and {len(missing) - 1} more identity files; {HINT}."
        )
    identity = np.stack([_read_obj(p)[0] - vertices for p in identity_paths])
    expression_paths = sorted(
        p for p in folder.glob("*.obj") if not re.match(r"identity\d+|generic_neutral_mesh", p.stem)
    )
    expression = [_read_obj(p)[0] - vertices for p in expression_paths]
    index_path = folder / "vertex_indices.json"
    try:
        indices = json.loads(index_path.read_text(encoding="utf-8"))
        landmarks = np.array(indices["idx_to_landmark_verts"], np.int32)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HeadModelError(f"{index_path} cannot be read ({error}); {HINT}.") from error
    return HeadModel(
        vertices=vertices,
        faces=faces,
        identity_modes=identity,
        expression_modes=np.stack(expression) if expression else np.zeros((0, *vertices.shape), np.float32),
        expression_names=tuple(p.stem for p in expression_paths),
        landmarks68=landmarks,
    )


def _read_obj(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Vertices (V, 3) and faces (F, 4), 0-based, of a Wavefront OBJ file."""
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("v "):
                    vertices.append([float(word) for word in line.split()[1:4]])
                elif line.startswith("f "):
                    corner = [int(word.split("/")[0]) - 1 for word in line.split()[1:5]]
                    faces.append(corner if len(corner) == 4 else [*corner, corner[-1]])
        return np.array(vertices, np.float32).reshape(-1, 3), np.array(faces, np.int32).reshape(-1, 4)
    except (OSError, ValueError) as error:
        raise HeadModelError(f"{path} cannot be read ({error}); {HINT}.") from error


def _check(model: HeadModel, path: Path) -> None:
    shape = (N_VERTICES, 3)
    good = (
        model.vertices.shape == shape
        and model.faces.shape == (N_QUADS, 4)
        and model.identity_modes.shape == (N_IDENTITY, *shape)
        and model.expression_modes.shape == (len(model.expression_names), *shape)
        and model.landmarks68.shape == (68,)
    )
    if not good:
        raise HeadModelError(f"{path} holds arrays of other shapes than ICT-FaceKit's; {HINT}.")
    finite = np.isfinite(model.vertices).all() and np.isfinite(model.identity_modes).all()
    inside = 0 <= int(model.faces.min()) and int(model.faces.max()) < N_VERTICES
    if not (
        finite and inside and 0 <= int(model.landmarks68.min()) and int(model.landmarks68.max()) < N_VERTICES
    ):
        raise HeadModelError(f"{path} holds impossible numbers; {HINT}.")
