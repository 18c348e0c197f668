"""Finite size: how T_m and its error depend on the number of atoms N of the cell.

T_m of cells of one shape is fitted by T_inf + b/N, the first term of what the fluctuations of a finite cell do to it,
and by a constant beside it. T_inf is always that of the line: a constant that is taken where b is not resolved would
claim more than the cells say (benchmarks/size_extrapolation.py).

The error of T_m is fitted by s N^p. Over a time that is short against the relaxation time tau of the interface a mean
is one sample of the slow noise, and p = -1/2, as Andolina and Saidi found (Digital Discovery 3, 1421, 2024). Over a
long time t it is t/(2 tau) samples, and tau grows with the length of the cell: u sqrt(t) has p = -1/3 in cells of one
shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import norm
from scipy.stats import t as student

from aiida_dnpmelt.physics.melting_curve import Quantity

Array = NDArray[np.float64]

FEWEST_SIZES = 3
PAPER_EXPONENT = -0.5

_LEVEL = 0.975
"""One-sided level of intervals of 95 %."""


@dataclass(frozen=True, eq=False)
class SizeFit:
    """T_m as a polynomial of 1/N that was fitted to cells of several sizes.

    :param coefficients: T_inf in K, and of a line b in K times atoms.
    :param covariance: of the coefficients, from the uncertainties of the points; shape (k, k).
    :param aicc: Akaike's criterion, corrected for few points; infinite if there are too few for it.
    """

    coefficients: Array
    covariance: Array
    chi2: float
    degrees_of_freedom: int
    aicc: float

    @property
    def probability(self) -> float:
        """Return the probability of a larger chi2, if law and uncertainties are true."""
        return float(chi2_distribution.sf(self.chi2, self.degrees_of_freedom))

    @property
    def widening(self) -> float:
        """Return the factor on all uncertainties where the points scatter more than theirs say (Birge's ratio)."""
        return max(1.0, math.sqrt(self.chi2 / self.degrees_of_freedom))

    def temperature_k(self, n_atoms: float) -> Quantity:
        """Return T_m of a cell in K; T_inf for an infinite number of atoms."""
        return self._quantity(self._powers(n_atoms))

    def shift_k(self, n_atoms: float) -> Quantity:
        """Return what the size of a cell adds to T_inf, in K; nothing if it is a constant that was fitted."""
        powers = self._powers(n_atoms)
        powers[0] = 0.0
        return self._quantity(powers)

    def size_uncertainty_k(self, n_atoms: float) -> float:
        """Return the root mean square in K of what the size of a cell may add to T_inf, if it is not corrected for."""
        shift = self.shift_k(n_atoms)
        return math.hypot(shift.value, shift.uncertainty)

    def _powers(self, n_atoms: float) -> Array:
        return np.array([float(n_atoms) ** -power for power in range(len(self.coefficients))], dtype=np.float64)

    def _quantity(self, powers: Array) -> Quantity:
        variance = float(powers @ self.covariance @ powers)
        return Quantity(float(powers @ self.coefficients), self.widening * math.sqrt(max(variance, 0.0)))


@dataclass(frozen=True, eq=False)
class SizeEffect:
    """Both models of T_m over the size: a constant, and a line in 1/N."""

    constant: SizeFit
    line: SizeFit

    @property
    def significance(self) -> float:
        """Return b in units of its standard uncertainty."""
        slope = self.line.shift_k(1.0)
        return slope.value / slope.uncertainty

    @property
    def resolved(self) -> bool:
        """Tell whether the 95 % interval of b leaves out zero."""
        return abs(self.significance) > norm.ppf(_LEVEL)


def fit_sizes(n_atoms: Sequence[float], temperatures_k: Sequence[float], u_k: Sequence[float]) -> SizeEffect:
    """Return the fits of a constant and of T_inf + b/N by weighted least squares.

    :param n_atoms: of the cells, all different.
    :param u_k: standard uncertainties of the temperatures in K, without a part that all of them share.
    :raises ValueError: if there are fewer than three sizes, two are equal, or a number is out of its range.
    """
    n, y, u = _checked(n_atoms, temperatures_k, u_k)
    if not np.isfinite(y).all():
        raise ValueError("all temperatures must be finite")
    return SizeEffect(*(_fit(n, y, u, terms) for terms in (1, 2)))


def _fit(n: Array, y: Array, u: Array, terms: int) -> SizeFit:
    """Return a polynomial of 1/N; in units of the smallest cell all terms are of one order."""
    unit = n.min()
    design = np.vander(unit / n, terms, increasing=True) / u[:, None]
    covariance = np.linalg.inv(design.T @ design)
    coefficients = covariance @ design.T @ (y / u)
    chi2 = float(np.sum((y / u - design @ coefficients) ** 2))
    scale = unit ** np.arange(terms)
    left = len(n) - terms - 1
    aicc = chi2 + 2 * terms + 2 * terms * (terms + 1) / left if left > 0 else math.inf
    return SizeFit(coefficients * scale, covariance * np.outer(scale, scale), chi2, len(n) - terms, aicc)


@dataclass(frozen=True)
class ErrorLaw:
    """An error that falls as s N^p; it has the unit of the error that was fitted.

    :param exponent: p, with its standard uncertainty.
    :param exponent_interval: of 95 %.
    :param reference_atoms: geometric mean of the sizes, where the error is ``reference_error`` by the law.
    :param prefactor: s for p = -1/2, in the unit of the error times the root of atoms.
    """

    exponent: Quantity
    exponent_interval: tuple[float, float]
    reference_atoms: float
    reference_error: float
    prefactor: Quantity

    @property
    def agrees_with_paper(self) -> bool:
        """Tell whether the interval of the exponent holds -1/2."""
        low, high = self.exponent_interval
        return low <= PAPER_EXPONENT <= high

    def error(self, n_atoms: float) -> float:
        """Return the error of a cell by the law."""
        return float(self.reference_error * (n_atoms / self.reference_atoms) ** self.exponent.value)


def fit_error_law(
    n_atoms: Sequence[float], errors: Sequence[float], degrees_of_freedom: Sequence[int] | None = None
) -> ErrorLaw:
    """Return the law s N^p of errors, fitted in logarithms.

    :param n_atoms: of the cells, all different.
    :param degrees_of_freedom: of each error where it is the scatter of runs, their number minus one. How far such an
        error is off is then known: half the logarithm of chi2 over its degrees of freedom. Otherwise the scatter of the
        errors about the law tells, by Student's t.
    :raises ValueError: if there are fewer than three sizes, two are equal, or a number is out of its range.
    """
    n, y, _ = _checked(n_atoms, errors, errors)
    logarithm, variance = np.log(y), np.ones_like(y)
    known = degrees_of_freedom is not None
    if degrees_of_freedom is not None:
        half = np.asarray(degrees_of_freedom, dtype=float) / 2
        if len(half) != len(n) or not (half > 0).all():
            raise ValueError(f"degrees_of_freedom: {list(degrees_of_freedom)} must be {len(n)} positive numbers")
        logarithm = logarithm - (digamma(half) - np.log(half)) / 2
        variance = log_scatter(2 * half) ** 2
    centre = float(np.mean(np.log(n)))
    design = np.vander(np.log(n) - centre, 2, increasing=True)
    (level, exponent), covariance = _regression(design, logarithm, variance, known)
    uncertainty = math.sqrt(covariance[1, 1])
    reach = (norm.ppf(_LEVEL) if known else student.ppf(_LEVEL, len(n) - 2)) * uncertainty
    root, spread = _regression(design[:, :1], logarithm - PAPER_EXPONENT * np.log(n), variance, known)
    prefactor = math.exp(root[0])
    return ErrorLaw(
        exponent=Quantity(float(exponent), uncertainty),
        exponent_interval=(float(exponent - reach), float(exponent + reach)),
        reference_atoms=math.exp(centre),
        reference_error=math.exp(level),
        prefactor=Quantity(prefactor, prefactor * math.sqrt(spread[0, 0])),
    )


def log_scatter(degrees_of_freedom: float | Array) -> Array:
    """Return the standard deviation of the logarithm of a scatter of Gaussian values: 0.64 of three, 0.35 of six."""
    return np.asarray(np.sqrt(polygamma(1, np.asarray(degrees_of_freedom) / 2)) / 2)


def _regression(design: Array, y: Array, variance: Array, known: bool) -> tuple[Array, Array]:
    """Return coefficients and covariance; variances that are not known are scaled by the scatter."""
    covariance = np.linalg.inv(design.T @ (design / variance[:, None]))
    coefficients = covariance @ design.T @ (y / variance)
    if not known:
        left = len(y) - design.shape[1]
        covariance = covariance * float(np.sum((y - design @ coefficients) ** 2 / variance)) / left
    return coefficients, covariance


def _checked(n_atoms: Sequence[float], values: Sequence[float], u: Sequence[float]) -> tuple[Array, Array, Array]:
    """Return sizes, values and what must be positive as arrays."""
    n, y, errors = (np.asarray(given, dtype=float) for given in (n_atoms, values, u))
    if not len(n) == len(y) == len(errors):
        raise ValueError(f"{len(n)} sizes, {len(y)} values and {len(errors)} uncertainties given")
    if len(n) < FEWEST_SIZES:
        raise ValueError(f"{len(n)} sizes given, a law needs {FEWEST_SIZES}")
    if len(np.unique(n)) < len(n):
        raise ValueError(f"n_atoms: {n.tolist()} must all be different")
    if not ((n >= 1) & np.isfinite(n) & (errors > 0) & np.isfinite(errors)).all():
        raise ValueError("all sizes must be at least one atom, and all errors finite and positive")
    return n, y, errors
