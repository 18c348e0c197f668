"""Settings of a coexistence run: every choice of the preparation and the production, named, with its unit."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ONE_PHASE = ("crystal", "melt")
"""Methods that run one phase alone, and give no melting temperature."""


class CoexistenceSettings(BaseModel):
    """Choices of one coexistence run that do not differ between the runs of a protocol.

    Lengths of stages that a method does not have are ignored by it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["bulk", "paper-text", "paper-script", "crystal", "melt"] = Field(
        "bulk",
        description="Preparation: ours in bulk, the paper's text, or the published script. `crystal` and `melt` "
        "run one phase alone at the temperature.",
    )
    timestep_fs: float = Field(gt=0, le=10, description="Time step in fs.")
    relax_cell: bool = Field(True, description="Minimise the crystal and its cell at the pressure first.")
    minimisation: tuple[float, float, int, int] = Field(
        (1e-8, 1e-8, 200, 2000),
        description="Energy tolerance (relative), force tolerance (eV/Angstrom), iterations, evaluations.",
    )
    thermostat_damping_ps: float = Field(gt=0, le=100, description="Relaxation time of thermostats in ps.")
    barostat_damping_ps: float = Field(gt=0, le=100, description="Relaxation time of barostats in ps.")
    production_barostat_damping_ps: float = Field(
        gt=0, le=100, description="Relaxation time of the barostat in production, in ps."
    )
    equilibrate_ps: float = Field(gt=0, le=1000, description="Crystal at (T, P), in ps.")
    average_ps: float = Field(3.0, gt=0, le=1000, description="Time that averages the box of the crystal, in ps.")
    melt_ps: float = Field(gt=0, le=1000, description="Melting of the lower half, in ps.")
    melt_factor: float = Field(gt=1, le=10, description="Temperature of that stage in units of the guess.")
    melt_draw_factor: float = Field(
        1.42,
        gt=1,
        le=10,
        description="Temperature of the published script's velocity draw, in units of the guess.",
    )
    quench_ps: float = Field(
        0.45,
        gt=0,
        le=100,
        description="Quench of the melt on the frozen crystal, in ps; shorter than freezing.",
    )
    cool_ps: float = Field(15.0, gt=0, le=1000, description="Cooling stage of the published script, in ps.")
    cool_factor: float = Field(1.05, gt=0, le=10, description="Its temperature in units of the guess.")
    thermalise_ps: float = Field(1.5, gt=0, le=1000, description="Both halves free, brought to the guess, in ps.")
    sample_interval_fs: float = Field(
        gt=0, le=1000, description="Spacing of the series of T and P in fs; the estimate takes means over 1 ps."
    )
    frame_interval_ps: float = Field(gt=0, le=1000, description="Spacing of the analysed frames in ps.")
    restart_interval_ps: float = Field(gt=0, le=10_000, description="Spacing of restart files in ps.")
    skin_angstrom: float = Field(gt=0, le=10, description="Skin of the neighbour list in Angstrom.")
    neighbour_delay: int = Field(5, ge=0, le=100, description="Steps before a neighbour list may be rebuilt.")
    bragg_threshold: float = Field(
        0.15, gt=0, lt=1, description="In-run only: Bragg intensity above which a slab counts as crystalline."
    )
    halt_on_lost_phase: bool = Field(True, description="End production once no slab of one phase is left.")

    def steps(self, time_ps: float) -> int:
        """Return the number of time steps nearest to ``time_ps`` picoseconds, at least one."""
        return max(1, round(time_ps * 1000 / self.timestep_fs))

    @property
    def sample_steps(self) -> int:
        """Return the number of steps between samples of the series."""
        return self.steps(self.sample_interval_fs / 1000)

    @property
    def probe_steps(self) -> int:
        """Return the number of steps between in-run order parameters: the multiple of samples next to 0.3 ps."""
        return self.sample_steps * max(1, round(self.steps(0.3) / self.sample_steps))

    @property
    def frame_steps(self) -> int:
        """Return the number of steps between frames."""
        return self.steps(self.frame_interval_ps)

    @property
    def restart_steps(self) -> int:
        """Return the number of steps between restart files."""
        return self.steps(self.restart_interval_ps)
