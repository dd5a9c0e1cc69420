"""How CPI is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from faces.errors import TrainingError
from generator.training.recipes import Recipe


def _recipe() -> Recipe:
    return Recipe(
        name="cpi",
        batch=128,
        optimiser="adamw",
        rate=1e-3,
        weight_decay=1e-4,
        warm_up=0.03,
        cosine=True,
        clip=1.0,
        average=0.999,
    )


@dataclass(frozen=True, slots=True)
class CPISettings:
    """Everything that decides the outcome of a training beside data, seed and budget."""

    light: str = "07"
    """Light of the drawings: the word of one (Yim et al. draw everybody in frontal light), or ``same``."""
    recipe: Recipe = field(default_factory=_recipe)
    """Optimiser and its course, which are those of our own networks: no rival shall lose by its optimiser."""
    auxiliary: float = 1.0
    """Weight of the auxiliary task beside the squared error of the drawing."""
    remote: float = 0.1
    """Weight, within the auxiliary task, of the remote code beside the input picture."""
    redrawn: float = 0.1
    """Share of the examples whose input is a drawing of the network itself, so that it learns to turn on from
    its own pictures."""
    mirror: bool = True
    """Half of the examples mirrored, the sign of the pose turned."""

    def check(self) -> None:
        """Raises TrainingError where the settings contradict themselves."""
        if not self.light.strip():
            raise TrainingError("Name the light of the drawings, or say same.")
        if min(self.auxiliary, self.remote) < 0 or not 0 <= self.redrawn <= 1:
            raise TrainingError("Weights cannot be negative, and a share lies between 0 and 1.")
        if self.recipe.batch < 2 or not 0 < self.recipe.rate < 10:
            raise TrainingError("A batch needs two examples or more, and a rate between 0 and 10.")
