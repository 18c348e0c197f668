"""The plan of adaptive learning: what is explored, which frames are labelled, and when it is enough."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from aiida_dnpmelt.calculations.exploration_runs import ExplorationRun, ExplorationRuns
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.label_settings import LabelSettings


class FirstFrames(BaseModel):
    """Starting cells of one kind for the first training set, and how they are labelled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1, le=10_000, description="Number of starting cells.")
    minimum_atoms: int = Field(ge=1, le=1_000_000, description="Least number of atoms of a cell.")
    smallest_scale: float = Field(0.97, gt=0.5, lt=2, description="Least factor on the lengths of the cell.")
    largest_scale: float = Field(1.03, gt=0.5, lt=2, description="Largest factor on the lengths of the cell.")
    strain: float = Field(0.03, ge=0, le=0.3, description="Largest component of the random strain.")
    displacement_angstrom: float = Field(0.1, ge=0, le=2, description="Largest displacement of an atom in Angstrom.")
    temperature_factors: tuple[PositiveFloat, ...] = Field(
        min_length=1, description="Temperatures of the runs from the cells, in turn, in units of the guess of T_m."
    )
    label: LabelSettings = Field(description="How the cells are labelled; `melt_ps` makes liquids of them.")

    @property
    def labels(self) -> int:
        """Return the number of labels that the cells get."""
        return self.number * self.label.frames_per_start


class WarmStart(BaseModel):
    """How a training begins with models that have been trained on most of its frames.

    It begins where the learning rate and the weights of the loss have come some way from their starts; as
    ``training_reuse_...`` of DP-GEN (Zhang et al., Comput. Phys. Commun. 253, 107206 (2020)).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(ge=1, le=100_000_000, description="Steps of the training.")
    start_lr: float | None = Field(None, gt=0, le=1, description="First learning rate; that of the settings if empty.")
    start_pref_e: float | None = Field(None, ge=0, le=1e6, description="First weight of the energies in the loss.")
    start_pref_f: float | None = Field(None, ge=0, le=1e6, description="First weight of the forces in the loss.")


class Thresholds(BaseModel):
    """Deviations of forces at which a frame is accurate, has failed, or a temperature is learned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Literal["ev_per_angstrom", "rms_force"] = Field(
        description="`ev_per_angstrom`, or `rms_force` for units of the rms force of all labelled frames."
    )
    lower: float = Field(ge=0, description="Largest force deviation below which a frame is accurate.")
    upper: float = Field(gt=0, description="Largest force deviation above which a frame has failed.")
    converged: float = Field(gt=0, description="A temperature is learned when its deviation is below this.")
    measure: Literal["largest", "quantile_95"] = Field(
        "quantile_95", description="Which of the frames' largest deviations is compared with `converged`."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Thresholds:
        if not self.lower < self.upper:
            raise ValueError(f"lower = {self.lower:g} must be less than upper = {self.upper:g}")
        return self


class Stage(ExplorationRuns):
    """A stage of the learning: what is explored until it is learned."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the stage.")


class LearningPlan(BaseModel):
    """What is explored, which frames are labelled, and when it is enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_frames: dict[str, FirstFrames] = Field(
        default_factory=dict, description="Starting cells of the first training set by kind, if no frames are given."
    )
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=20, description="Stages, one after the other.")
    exploration: ExplorationSettings = Field(description="Settings of the runs of an exploration.")
    thresholds: Thresholds = Field(description="Deviations that decide.")
    frames_per_temperature: int = Field(5, ge=1, le=10_000, description="Most chosen frames a temperature.")
    minimum_spacing_ps: float = Field(0.2, ge=0, le=1000, description="Least time between chosen frames in ps.")
    mode: Literal["deviation", "random"] = Field("deviation", description="How frames are chosen, see the selection.")
    label: LabelSettings = Field(default_factory=LabelSettings, description="How chosen frames are labelled.")
    check_frames: int = Field(
        0, ge=0, le=10_000, description="Unbiased frames a phase and iteration, for the shift of T_m; 0 for none."
    )
    emphasis: float = Field(
        2.0, ge=1, le=100, description="Factor on `check_frames` of the phase whose energies are off."
    )
    target_shift_k: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="Largest predicted shift of T_m of any model in K; none is asked for if empty.",
    )
    maximum_iterations: int = Field(10, ge=1, le=1000, description="Most explorations.")
    label_budget: int = Field(
        1000,
        ge=1,
        le=10_000_000,
        description="Labels after which no iteration is begun; frames that were given do not count.",
    )
    frames_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Least share of the planned frames that a run must leave at a temperature that counts as learned. "
        "One that explodes or runs out of bounds never counts.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> LearningPlan:
        if self.target_shift_k is None:
            return self
        if self.check_frames < 2:
            raise ValueError(
                f"check_frames = {self.check_frames}: target_shift_k needs at least 2 unbiased frames a phase"
            )
        phases = {run.phase for run in self.stages[-1].runs.values() if 1.0 in run.temperature_factors}
        if not {"solid", "liquid"} <= phases:
            raise ValueError(
                "target_shift_k: the last stage must have solid and liquid runs with a temperature factor of 1"
            )
        return self


def first_labels(plan: LearningPlan) -> int:
    """Return the number of labels that a loop makes before its first iteration, if no frames are given."""
    return sum(kind.labels for kind in plan.first_frames.values())


def checked_phases(stage: Stage) -> list[str]:
    """Return the bulk phases that a stage explores at the reference temperature."""
    runs: list[ExplorationRun] = list(stage.runs.values())
    return sorted({run.phase for run in runs if run.phase != "interface" and 1.0 in run.temperature_factors})
