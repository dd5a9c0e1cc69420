"""The morphable head: ICT-FaceKit (MIT), read from a packed archive or from its published folder.

Li et al. 2020, *Learning Formation of Physically-Based Face Attributes*;
https://github.com/ICT-VGL/ICT-FaceKit.  Centimetres; x to the subject's left, which is the right of
a frontal picture; y up; z out of the face.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from faces.errors import HeadModelError

N_VERTICES, N_QUADS, N_IDENTITY = 26719, 26384, 100
HINT = "give the packed ict_facekit.npz or the published FaceXModel folder of ICT-FaceKit"
MEAN_FILE, INDEX_FILE = "generic_neutral_mesh.obj", "vertex_indices.json"
# Published beside the expressions that vertex_indices.json lists.
UNLISTED = ("PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R")
# What a damaged archive makes NumPy, zipfile and zlib raise.
_DAMAGE = (
    OSError, KeyError, ValueError, TypeError, EOFError, MemoryError, RuntimeError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
# Kinds of numbers that the packed archive may hold, and what they become.
_STORED = {
    "vertices": ("f", np.float32), "faces": ("iu", np.int32), "landmarks68": ("iu", np.int32),
    "identity_modes": ("f", np.float32), "expression_modes": ("f", np.float32),
    "expression_names": ("U", np.str_),
}  # fmt: skip


@dataclass(frozen=True)
class HeadModel:
    """The arrays of the head; V = 26,719, Q = 26,384.

    A person is vertices + sum c_i identity_modes_i with c_i ~ N(0, 1); the weights of expressions are 0..1.
    """

    vertices: NDArray[np.float32]  # (V, 3) mean head
    faces: NDArray[np.int32]  # (Q, 4) quads; a triangle repeats its last index
    identity_modes: NDArray[np.float32]  # (100, V, 3)
    expression_modes: NDArray[np.float32]  # (E, V, 3)
    expression_names: tuple[str, ...]
    landmarks68: NDArray[np.int32]  # (68,) vertices that are the 68 Multi-PIE landmarks


def load_head_model(path: Path) -> HeadModel:
    """Read the head; both forms give the same arrays to the last bit.  Raises HeadModelError."""
    if path.is_dir():
        inner = path / "FaceXModel"  # the folder's place in a clone of the repository
        model = _read_folder(inner if inner.is_dir() else path)
    elif path.is_file():
        model = _read_archive(path)
    else:
        raise HeadModelError(f"There is no head model at {path}; {HINT}.")
    _check(model, path)
    return model


def _read_archive(path: Path) -> HeadModel:
    arrays: dict[str, Any] = {}
    try:
        # Opened here, because NumPy leaves a file open that turns out to be damaged.
        with path.open("rb") as file:
            data = np.load(file, allow_pickle=False)
            if not isinstance(data, NpzFile):
                raise ValueError("it is a single array")
            with data:
                for name, (kinds, dtype) in _STORED.items():
                    found = data[name]
                    if found.dtype.kind not in kinds:
                        raise ValueError(f"{name} holds {found.dtype}")
                    arrays[name] = found.astype(dtype)
    except _DAMAGE as error:
        raise HeadModelError(f"{path} is not a packed head model ({error}); {HINT}.") from error
    return HeadModel(**arrays | {"expression_names": tuple(arrays["expression_names"].ravel().tolist())})


def _read_folder(folder: Path) -> HeadModel:
    index_path = folder / INDEX_FILE
    _require(folder, [MEAN_FILE, INDEX_FILE])
    try:
        indices = json.loads(index_path.read_bytes())
        landmarks = np.array(indices["idx_to_landmark_verts"], np.int32)
        names = sorted({*(str(name) for name in indices["expressions"]), *UNLISTED})
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise HeadModelError(f"{index_path} cannot be read ({error}); {HINT}.") from error
    identities = [f"identity{number:03d}" for number in range(N_IDENTITY)]
    _require(folder, [f"{name}.obj" for name in (*identities, *names)])
    mean = _obj_vertices(folder / MEAN_FILE)
    return HeadModel(
        vertices=mean.astype(np.float32),
        faces=_obj_faces(folder / MEAN_FILE),
        identity_modes=_modes(folder, identities, mean),
        expression_modes=_modes(folder, names, mean),
        expression_names=tuple(names),
        landmarks68=landmarks,
    )


def _require(folder: Path, names: list[str]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more of its files" if len(missing) > 1 else ""
        raise HeadModelError(f"{folder} lacks {missing[0]}{more}; {HINT}.")


def _modes(folder: Path, names: list[str], mean: NDArray[np.float64]) -> NDArray[np.float32]:
    """What each of the named meshes adds to the mean head, (len(names), V, 3)."""
    modes = np.empty((len(names), *mean.shape), np.float32)
    for number, name in enumerate(names):
        path = folder / f"{name}.obj"
        vertices = _obj_vertices(path)
        if vertices.shape != mean.shape:
            raise HeadModelError(f"{path} has other vertices than {MEAN_FILE}; {HINT}.")
        # Half precision (0.005 mm) as in the packed archive, so that both give the same pictures.
        with np.errstate(over="ignore"):  # becomes infinite, which is refused later
            modes[number] = (vertices - mean).astype(np.float16)
    return modes


def _obj_vertices(path: Path) -> NDArray[np.float64]:
    """The vertices (V, 3) of a Wavefront OBJ file; raises HeadModelError."""
    try:
        rows = [line[2:].split() for line in path.read_bytes().splitlines() if line.startswith(b"v ")]
        return np.array([row[:3] for row in rows], np.bytes_).reshape(-1, 3).astype(np.float64)
    except (OSError, ValueError) as error:
        raise HeadModelError(f"{path} cannot be read ({error}); {HINT}.") from error


def _obj_faces(path: Path) -> NDArray[np.int32]:
    """The faces (F, 4) of a Wavefront OBJ file, 0-based, a triangle's last index repeated."""
    try:
        lines = [line.split()[1:5] for line in path.read_bytes().splitlines() if line.startswith(b"f ")]
        corners = [[int(word.split(b"/")[0]) - 1 for word in words] for words in lines]
        return np.array([(*face, face[-1])[:4] for face in corners], np.int32).reshape(-1, 4)
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise HeadModelError(f"{path} cannot be read ({error}); {HINT}.") from error


def _check(model: HeadModel, path: Path) -> None:
    shapes = {
        "vertices": (N_VERTICES, 3),
        "faces": (N_QUADS, 4),
        "identity_modes": (N_IDENTITY, N_VERTICES, 3),
        "expression_modes": (len(model.expression_names), N_VERTICES, 3),
        "landmarks68": (68,),
    }
    arrays = {name: getattr(model, name) for name in shapes}
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise HeadModelError(f"{path} holds arrays of other shapes than ICT-FaceKit's; {HINT}.")
    indices = (model.faces, model.landmarks68)
    possible = all(((each >= 0) & (each < N_VERTICES)).all() for each in indices)
    if not possible or not all(np.isfinite(array).all() for array in arrays.values()):
        raise HeadModelError(f"{path} holds impossible numbers; {HINT}.")
