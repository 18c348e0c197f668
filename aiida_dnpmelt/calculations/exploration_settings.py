"""Settings of an exploration: dynamics with one model of a committee, watched by the others."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ExplorationSettings(BaseModel):
    """How a committee explores each temperature.

    A run at a temperature ends early when, at a check, the largest force deviation is above its maximum, or when at
    any sample the temperature or the volume is out of bounds. What came before is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timestep_fs: float = Field(2.0, gt=0, le=10, description="Time step in fs.")
    time_ps: float = Field(gt=0, le=100_000, description="Length of the run at each temperature, in ps.")
    deviation_interval_ps: float = Field(
        0.1, gt=0, le=1000, description="Spacing of deviations and of frames in ps; each costs all models once."
    )
    check_interval_ps: float = Field(
        1.0, gt=0, le=10_000, description="Spacing of the checks of the deviation in ps: whole deviation intervals."
    )
    equilibrate_ps: float = Field(0.5, ge=0, le=1000, description="At each temperature before the run, in ps.")
    thermostat_damping_ps: float = Field(0.1, gt=0, le=100, description="Relaxation time of the thermostat in ps.")
    barostat_damping_ps: float = Field(0.5, gt=0, le=100, description="Relaxation time of the barostat in ps.")
    melt_ps: float = Field(
        2.0, gt=0, le=1000, description="Melting for the phases `liquid` and `interface`, at constant volume, in ps."
    )
    melt_factor: float = Field(
        2.5, gt=1, le=10, description="Temperature of the melting in units of the highest temperature."
    )
    maximum_deviation_ev_per_angstrom: float = Field(
        5.0, gt=0, le=1e6, description="Largest force deviation that a run may have at a check, in eV/Angstrom."
    )
    maximum_temperature_factor: float = Field(
        4.0, gt=2, le=100, description="Highest instantaneous temperature, in units of the thermostat's."
    )
    maximum_volume_factor: float = Field(
        2.0, gt=1, le=10, description="Largest ratio of the volume to that of the start, or of that to it."
    )

    @model_validator(mode="after")
    def _ordered(self) -> ExplorationSettings:
        if self.deviation_interval_ps > self.time_ps:
            raise ValueError(
                f"deviation_interval_ps = {self.deviation_interval_ps:g} must not exceed time_ps = {self.time_ps:g}"
            )
        return self

    def in_steps(self, time_ps: float) -> int:
        """Return the number of time steps nearest to ``time_ps`` picoseconds, at least one."""
        return max(1, round(time_ps * 1000 / self.timestep_fs))

    @property
    def deviation_steps(self) -> int:
        """Return the number of steps between deviations."""
        return self.in_steps(self.deviation_interval_ps)

    @property
    def check_steps(self) -> int:
        """Return the number of steps between checks: whole deviation intervals, at most the whole run."""
        interval = min(self.check_interval_ps, self.time_ps)
        return self.deviation_steps * max(1, round(self.in_steps(interval) / self.deviation_steps))

    @property
    def checks(self) -> int:
        """Return the number of checks of a run, the last one at its end."""
        return max(1, round(self.in_steps(self.time_ps) / self.check_steps))

    @property
    def equilibrate_steps(self) -> int:
        """Return the number of steps before a run: whole deviation intervals, 0 for none."""
        if self.equilibrate_ps == 0:
            return 0
        return self.deviation_steps * max(1, round(self.in_steps(self.equilibrate_ps) / self.deviation_steps))

    @property
    def last_step(self) -> int:
        """Return the last step at each temperature; steps count from the start of the equilibration."""
        return self.equilibrate_steps + self.checks * self.check_steps

    @property
    def frames(self) -> int:
        """Return the number of frames that a whole run at a temperature leaves, its first and last step among them."""
        return self.checks * self.check_steps // self.deviation_steps + 1
