"""Integration goals."""

from typing import Final

from app.goals.schemas import GoalIn, GoalOut
from app.goals.tables import Goal
from app.journal.shelf import Shelf
from app.people.chart import EVERYONE, Right

GOALS: Final = Shelf(
    "goal",
    Goal,
    GoalIn,
    GoalOut,
    created="set",
    read=Right("goals.read", privileges=EVERYONE),
    write=Right("goals.set", privileges=frozenset()),
)
