"""LAMMPS input that computes properties of a crystal, in one process.

The potential is loaded once, and once more for the release.

Stage names are the contract with the parser: the last thermo row of a stage is its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from aiida_dnpmelt.calculations.coexistence_script import DATA_FILE
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings

RELEASED_FILE = "released.dump"
RELAX, RELAXED, VOLUME, STRAIN = "relax", "relaxed", "volume_", "strain_"
SUPERCELL, VACANCY, ATOM, RELEASE = "supercell", "vacancy", "atom", "release"
STRESS_COLUMNS = tuple(f"c_stress[{index}]" for index in range(1, 7))
"""Pressure without the kinetic part, bar: xx, yy, zz, xy, xz, yz."""

_RELAXED_FILE = "relaxed.data"
_SKIN_ANGSTROM = 1.0
_LARGEST_VOLUME_CHANGE = 0.001
"""Relative change of the volume in a step of a relaxation: a poor model cannot blow the cell up at once."""
_LOST = (0.6, 1.7)
"""Volume of the relaxed crystal over that of the given one outside of which the script ends: it is not that crystal."""
_LENGTHS = ("lx", "ly", "lz")


@dataclass(frozen=True)
class PropertiesSpec:
    """What is computed.

    :param lattice: ``fcc``, ``bcc``, ``hcp`` or ``diamond``.
    :param repetitions: of the orthogonal cell along x, y, z, for the vacancy and the release.
    :param atom_box_angstrom: edge of the box of the free atom.
    :param seed: of the displacements.
    :param pair_commands: LAMMPS commands of the potential.
    """

    lattice: str
    repetitions: tuple[int, int, int]
    atom_box_angstrom: float
    seed: int
    pair_commands: tuple[str, ...]


def build_script(settings: PropertiesSettings, spec: PropertiesSpec) -> str:
    """Return the LAMMPS input."""
    lines = [*_system(DATA_FILE, spec), *_relaxation(settings, spec)]
    if settings.has("equation_of_state"):
        lines += _volumes(settings, spec)
    if settings.has("elastic"):
        lines += _strains(settings)
    if settings.has("vacancy"):
        lines += _vacancy(settings, spec)
    if settings.has("atom"):
        lines += _atom(spec)
    if settings.has("release"):
        lines += _release(settings, spec)
    return "\n".join(lines) + "\n"


def _system(file: str, spec: PropertiesSpec) -> list[str]:
    return [
        "units metal",
        "boundary p p p",
        "atom_style atomic",
        "box tilt large",
        f"read_data {file}",
        "change_box all triclinic",
        f"neighbor {_SKIN_ANGSTROM:g} bin",
        "neigh_modify every 1 delay 0 check yes",
        *spec.pair_commands,
        "compute stress all pressure NULL virial",
        "thermo 1000000",
        f"thermo_style custom step pe vol lx ly lz xy xz yz fmax {' '.join(STRESS_COLUMNS)}",
        "thermo_modify flush yes line one lost error format float %.15g",
        "min_style cg",
    ]


def _minimize(settings: PropertiesSettings, tolerance: float | None = None) -> str:
    steps = settings.maximum_steps
    return f"minimize 0.0 {tolerance or settings.force_tolerance_ev_per_angstrom:g} {steps} {10 * steps}"


def _relax_cell(settings: PropertiesSettings, stage: str, lengths: str, tolerance: float | None = None) -> list[str]:
    """Return the relaxations of a cell; each sets the reference anew, to which the minimizer holds on."""
    lines = []
    for _ in range(settings.relaxations):
        lines += [
            f'print "dnpmelt stage {stage}"',
            f"fix box all box/relax {lengths} vmax {_LARGEST_VOLUME_CHANGE:g}",
            _minimize(settings, tolerance),
            "unfix box",
        ]
    return lines


def _relaxation(settings: PropertiesSettings, spec: PropertiesSpec) -> list[str]:
    """Return the commands that end with the relaxed cell at the origin, its lengths and positions kept."""
    low, high = _LOST
    return [
        "variable given equal $(vol:%.15g)",
        *_relax_cell(settings, RELAX, "aniso 0.0 couple xy" if spec.lattice == "hcp" else "iso 0.0"),
        f'if "$(vol/v_given) < {low:g} || $(vol/v_given) > {high:g}" then quit',
        *(f"variable {name} equal $({name}:%.15g)" for name in _LENGTHS),
        _box("${lx}", "${ly}", "${lz}"),
        f'print "dnpmelt stage {RELAXED}"',
        "run 0",
        f"write_data {_RELAXED_FILE}",
        "fix kept all store/state 0 x y z",
        *(f"variable kept_{name} atom f_kept[{index}]" for index, name in enumerate("xyz", start=1)),
    ]


def _box(x: str, y: str, z: str, xy: str = "0.0", xz: str = "0.0", yz: str = "0.0") -> str:
    """Return the command that takes the cell and the atoms in it to a shape."""
    lengths = " ".join(f"{axis} final 0.0 {length}" for axis, length in zip("xyz", (x, y, z), strict=True))
    return f"change_box all {lengths} xy final {xy} xz final {xz} yz final {yz} remap units box"


def _loop(name: str, columns: Mapping[str, Iterable[float]], body: Iterable[str], number: int) -> list[str]:
    """Return a loop over numbers in columns; ``name`` counts from 1."""
    variables = {name: [str(index) for index in range(1, number + 1)]}
    variables |= {column: [f"{value:.15g}" for value in values] for column, values in columns.items()}
    return [
        *(f"variable {column} index {' '.join(words)}" for column, words in variables.items()),
        f"label next_{name}",
        *body,
        f"next {' '.join(variables)}",
        f"jump SELF next_{name}",
    ]


def _volumes(settings: PropertiesSettings, spec: PropertiesSpec) -> list[str]:
    """Return the runs at volumes and ratios c/a; symmetry holds the atoms of all four lattices where they are."""
    volume, axial = np.meshgrid(settings.volume_factors(), settings.axial_factors(spec.lattice), indexing="ij")
    plane, axis = (volume / axial) ** (1 / 3), (volume * axial**2) ** (1 / 3)
    body = [
        _box("$(v_lx*v_plane:%.15g)", "$(v_ly*v_plane:%.15g)", "$(v_lz*v_axis:%.15g)"),
        f'print "dnpmelt stage {VOLUME}${{volume}}"',
        "run 0",
    ]
    return _loop("volume", {"plane": plane.ravel(), "axis": axis.ravel()}, body, volume.size)


def _strains(settings: PropertiesSettings) -> list[str]:
    """Return the relaxations of the atoms under strains, each from the relaxed crystal."""
    columns = dict(zip(("exx", "eyy", "ezz", "eyz", "exz", "exy"), settings.strains().T, strict=True))
    body = [
        *_back(),
        _box(
            *(f"$(v_l{axis}*(1.0+v_e{axis}{axis}):%.15g)" for axis in "xyz"),
            *(f"$(v_l{shear[1]}*v_e{shear}:%.15g)" for shear in ("xy", "xz", "yz")),
        ),
        f'print "dnpmelt stage {STRAIN}${{strain}}"',
        _minimize(settings),
    ]
    return _loop("strain", columns, body, 12)


def _back() -> list[str]:
    """Return the commands that bring the relaxed crystal back."""
    return [_box("${lx}", "${ly}", "${lz}"), "set group all x v_kept_x y v_kept_y z v_kept_z"]


def _repeat(spec: PropertiesSpec) -> list[str]:
    return [f"replicate {' '.join(map(str, spec.repetitions))}"]


def _vacancy(settings: PropertiesSettings, spec: PropertiesSpec) -> list[str]:
    """Return the relaxation around a vacancy, at constant volume."""
    return [
        *_back(),
        "unfix kept",
        *_repeat(spec),
        f'print "dnpmelt stage {SUPERCELL}"',
        "run 0",
        "group gap id 1",
        "delete_atoms group gap",
        f'print "dnpmelt stage {VACANCY}"',
        _minimize(settings),
    ]


def _atom(spec: PropertiesSpec) -> list[str]:
    edge = f"{spec.atom_box_angstrom:.10g}"
    lengths = " ".join(f"{axis} final 0.0 {edge}" for axis in "xyz")
    return [
        "group lone id 1",
        "group others subtract all lone",
        "delete_atoms group others",
        "change_box all xy final 0.0 xz final 0.0 yz final 0.0 units box",
        "set group all x 1.0 y 1.0 z 1.0",
        f"change_box all {lengths} units box",
        f'print "dnpmelt stage {ATOM}"',
        "run 0",
    ]


def _release(settings: PropertiesSettings, spec: PropertiesSpec) -> list[str]:
    """Return the relaxation of displaced atoms in a cell of any shape: what is no minimum goes elsewhere."""
    by = f"{settings.displacement_angstrom:g}"
    return [
        "clear",
        *_system(_RELAXED_FILE, spec),
        *_repeat(spec),
        f"displace_atoms all random {by} {by} {by} {spec.seed}",
        *_relax_cell(settings, RELEASE, "tri 0.0", settings.release_tolerance_ev_per_angstrom),
        f"write_dump all custom {RELEASED_FILE} id x y z modify sort id format float %.15g",
    ]
