"""How far the melting temperature of a model is from that of its teacher, from energies of frames of both phases.

Let D = U_model - U_teacher be the difference of two potential energies of one frame. At the same temperature and
pressure the Gibbs energies of a phase differ by (R. W. Zwanzig, J. Chem. Phys. 22, 1420 (1954); volume and pressure
are the same for both and drop out of D)

    G_model - G_teacher = kT ln <exp(+D/kT)>_model  = <D>_model + Var_model(D)/(2 kT) + ...
                        = -kT ln <exp(-D/kT)>_teacher = <D>_teacher - Var_teacher(D)/(2 kT) + ...

with the sign of the second term set by whose ensemble the frames are from. Frames of a third potential s go both ways:
G_model - G_teacher = (G_s - G_teacher) - (G_s - G_model), and its second term is
[Var_s(U_s - U_teacher) - Var_s(U_s - U_model)]/(2 kT), which holds both lines above for s = model and s = teacher.

The phases of the teacher are in balance at T_m, where d(G_liquid - G_solid)/dT = -L/T_m with L the enthalpy of melting.
With e = D/N, the difference of an atom, those of the model are in balance

    dT_m = T_m(model) - T_m(teacher) = T_m (<e>_liquid - <e>_solid)/L

higher, to first order in e: a model that finds the liquid too high in energy melts too late. A constant in e cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K

Array = NDArray[np.float64]

LEAST_FRAMES = 2
"""Labelled frames that each phase must have: one frame has no scatter."""
BLOCKS = 8
"""Parts into which a run is cut for the uncertainty of its mean."""

_LEVEL = 0.95  # probability of the quoted interval


@dataclass(frozen=True)
class PhaseOffset:
    """Energy of a model less that of its teacher in one phase, in eV an atom.

    :param frames: number of frames, taken to be independent of each other.
    :param mean_ev_per_atom: <e>.
    :param standard_deviation_ev_per_atom: scatter of e from frame to frame.
    :param standard_uncertainty_ev_per_atom: of the mean.
    :param second_order_ev_per_atom: second term of the difference of the Gibbs energies, see above.
    :param second_order_uncertainty_ev_per_atom: its standard uncertainty, for energies that scatter normally.
    """

    frames: int
    mean_ev_per_atom: float
    standard_deviation_ev_per_atom: float
    standard_uncertainty_ev_per_atom: float
    second_order_ev_per_atom: float
    second_order_uncertainty_ev_per_atom: float


@dataclass(frozen=True)
class LatentHeat:
    """Enthalpy of melting in eV an atom, with its standard uncertainty and the degrees of freedom of the latter."""

    ev_per_atom: float
    standard_uncertainty_ev_per_atom: float
    degrees_of_freedom: float


@dataclass(frozen=True)
class MeltingShift:
    """T_m(model) - T_m(teacher) in K.

    :param solid: of the solid.
    :param liquid: of the liquid.
    :param first_order_k: dT_m to first order.
    :param standard_uncertainty_k: of the first order.
    :param degrees_of_freedom: of this uncertainty, by Welch and Satterthwaite.
    :param interval_k: interval of 95 % confidence of the first order, by Student's t. On synthetic frames it covers in
        93 to 96 % of all cases, in 88 % where the phase that scatters more has two frames and the other has many.
    :param second_order_k: what the second order would add. It is no correction: a variance of few frames is poorly
        known. Where it is of the size of the first order, the model is too far away for either.
    :param second_order_uncertainty_k: its standard uncertainty.
    """

    solid: PhaseOffset
    liquid: PhaseOffset
    first_order_k: float
    standard_uncertainty_k: float
    degrees_of_freedom: float
    interval_k: tuple[float, float]
    second_order_k: float
    second_order_uncertainty_k: float


def phase_offset(
    model_ev: Array, teacher_ev: Array, n_atoms: int, temperature_k: float, sampler_ev: Array | None = None
) -> PhaseOffset:
    """Return how far a model is from its teacher on frames of one phase.

    :param model_ev: potential energies of the cells by the model in eV, shape (f,).
    :param teacher_ev: the same by the teacher, shape (f,).
    :param n_atoms: atoms in a cell.
    :param temperature_k: temperature in K of the ensemble that the frames are an unbiased sample of.
    :param sampler_ev: energies by the potential whose ensemble this was, shape (f,); None for the model itself.
    :raises ValueError: if there are fewer than two frames, shapes differ, or a number is out of its range.
    """
    sampler_ev = model_ev if sampler_ev is None else sampler_ev
    shapes = {np.shape(energies) for energies in (model_ev, teacher_ev, sampler_ev)}
    if len(shapes) > 1 or np.ndim(model_ev) != 1:
        raise ValueError(f"energies of model, teacher and sampler: shapes {sorted(shapes)}, one (f,) is needed")
    if len(model_ev) < LEAST_FRAMES:
        raise ValueError(f"{len(model_ev)} frames given, at least {LEAST_FRAMES} are needed in each phase")
    if n_atoms < 1:
        raise ValueError(f"n_atoms: {n_atoms} given, must be 1 at least")
    _check_temperature(temperature_k)
    offsets = (model_ev - teacher_ev) / n_atoms
    second, second_uncertainty = _second_order(model_ev, teacher_ev, sampler_ev)
    scale = n_atoms * 2 * BOLTZMANN_EV_PER_K * temperature_k
    deviation = float(offsets.std(ddof=1))
    return PhaseOffset(
        frames=len(offsets),
        mean_ev_per_atom=float(offsets.mean()),
        standard_deviation_ev_per_atom=deviation,
        standard_uncertainty_ev_per_atom=deviation / len(offsets) ** 0.5,
        second_order_ev_per_atom=second / scale,
        second_order_uncertainty_ev_per_atom=second_uncertainty / scale,
    )


def _second_order(model: Array, teacher: Array, sampler: Array) -> tuple[float, float]:
    """Return Var(sampler - teacher) - Var(sampler - model), unbiased, and its standard uncertainty.

    The difference is the covariance of the sum and the difference of both; that of an estimated covariance is
    (s_xx s_yy + s_xy^2)/(f - 1) for normal variables.
    """
    (xx, xy), (_, yy) = np.cov(model - teacher, 2 * sampler - teacher - model)
    return float(xy), float(np.sqrt((xx * yy + xy**2) / (len(model) - 1)))


def latent_heat(solid_ev_per_atom: Array, liquid_ev_per_atom: Array) -> LatentHeat:
    """Return the enthalpy of melting from enthalpies along a run of each phase at one temperature and pressure.

    Kinetic energies cancel and may be left out. The uncertainty is that of the means of eight blocks of each run, so it
    holds if an eighth of a run is longer than its memory.

    :param solid_ev_per_atom: in the order of the run, in eV an atom, shape (points,).
    :param liquid_ev_per_atom: the same, of any length.
    :raises ValueError: if a run has fewer than eight points, a value is not finite, or the heat is not larger than
        twice its uncertainty.
    """
    means, squares = [], []
    for phase, enthalpies in (("solid", solid_ev_per_atom), ("liquid", liquid_ev_per_atom)):
        if np.ndim(enthalpies) != 1 or len(enthalpies) < BLOCKS:
            raise ValueError(
                f"enthalpies of the {phase}: shape {np.shape(enthalpies)}, at least {BLOCKS} points are needed"
            )
        if not np.isfinite(enthalpies).all():
            raise ValueError(f"enthalpies of the {phase}: not all values are finite")
        blocks = np.array([block.mean() for block in np.array_split(enthalpies, BLOCKS)])
        means.append(float(np.mean(enthalpies)))
        squares.append(float(blocks.var(ddof=1)) / BLOCKS)
    heat, uncertainty = means[1] - means[0], sum(squares) ** 0.5
    if not heat > 2 * uncertainty:
        raise ValueError(
            f"the latent heat is {heat:.4g} eV an atom with a standard uncertainty of {uncertainty:.2g}, it must be "
            "clearly positive: has a phase changed into the other, or is the run too short?"
        )
    return LatentHeat(heat, uncertainty, _degrees_of_freedom(squares, [BLOCKS - 1, BLOCKS - 1]))


def melting_shift(solid: PhaseOffset, liquid: PhaseOffset, heat: LatentHeat, temperature_k: float) -> MeltingShift:
    """Return how far the melting temperature of a model is from that of its teacher.

    :param temperature_k: near both in K, that of the frames.
    :raises ValueError: if the temperature or the latent heat is not positive.
    """
    _check_temperature(temperature_k)
    if not heat.ev_per_atom > 0:
        raise ValueError(f"the latent heat is {heat.ev_per_atom:.4g} eV an atom, it must be positive")
    scale = temperature_k / heat.ev_per_atom
    shift = scale * (liquid.mean_ev_per_atom - solid.mean_ev_per_atom)
    squares = [
        (scale * solid.standard_uncertainty_ev_per_atom) ** 2,
        (scale * liquid.standard_uncertainty_ev_per_atom) ** 2,
        (shift * heat.standard_uncertainty_ev_per_atom / heat.ev_per_atom) ** 2,
    ]
    freedom = _degrees_of_freedom(squares, [solid.frames - 1, liquid.frames - 1, heat.degrees_of_freedom])
    uncertainty = sum(squares) ** 0.5
    half = float(student.ppf((1 + _LEVEL) / 2, freedom)) * uncertainty
    return MeltingShift(
        solid=solid,
        liquid=liquid,
        first_order_k=shift,
        standard_uncertainty_k=uncertainty,
        degrees_of_freedom=freedom,
        interval_k=(shift - half, shift + half),
        second_order_k=scale * (liquid.second_order_ev_per_atom - solid.second_order_ev_per_atom),
        second_order_uncertainty_k=scale
        * float(np.hypot(liquid.second_order_uncertainty_ev_per_atom, solid.second_order_uncertainty_ev_per_atom)),
    )


def _check_temperature(temperature_k: float) -> None:
    if not 0 < temperature_k < np.inf:
        raise ValueError(f"temperature_k: {temperature_k} given, must be positive and finite")


def _degrees_of_freedom(squares: list[float], freedoms: list[float]) -> float:
    """Return the effective degrees of freedom of a sum of squared uncertainties.

    B. L. Welch, Biometrika 34, 28 (1947); F. E. Satterthwaite, Biometrics Bull. 2, 110 (1946). Without any scatter, as
    between a model and itself, the least of them.
    """
    total = sum(squares)
    if total == 0:
        return min(freedoms)
    return 1 / sum((square / total) ** 2 / freedom for square, freedom in zip(squares, freedoms, strict=True))
