"""Files of small campaigns of copper, whose work chains take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from coexistence_jobs import REPETITIONS, SETTINGS

from aiida_dnpmelt.campaign.cells import Campaign
from aiida_dnpmelt.campaign.settings import read_settings
from aiida_dnpmelt.cli.campaign_inputs import load_campaign

SMALL: dict[str, Any] = {
    "name": "small",
    "elements": {"Cu": {"temperature_k": 1283}},
    "pressures_gpa": [0, 1],
    "potentials": {"Cu": "Cu_u3.eam"},
    "protocol": "fast",
    "seeds": [7],
    "maximum_running": 1,
    "overrides": {
        "size": {"minimum_atoms": None, "by_atoms_in_cell": {4: REPETITIONS}},
        "run": SETTINGS,
        "plan": {
            "initial_runs": 1,
            "guess_spread": 0.0,
            "first_time_ps": 6.0,
            "runs": 1,
            "minimum_runs": 1,
            "production_time_ps": 6.0,
            "target_uncertainty_k": 100.0,
            "maximum_rounds": 1,
            "criteria": {
                "minimum_fraction": 0.02,
                "maximum_normal_pressure_gpa": 1.0,
                "maximum_lateral_pressure_gpa": 2.0,
            },
        },
    },
}


def write(folder: Path, **changes: Any) -> Path:
    """Write a campaign and return its file; a change to None takes a key away."""
    values = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def load(folder: Path, **changes: Any) -> Campaign:
    """Return a campaign with its nodes."""
    return load_campaign(read_settings(write(folder, **changes)), folder)
