"""Melting curves: T_m over pressure, its slope, and whether both of its sources agree.

Two laws are fitted: that of Simon and Glatzel (Z. Anorg. Allg. Chem. 178, 309, 1929), which only rises, and that of
Kechin (J. Phys.: Condens. Matter 7, 531, 1995), which can pass through a maximum. The slope follows also from the
volume and the enthalpy of melting (Clausius and Clapeyron): what a curve of good points must agree with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from ase.units import GPa
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import norm as normal

from aiida_dnpmelt.physics.error_budget import common_shift

Array = NDArray[np.float64]

FEWEST_PRESSURES = 3
FEWEST_SLOPES = 3
"""Slopes whose integral takes the bend of a curve into account."""
LARGEST_CHANGE = 0.3
"""Most that a guess differs from the T_m that it is made from, as a share: points near each other tell no slope."""

_STEP = 1e-5
"""Relative step of numerical derivatives."""
_LARGEST_GPA = 1e4
_SAME = 1e-6
"""Relative difference of chi2 up to which two fits are one."""


@dataclass(frozen=True)
class Quantity:
    """A number with its standard uncertainty."""

    value: float
    uncertainty: float


def simon_glatzel(pressure_gpa: Array, temperature_k: float, a_gpa: float, c: float) -> Array:
    """Return T_0 (1 + P/a)^(1/c) in K; T_0 is T_m at P = 0."""
    return np.asarray(temperature_k * np.maximum(1 + pressure_gpa / a_gpa, 1e-12) ** (1 / c))


def kechin(pressure_gpa: Array, temperature_k: float, a_gpa: float, b: float, c_gpa: float) -> Array:
    """Return T_0 (1 + P/a)^b exp(-P/c) in K; for large c, it is the law of Simon and Glatzel."""
    rise = np.maximum(1 + pressure_gpa / a_gpa, 1e-12) ** b
    return np.asarray(temperature_k * rise * np.exp(-pressure_gpa / c_gpa))


def simon_glatzel_slope(pressure_gpa: Array, temperature_k: float, a_gpa: float, c: float) -> Array:
    """Return its derivative in K/GPa."""
    return simon_glatzel(pressure_gpa, temperature_k, a_gpa, c) / (c * (a_gpa + pressure_gpa))


def kechin_slope(pressure_gpa: Array, temperature_k: float, a_gpa: float, b: float, c_gpa: float) -> Array:
    """Return its derivative in K/GPa."""
    relative = b / (a_gpa + pressure_gpa) - 1 / c_gpa
    return kechin(pressure_gpa, temperature_k, a_gpa, b, c_gpa) * relative


@dataclass(frozen=True)
class Law:
    """A law of melting.

    :param function: T_m in K of pressure in GPa and parameters; ``slope`` is its derivative in K/GPa.
    :param names: of its parameters, with units.
    :param starts: of the parameters but the first, from which a fit begins.
    """

    name: str
    function: Callable[..., Array]
    slope: Callable[..., Array]
    names: tuple[str, ...]
    starts: tuple[tuple[float, ...], ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


LAWS = (
    Law(
        "simon_glatzel",
        simon_glatzel,
        simon_glatzel_slope,
        ("temperature_k", "a_gpa", "c"),
        ((10.0, 2.0), (30.0, 2.0), (3.0, 4.0), (100.0, 1.2)),
        (0.0, 1e-3, 0.2),
        (1e5, _LARGEST_GPA, 50.0),
    ),
    Law(
        "kechin",
        kechin,
        kechin_slope,
        ("temperature_k", "a_gpa", "b", "c_gpa"),
        ((10.0, 0.5, 100.0), (3.0, 0.3, 50.0), (30.0, 0.8, 300.0), (5.0, 1.0, 20.0)),
        (0.0, 1e-3, 0.0, 1e-2),
        (1e5, _LARGEST_GPA, 20.0, 1e6),
    ),
)


@dataclass(frozen=True, eq=False)
class CurveFit:
    """A law that was fitted to points.

    :param parameters: in the order of the names of the law.
    :param covariance: of the parameters, from the uncertainties of the points; shape (k, k).
    :param aicc: Akaike's criterion, corrected for few points; infinite if there are too few for it.
    :param probability: of a larger chi2 if the law is true; 1 without a degree of freedom.
    """

    law: Law
    parameters: Array
    covariance: Array
    chi2: float
    degrees_of_freedom: int
    aicc: float

    @property
    def probability(self) -> float:
        """Return the probability of a larger chi2, if law and uncertainties are true."""
        if self.degrees_of_freedom == 0:
            return 1.0
        return float(chi2_distribution.sf(self.chi2, self.degrees_of_freedom))

    def temperature_k(self, pressure_gpa: float) -> Quantity:
        """Return T_m in K."""
        return self._propagated(self._temperature_at(pressure_gpa))

    def slope_k_per_gpa(self, pressure_gpa: float) -> Quantity:
        """Return dT_m/dP in K/GPa."""
        return self._propagated(self._slope_at(pressure_gpa))

    def maximum_gpa(self, up_to_gpa: float) -> float | None:
        """Return the pressure in GPa between 0 and a bound at which T_m is largest, None if it is at one of both."""
        pressures = np.linspace(0, up_to_gpa, 2001)
        place = int(np.argmax(self.law.function(pressures, *self.parameters)))
        return float(pressures[place]) if 0 < place < len(pressures) - 1 else None

    def _temperature_at(self, pressure_gpa: float) -> Callable[[Array], float]:
        return lambda parameters: float(self.law.function(np.array(pressure_gpa), *parameters))

    def _slope_at(self, pressure_gpa: float) -> Callable[[Array], float]:
        return lambda parameters: float(self.law.slope(np.array(pressure_gpa), *parameters))

    def _gradient(self, function: Callable[[Array], float]) -> Array:
        """Return the derivatives of a number that follows from the parameters."""
        gradient = np.zeros(len(self.parameters))
        for index, value in enumerate(self.parameters):
            step = _STEP * max(abs(value), 1e-3)
            change = np.zeros(len(self.parameters))
            change[index] = step
            gradient[index] = (function(self.parameters + change) - function(self.parameters - change)) / (2 * step)
        return gradient

    def _propagated(self, function: Callable[[Array], float]) -> Quantity:
        """Return a number that follows from the parameters, with the uncertainty that follows from theirs."""
        gradient = self._gradient(function)
        variance = float(gradient @ self.covariance @ gradient)
        return Quantity(function(self.parameters), max(variance, 0.0) ** 0.5)


def fit_curves(
    pressures_gpa: Sequence[float],
    temperatures_k: Sequence[float],
    u_k: Sequence[float],
    laws: Sequence[Law] = LAWS,
    common_k: Sequence[float] | None = None,
) -> list[CurveFit]:
    """Return the fits of laws that have at least as many points as parameters, the best one first.

    The best one has the smallest AICc. Where that needs more points than there are, fewer parameters are better.

    :param u_k: standard uncertainties of the temperatures in K, of their own: the weights, and what chi2 is in.
    :param common_k: standard uncertainties in K that the temperatures share: they move the whole curve, and widen the
        covariance of its parameters; none without.
    :raises ValueError: if there are fewer than three different pressures, or an uncertainty is not positive.
    """
    x, y, u = (np.asarray(values, dtype=float) for values in (pressures_gpa, temperatures_k, u_k))
    if not len(x) == len(y) == len(u):
        raise ValueError(f"{len(x)} pressures, {len(y)} temperatures and {len(u)} uncertainties given")
    different = len(np.unique(x))
    if different < FEWEST_PRESSURES:
        raise ValueError(f"{different} different pressures given, a curve needs {FEWEST_PRESSURES}")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (u > 0).all()):
        raise ValueError("all numbers must be finite, and the uncertainties positive")
    found = [fit for law in laws if different >= len(law.names) and (fit := _fit(law, x, y, u)) is not None]
    if not found:
        raise ValueError("no law could be fitted to the points")
    if common_k is not None:
        found = [_with_common(fit, x, u, np.asarray(common_k, dtype=float)) for fit in found]
    return sorted(found, key=lambda each: (each.aicc, len(each.parameters)))


def _fit(law: Law, x: Array, y: Array, u: Array) -> CurveFit | None:
    """Return the fit with the least chi2, as soon as two starts come to it; None if none converges."""
    first = float(y[np.argmin(np.abs(x))])
    best: tuple[float, Array, Array] | None = None
    for start in law.starts:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OptimizeWarning)
                parameters, covariance = curve_fit(
                    law.function,
                    x,
                    y,
                    p0=(first, *start),
                    sigma=u,
                    absolute_sigma=True,
                    bounds=(law.lowest, law.highest),
                    x_scale=np.abs((first, *start)),
                    max_nfev=20_000,
                )
        except RuntimeError:
            continue
        chi2 = float(np.sum(((y - law.function(x, *parameters)) / u) ** 2))
        if best is not None and abs(chi2 - best[0]) <= _SAME * (1 + chi2):
            break
        if best is None or chi2 < best[0]:
            best = chi2, parameters, covariance
    if best is None:
        return None
    chi2, parameters, covariance = best
    if not np.isfinite(covariance).all():
        return None  # the points do not tell all parameters
    number, k = len(x), len(parameters)
    left = number - k - 1
    aicc = chi2 + 2 * k + 2 * k * (k + 1) / left if left > 0 else float("inf")
    return CurveFit(law, parameters, covariance, chi2, number - k, aicc)


def _with_common(fit: CurveFit, x: Array, u: Array, common: Array) -> CurveFit:
    """Return a fit whose parameters are also as uncertain as what all points share makes them."""
    design = np.array([fit._gradient(fit._temperature_at(pressure)) for pressure in x])
    shift = common_shift(fit.covariance, design, u, common)
    return replace(fit, covariance=fit.covariance + np.outer(shift, shift))


def clapeyron_slope_k_per_gpa(temperature_k: Quantity, volume_angstrom3: Quantity, enthalpy_ev: Quantity) -> Quantity:
    """Return dT_m/dP = T_m dV / dH in K/GPa.

    :param temperature_k: T_m in K.
    :param volume_angstrom3: volume of melting in cubic Angstrom an atom.
    :param enthalpy_ev: enthalpy of melting in eV an atom.
    :raises ValueError: if the enthalpy is not positive.
    """
    if enthalpy_ev.value <= 0:
        raise ValueError(f"the enthalpy of melting is {enthalpy_ev.value:g} eV/atom, it must be positive")
    slope = temperature_k.value * volume_angstrom3.value / enthalpy_ev.value * GPa
    per_volume = temperature_k.value / enthalpy_ev.value * GPa
    parts = (
        slope * temperature_k.uncertainty / temperature_k.value,
        per_volume * volume_angstrom3.uncertainty,
        slope * enthalpy_ev.uncertainty / enthalpy_ev.value,
    )
    return Quantity(slope, float(np.sqrt(np.sum(np.square(parts)))))


def disagreement(first: Quantity, second: Quantity) -> float:
    """Return the difference of two numbers in units of its standard uncertainty."""
    return (first.value - second.value) / float(np.hypot(first.uncertainty, second.uncertainty))


@dataclass(frozen=True)
class Consistency:
    """How well melting temperatures and the slopes of Clausius and Clapeyron agree, whatever law the curve follows.

    :param chi2: of the rises of T_m from point to point, less the integrals of the slopes.
    :param degrees_of_freedom: number of these rises.
    :param probability: of a larger chi2 if both are right.
    :param sigma: the same probability as that of a normal deviate beyond plus and minus so many sigma.
    """

    chi2: float
    degrees_of_freedom: int
    probability: float
    sigma: float


def consistency(
    pressures_gpa: Sequence[float],
    temperatures_k: Sequence[Quantity],
    slopes_k_per_gpa: Sequence[Quantity],
    common_k: Sequence[float] | None = None,
) -> Consistency:
    """Return how well the rises of T_m agree with the integrals of the slopes dT_m/dP between the points.

    Between the points the slope is a cubic spline, a parabola if there are three.

    :param pressures_gpa: different ones, rising.
    :param temperatures_k: T_m with their own uncertainties.
    :param common_k: uncertainties in K that all T_m share: they drop out of the rises as far as all have them.
    :raises ValueError: if there are fewer than three points.
    """
    if len(pressures_gpa) < FEWEST_SLOPES:
        raise ValueError(f"{len(pressures_gpa)} points with a slope given, their integral needs {FEWEST_SLOPES}")
    weights = np.array([_integrals(pressures_gpa, one) for one in np.eye(len(pressures_gpa))]).T
    rise = np.diff(np.eye(len(pressures_gpa)), axis=0)
    differences = rise @ [each.value for each in temperatures_k] - weights @ [each.value for each in slopes_k_per_gpa]
    common = rise @ (np.zeros(len(pressures_gpa)) if common_k is None else common_k)
    covariance = rise @ np.diag([each.uncertainty**2 for each in temperatures_k]) @ rise.T + np.outer(common, common)
    covariance = covariance + weights @ np.diag([each.uncertainty**2 for each in slopes_k_per_gpa]) @ weights.T
    chi2 = float(differences @ np.linalg.solve(covariance, differences))
    probability = float(chi2_distribution.sf(chi2, len(differences)))
    sigma = float(normal.isf(max(probability, 1e-300) / 2))
    return Consistency(chi2, len(differences), probability, sigma)


def _integrals(pressures_gpa: Sequence[float], slopes: Array) -> Array:
    """Return the integrals of a slope from point to point."""
    order = min(3, len(pressures_gpa) - 1)
    spline = make_interp_spline(pressures_gpa, slopes, k=order)
    return np.array([spline.integrate(low, high) for low, high in pairwise(pressures_gpa)])


@dataclass(frozen=True)
class Known:
    """A point of a curve that is known: its pressure in GPa, T_m in K, and dT_m/dP in K/GPa if that is known."""

    pressure_gpa: float
    temperature_k: float
    slope_k_per_gpa: float | None


def guess_k(known: Sequence[Known], pressure_gpa: float) -> float:
    """Return a guess of T_m in K from the point next to a pressure, by its slope and the change of that.

    The slope is that of Clausius and Clapeyron. Without any, that between the two nearest points is taken; with one
    point and no slope, its T_m. The guess differs from the nearest T_m by no more than `LARGEST_CHANGE` of it.

    :raises ValueError: if no point is known.
    """
    if not known:
        raise ValueError("no point of the curve is known")
    nearest = sorted(known, key=lambda point: (abs(point.pressure_gpa - pressure_gpa), point.pressure_gpa))
    start, change = _change(nearest, pressure_gpa)
    bound = LARGEST_CHANGE * start
    return start + min(max(change, -bound), bound)


def _change(nearest: Sequence[Known], pressure_gpa: float) -> tuple[float, float]:
    """Return the T_m from which a guess is made, and what the guess adds to it."""
    slopes = [(point, point.slope_k_per_gpa) for point in nearest if point.slope_k_per_gpa is not None]
    if slopes:
        first, slope = slopes[0]
        away = pressure_gpa - first.pressure_gpa
        bend = 0.0
        if len(slopes) > 1:
            second, other = slopes[1]
            bend = (slope - other) / (first.pressure_gpa - second.pressure_gpa)
        return first.temperature_k, away * (slope + bend * away / 2)
    first = nearest[0]
    if len(nearest) == 1:
        return first.temperature_k, 0.0
    rise = (nearest[1].temperature_k - first.temperature_k) / (nearest[1].pressure_gpa - first.pressure_gpa)
    return first.temperature_k, rise * (pressure_gpa - first.pressure_gpa)


def ready_pressures(pending_gpa: Sequence[float], known_gpa: Sequence[float], reach_gpa: float) -> list[float]:
    """Return the pressures that can be computed now, each from a guess that does not wait for another one.

    A pressure is ready if a known point is within reach, or if no other one that is pending lies between it and the
    known point next to it. Without a known point, the first one is ready.
    """
    if not known_gpa:
        return list(pending_gpa[:1])

    def is_ready(pressure: float) -> bool:
        nearest = min(known_gpa, key=lambda value: abs(value - pressure))
        low, high = sorted((nearest, pressure))
        return high - low <= reach_gpa * (1 + _SAME) or not any(low < other < high for other in pending_gpa)

    return [pressure for pressure in pending_gpa if is_ready(pressure)]
