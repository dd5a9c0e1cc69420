"""Training: data, recipes, and a loop that survives being killed."""

from generator.training.data import TrainingData, join_sets, prepare, restrict_people, varying
from generator.training.recipes import Augmentation, Budget, Recipe, adjusted, recipe
from generator.training.state import Entry
from generator.training.trainer import Options
from generator.training.two_stage import train

__all__ = ["Augmentation", "Budget", "Entry", "Options", "Recipe", "TrainingData", "adjusted", "join_sets"]
__all__ += ["prepare", "recipe", "restrict_people", "train", "varying"]
