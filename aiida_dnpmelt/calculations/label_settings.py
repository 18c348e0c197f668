"""Settings of a job that labels frames with a potential in LAMMPS."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

MELT, RELAX, LABEL = "melt", "relax", "label"
"""Stages of the run from a starting frame."""


class LabelSettings(BaseModel):
    """How frames are labelled: as they are, or after a short run from each of them.

    With ``steps`` = 0 each starting frame is labelled itself. Else a run at constant volume and temperature starts
    from it, and ``frames_per_start`` frames of equal spacing are labelled, not the start.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(0, ge=0, le=10_000_000, description="Time steps from each starting frame.")
    frames_per_start: int = Field(1, ge=1, le=10_000, description="Labelled frames from each starting frame.")
    timestep_fs: float = Field(2.0, gt=0, le=10, description="Time step in fs.")
    thermostat_damping_ps: float = Field(0.1, gt=0, le=100, description="Relaxation time of the thermostat in ps.")
    melt_ps: float = Field(
        0.0, ge=0, le=1000, description="Melting of each start at constant volume, in ps; 0 for none. Needs `steps`."
    )
    melt_factor: float = Field(2.5, gt=1, le=10, description="Temperature of the melting in units of the frame's.")
    relax_ps: float = Field(
        1.0, gt=0, le=1000, description="After melting: at the frame's temperature and the pressure, in ps."
    )
    pressure_gpa: float = Field(0.0, ge=-10, le=1000, description="Pressure of that relaxation in GPa.")
    barostat_damping_ps: float = Field(0.5, gt=0, le=100, description="Relaxation time of its barostat in ps.")
    maximum_force_ev_per_angstrom: float = Field(
        50.0, gt=0, le=1e6, description="Frames with a larger force on an atom are dropped, in eV/Angstrom."
    )

    @model_validator(mode="after")
    def _fitting(self) -> LabelSettings:
        if self.steps == 0 and (self.frames_per_start != 1 or self.melt_ps > 0):
            raise ValueError("steps = 0 labels the frames as they are: frames_per_start must be 1, melt_ps 0")
        if self.steps % self.frames_per_start:
            raise ValueError(f"steps = {self.steps} must be a multiple of frames_per_start = {self.frames_per_start}")
        return self

    @property
    def spacing(self) -> int:
        """Return the number of time steps between labelled frames, 1 if there are none."""
        return max(1, self.steps // self.frames_per_start)

    def in_steps(self, time_ps: float) -> int:
        """Return the number of time steps nearest to ``time_ps`` picoseconds, at least one."""
        return max(1, round(time_ps * 1000 / self.timestep_fs))

    @property
    def stages(self) -> dict[str, int]:
        """Return the number of ionic steps of each stage of a DFT run, in order; 0 for a frame as it is.

        The first step of a run is its starting frame, which is not one of the labels.
        """
        stages = {}
        if self.melt_ps > 0:
            stages = {MELT: self.in_steps(self.melt_ps), RELAX: self.in_steps(self.relax_ps)}
        return {**stages, LABEL: self.steps + 1 if self.steps else 0}

    @property
    def ionic_steps(self) -> int:
        """Return the number of self-consistent cycles that a DFT code computes for a starting frame."""
        return sum(max(1, steps) for steps in self.stages.values())
