"""Melting temperature from the temperatures of NPH coexistence runs, with an interval that can be believed.

In coexistence at constant enthalpy the kinetic temperature of run i is

    T_i(t) = T_m + b_i + A_i exp(-t/tau) + OU(sigma, tau) + white(r),

an approach to equilibrium, the slow motion of the interface about it, and fast kinetic noise; b_i ~ N(0, omega^2) tells
runs apart that differ by more than this. Equipartition of the enthalpy fixes sigma = T/sqrt(N c_p/k). The posterior
distribution of T_m is taken on a grid of tau, r, sigma and omega, the rest is integrated in closed form, so there is no
optimiser and no start value. As in the scale factors of the Particle Data Group, runs that scatter less than their own
uncertainties say (chi^2 < degrees of freedom) are taken to agree, others to differ; the step between both is smooth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from aiida_dnpmelt.physics.slow_noise import Array, Levels, levels, trends
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K, EV_PER_AMU_A2_PER_PS2

LEAST_BINS = 5
"""Bins that a series must have at least."""
LEAST_LENGTH_IN_TAU = 3.0
"""Length in relaxation times below which a run is called short."""

_LEVEL = 0.95  # probability of the quoted interval
_SPACING_TOLERANCE = 1e-3  # of the spacing of the times
_RANGE = 3.0  # of the first grid and of omega, in prior standard deviations
_ZOOM_RANGE = 3.5  # of the finer grids, in posterior standard deviations
_COARSEST = 1.6  # spacing of a grid that resolves a hyperparameter, in posterior standard deviations
_ZOOMS = 4
_FIRST_GRID = (12, 16, 6)
_FINER_GRID = (10, 9, 7)
_BETWEEN_POINTS = 12
_BISECTIONS = 30
_AGREEMENT_POWER = 3
_SUSPICIOUS = 2.0  # drift, in standard deviations
_NEGLIGIBLE = 1e-6  # weight of a node, relative to the largest one


@dataclass(frozen=True, eq=False)
class Series:
    """A temperature at uniform times.

    :param time_ps: times in ps, of bins their centres, shape (points,).
    :param temperature_k: temperatures in K, shape (points,).
    :raises ValueError: unless both are finite, of one length, of two points at least, and the times are uniform.
    """

    time_ps: Array
    temperature_k: Array

    def __post_init__(self) -> None:
        if self.time_ps.ndim != 1 or self.time_ps.shape != self.temperature_k.shape or len(self.time_ps) < 2:
            shapes = f"{self.time_ps.shape} and {self.temperature_k.shape}"
            raise ValueError(f"time_ps and temperature_k: shapes {shapes}, must be (n,) and (n,) with n >= 2")
        for name in ("time_ps", "temperature_k"):
            bad = np.flatnonzero(~np.isfinite(getattr(self, name)))
            if len(bad):
                raise ValueError(f"{name}: value {bad[0]} is not finite; cut the series before it")
        steps = np.diff(self.time_ps)
        bad = np.flatnonzero(~(np.abs(steps - np.median(steps)) < _SPACING_TOLERANCE * np.median(steps)))
        if len(bad):
            raise ValueError(
                f"time_ps: {self.time_ps[bad[0]]:g} is followed by {self.time_ps[bad[0] + 1]:g}, must rise in equal "
                f"steps of {np.median(steps):g} ps; remove repeated points and fill gaps"
            )

    @property
    def spacing_ps(self) -> float:
        """Time from one point to the next in ps."""
        return float(self.time_ps[-1] - self.time_ps[0]) / (len(self.time_ps) - 1)

    @property
    def length_ps(self) -> float:
        """Time that is covered in ps, with half a spacing at each end."""
        return self.spacing_ps * len(self.time_ps)


@dataclass(frozen=True)
class Prior:
    """What is known before any data; all of it weak but the slow noise, which theory fixes.

    :param relaxation_time_ps: median of tau in ps; EAM and DNP metals have 5 to 11 ps at 1,700 atoms.
    :param relaxation_time_factor: one standard deviation of tau, as a factor.
    :param slow_noise_log_sd: relative standard deviation of sigma about its theory.
    :param fast_noise_ratio: median of r/sigma for bins of 1 ps.
    :param fast_noise_factor: one standard deviation of r, as a factor.
    :param amplitude_fraction: standard deviation of the amplitudes over the temperature.
    :param between_seeds_ratio: scale of the half-normal distribution of omega/sigma.
    :raises ValueError: if a value is out of its range.
    """

    relaxation_time_ps: float = 8.0
    relaxation_time_factor: float = 2.5
    slow_noise_log_sd: float = 0.15
    fast_noise_ratio: float = 0.2
    fast_noise_factor: float = 2.7
    amplitude_fraction: float = 0.05
    between_seeds_ratio: float = 0.7

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 1.0 if name.endswith("_factor") else 0.0
            if not (math.isfinite(value) and value > least):
                raise ValueError(f"{name}: {value} given, must be finite and larger than {least:g}")


@dataclass(frozen=True)
class Estimate:
    """A melting temperature and all that was inferred with it. Temperatures and amplitudes are in K.

    :param temperature_k: posterior mean of T_m.
    :param standard_uncertainty_k: posterior standard deviation of T_m.
    :param interval_k: central interval of 95 % probability.
    :param relaxation_time_ps: posterior mean of tau.
    :param relaxation_time_uncertainty_ps: its posterior standard deviation.
    :param slow_noise_k: posterior mean of sigma.
    :param fast_noise_k: posterior mean of r, for the width of the bins.
    :param between_seeds_k: root mean square of omega over the posterior; 0 for a single run, which says nothing of it.
    :param seed_temperatures_k: level of each run on its own, T_m + b_i, with the noises inferred from all.
    :param seed_uncertainties_k: their standard uncertainties.
    :param amplitudes_k: start of the slow motion of each run, T(0) - T_m.
    :param chi2: scatter of the seed temperatures about their weighted mean in units of their uncertainties.
    :param dof: its degrees of freedom, runs - 1.
    :param drift_z: linear trend beside the model, for each run, in standard deviations.
    :param length_in_tau: length of the shortest run in relaxation times.
    :param short: whether it is shorter than 3 of them: the interval then rests on the prior of tau.
    """

    temperature_k: float
    standard_uncertainty_k: float
    interval_k: tuple[float, float]
    relaxation_time_ps: float
    relaxation_time_uncertainty_ps: float
    slow_noise_k: float
    fast_noise_k: float
    between_seeds_k: float
    seed_temperatures_k: tuple[float, ...]
    seed_uncertainties_k: tuple[float, ...]
    amplitudes_k: tuple[float, ...]
    chi2: float
    dof: int
    drift_z: tuple[float, ...]
    length_in_tau: float
    short: bool


@dataclass(frozen=True)
class PaperStatistic:
    """Mean and standard deviation over the last part of each run, as published; it assumes independent samples.

    :param temperature_k: mean over runs of their means.
    :param standard_deviation_k: mean over runs of the standard deviations in time.
    :param standard_error_k: standard error of the mean between runs; not a number for one run.
    :param seed_temperatures_k: mean of each run.
    :param seed_deviations_k: standard deviation in time of each run.
    :param window_ps: length of the part.
    """

    temperature_k: float
    standard_deviation_k: float
    standard_error_k: float
    seed_temperatures_k: tuple[float, ...]
    seed_deviations_k: tuple[float, ...]
    window_ps: float


def bin_series(time_ps: ArrayLike, temperature_k: ArrayLike, width_ps: float = 1.0) -> Series:
    """Return averages over bins of whole samples, as near to the width as these allow; the last must be full.

    :raises ValueError: if the input is no uniform series (see `Series`), a sample is longer than the width, or fewer
        than two bins are full.
    """
    raw = Series(np.asarray(time_ps, dtype=np.float64), np.asarray(temperature_k, dtype=np.float64))
    per_bin = round(width_ps / raw.spacing_ps)
    if per_bin < 1:
        raise ValueError(f"width_ps: {width_ps:g} given, must be at least the {raw.spacing_ps:g} ps between samples")
    bins = len(raw.time_ps) // per_bin
    if bins < 2:
        raise ValueError(f"time_ps: {raw.length_ps:g} ps given, must fill at least two bins of {width_ps:g} ps")
    time, temperature = (
        values[: bins * per_bin].reshape(bins, per_bin).mean(axis=1) for values in (raw.time_ps, raw.temperature_k)
    )
    return Series(time, temperature)


def estimate(
    series: Sequence[Series], n_atoms: int, heat_capacity_k: float = 3.8, prior: Prior | None = None
) -> Estimate:
    """Return the melting temperature from runs in which both phases live, fitted together.

    :param series: binned temperatures of each run from the start of production on; nothing is to be discarded.
    :param n_atoms: atoms in a cell.
    :param heat_capacity_k: heat capacity per atom in units of k_B, which fixes the slow noise.
    :param prior: what is known before; the default if not given.
    :raises ValueError: without a series; if one has fewer than 5 bins, or another bin width; if `n_atoms` or
        `heat_capacity_k` is not positive. A run shorter than 3 tau does not raise: see `Estimate.short`.
    """
    width = _check(series, n_atoms, heat_capacity_k)
    prior = prior or Prior()
    reference = float(np.mean([run.temperature_k[len(run.temperature_k) // 2 :].mean() for run in series]))
    model = _Model(
        series=tuple(run.temperature_k - reference for run in series),
        width_ps=width,
        theory_k=reference / math.sqrt(n_atoms * heat_capacity_k),
        amplitude_k=prior.amplitude_fraction * reference,
        prior=prior,
    )
    return _summarise(model, _posterior(model), reference)


def _check(series: Sequence[Series], n_atoms: int, heat_capacity_k: float) -> float:
    """Return the common width of the bins in ps."""
    if not series:
        raise ValueError("series: none given, at least one run is needed")
    if n_atoms < 1:
        raise ValueError(f"n_atoms: {n_atoms} given, must be at least 1")
    if not heat_capacity_k > 0:
        raise ValueError(f"heat_capacity_k: {heat_capacity_k} given, must be positive; 3.8 is common for metals")
    width = series[0].spacing_ps
    for index, run in enumerate(series):
        if len(run.time_ps) < LEAST_BINS:
            raise ValueError(f"series: {len(run.time_ps)} bins in run {index}, must be at least {LEAST_BINS}")
        if abs(run.spacing_ps - width) > _SPACING_TOLERANCE * width:
            raise ValueError(f"series: bins of {run.spacing_ps:g} ps in run {index}, must be {width:g} ps as in run 0")
    return width


@dataclass(frozen=True, eq=False)
class _Model:
    """Centred data and prior. The hyperparameters are ln tau, ln(r/sigma) and ln(sigma/theory)."""

    series: tuple[Array, ...]
    width_ps: float
    theory_k: float
    amplitude_k: float
    prior: Prior

    @property
    def centre(self) -> Array:
        """Prior medians of the hyperparameters."""
        ratio = self.prior.fast_noise_ratio / math.sqrt(self.width_ps)
        return np.array([math.log(self.prior.relaxation_time_ps), math.log(ratio), 0.0])

    @property
    def scale(self) -> Array:
        """Prior standard deviations of the hyperparameters."""
        factors = self.prior.relaxation_time_factor, self.prior.fast_noise_factor
        return np.array([*np.log(factors), self.prior.slow_noise_log_sd])


@dataclass(frozen=True, eq=False)
class _Posterior:
    """Weights on nodes of the hyperparameters, and on a mixture of Gaussians for T_m at each of them.

    :param nodes: hyperparameters, shape (nodes, 3).
    :param levels: of each run at each node, arrays of shape (nodes, runs).
    :param weight: shape (nodes, omegas).
    :param mean: of T_m, same shape; its variance has it, too.
    :param between: omega, shape (omegas,).
    """

    nodes: Array
    levels: Levels
    weight: Array
    mean: Array
    variance: Array
    between: Array


def _posterior(model: _Model) -> _Posterior:
    """Return the posterior on a grid that closes in until it resolves every hyperparameter."""
    low, high = model.centre - _RANGE * model.scale, model.centre + _RANGE * model.scale
    axes = [np.linspace(*ends) for ends in zip(low, high, _FIRST_GRID, strict=True)]
    for _ in range(_ZOOMS):
        found = _on_grid(model, axes)
        weight = found.weight.sum(axis=1)
        mean = weight @ found.nodes
        sd = np.sqrt(weight @ (found.nodes - mean) ** 2)
        spacing = np.array([axis[1] - axis[0] for axis in axes])
        if np.all(spacing <= _COARSEST * sd):
            break
        reach = _ZOOM_RANGE * np.maximum(sd, spacing / 2)
        ends = np.maximum(low, mean - reach), np.minimum(high, mean + reach)
        axes = [np.linspace(*limits) for limits in zip(*ends, _FINER_GRID, strict=True)]
    return found


def _on_grid(model: _Model, axes: Sequence[Array]) -> _Posterior:
    """Return the posterior on the nodes that the axes span, without those of negligible weight."""
    log_tau, log_ratio = (grid.ravel() for grid in np.meshgrid(axes[0], axes[1], indexing="ij"))
    noise = model.theory_k * np.exp(axes[2])
    found = levels(model.series, np.exp(log_tau), np.exp(log_ratio), noise, model.width_ps, model.amplitude_k)
    nodes = np.stack(np.broadcast_arrays(log_tau[:, None], log_ratio[:, None], axes[2]), axis=-1).reshape(-1, 3)
    flat = Levels(*(values.reshape(len(nodes), -1) for values in vars(found).values()))
    log_prior = -0.5 * (((nodes - model.centre) / model.scale) ** 2).sum(axis=1)
    return _combine(nodes, flat, log_prior, model.prior.between_seeds_ratio * model.theory_k)


def _combine(nodes: Array, found: Levels, log_prior: Array, between_scale: float) -> _Posterior:
    """Join the runs at every node: with probability p they agree, else they have a random effect.

    p = 1/(1 + (chi^2/dof)^3), a scale factor that sets in smoothly where the usual one does, chi^2 = dof. The posterior
    probability would do as well in the mean, but covers too often where runs agree and too seldom where they do not.
    """
    middles = (np.arange(_BETWEEN_POINTS) + 0.5) / _BETWEEN_POINTS
    between = np.concatenate([[0.0], _RANGE * between_scale * middles])
    effect = np.exp(-0.5 * (_RANGE * middles) ** 2)
    odds = np.log(np.concatenate([[0.5], 0.5 * effect / effect.sum()]))
    total = found.variance[:, None, :] + between[:, None] ** 2
    precision = (1 / total).sum(axis=-1)
    mean = (found.mean[:, None, :] / total).sum(axis=-1) / precision
    misfit = ((found.mean[:, None, :] - mean[..., None]) ** 2 / total).sum(axis=-1)
    log_common = found.log_evidence.sum(axis=-1) + log_prior
    log_weight = log_common[:, None] - 0.5 * (np.log(total).sum(axis=-1) + misfit + np.log(precision)) + odds
    log_node = _log_sum(log_weight)
    kept = log_node > log_node.max() + math.log(_NEGLIGIBLE)
    flat = Levels(*(values[kept] for values in vars(found).values()))
    log_weight, log_node = log_weight[kept], log_node[kept]
    agree = np.exp(log_weight[:, :1] - _log_sum(log_weight[:, 0]))
    differ = np.exp(log_weight[:, 1:] - _log_sum(log_weight[:, 1:].ravel()))
    share = _agreement(*_seeds(np.exp(log_node - _log_sum(log_node)), flat))
    weight = np.concatenate([share * agree, (1 - share) * differ], axis=1)
    return _Posterior(nodes[kept], flat, weight, mean[kept], 1 / precision[kept], between)


def _log_sum(values: Array) -> Array:
    """Return the logarithm of the sum of the exponentials over the last axis."""
    top: Array = values.max(axis=-1)
    return top + np.log(np.exp(values - top[..., None]).sum(axis=-1))


def _seeds(weight: Array, found: Levels) -> tuple[Array, Array]:
    """Return level and standard uncertainty of each run, averaged over nodes."""
    mean = weight @ found.mean
    return mean, np.sqrt(weight @ (found.variance + (found.mean - mean) ** 2))


def _chi2(values: Array, errors: Array) -> float:
    """Return the scatter about the weighted mean in units of the uncertainties."""
    centre = np.average(values, weights=errors**-2)
    return float((((values - centre) / errors) ** 2).sum())


def _agreement(values: Array, errors: Array) -> float:
    """Return the probability that runs agree; a single one does."""
    dof = len(values) - 1
    return 1 / (1 + (_chi2(values, errors) / dof) ** _AGREEMENT_POWER) if dof else 1.0


def _summarise(model: _Model, found: _Posterior, reference: float) -> Estimate:
    """Return posterior means, deviations and quantiles."""
    mean, sd = _moments(found.weight, found.mean, found.variance)
    node = found.weight.sum(axis=1)
    log_tau, log_ratio, log_sigma = found.nodes.T
    tau, tau_sd = _moments(node, np.exp(log_tau))
    sigma = model.theory_k * np.exp(log_sigma)
    values, errors = _seeds(node, found.levels)
    length = min(len(run) for run in model.series) * model.width_ps / tau
    low, high = _interval(found, mean, sd)
    return Estimate(
        temperature_k=reference + mean,
        standard_uncertainty_k=sd,
        interval_k=(reference + low, reference + high),
        relaxation_time_ps=tau,
        relaxation_time_uncertainty_ps=tau_sd,
        slow_noise_k=float(node @ sigma),
        fast_noise_k=float(node @ (np.exp(log_ratio) * sigma)),
        between_seeds_k=float(np.sqrt(found.weight.sum(axis=0) @ found.between**2)),
        seed_temperatures_k=tuple((reference + values).tolist()),
        seed_uncertainties_k=tuple(errors.tolist()),
        amplitudes_k=tuple((node @ found.levels.amplitude).tolist()),
        chi2=_chi2(values, errors),
        dof=len(values) - 1,
        drift_z=_drift_scores(model, found),
        length_in_tau=length,
        short=length < LEAST_LENGTH_IN_TAU,
    )


def _drift_scores(model: _Model, found: _Posterior) -> tuple[float, ...]:
    """Return linear trends in standard deviations, at the mean hyperparameters.

    A drift inflates the noise that it is judged by, so that a suspicious one is judged by the noise without it.
    """
    rises, deviations = _trends(model, found)
    if np.max(np.abs(rises / deviations)) > _SUSPICIOUS:
        pairs = zip(model.series, rises, strict=True)
        steady = replace(model, series=tuple(run - rise * np.arange(len(run)) for run, rise in pairs))
        rises, deviations = _trends(model, _posterior(steady))
    return tuple((rises / deviations).tolist())


def _trends(model: _Model, found: _Posterior) -> tuple[Array, Array]:
    tau, ratio, sigma = np.exp(found.weight.sum(axis=1) @ found.nodes)
    return trends(model.series, tau, ratio, model.theory_k * sigma, model.width_ps, model.amplitude_k)


def _moments(weight: Array, mean: Array, variance: Array | float = 0.0) -> tuple[float, float]:
    """Return mean and standard deviation of a mixture."""
    centre = float((weight * mean).sum())
    return centre, math.sqrt((weight * (variance + (mean - centre) ** 2)).sum())


def _interval(found: _Posterior, mean: float, sd: float) -> tuple[float, float]:
    """Return the central interval of the mixture, by bisection."""
    kept = found.weight > _NEGLIGIBLE * found.weight.max()
    weight, centres, widths = found.weight[kept], found.mean[kept], np.sqrt(found.variance[kept])
    goal = np.array([(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]) * weight.sum()
    # Chebyshev: no more than 1 % of a distribution lies beyond ten standard deviations.
    low, high = np.full(2, mean - 10 * sd), np.full(2, mean + 10 * sd)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = ndtr((middle[:, None] - centres) / widths) @ weight > goal
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return float(middle[0]), float(middle[1])


def last_window(series: Sequence[Series], window_ps: float = 20.0) -> PaperStatistic:
    """Return mean and standard deviation of the temperature over the last part of each run.

    Statistic of Andolina and Saidi, Digital Discovery 3, 1421 (2024), which took 20 ps of 120 ps.

    :param series: unbinned temperatures of each run.
    :raises ValueError: without a series, or if the window is longer than a run or has fewer than two points.
    """
    if not series:
        raise ValueError("series: none given, at least one run is needed")
    parts = []
    for index, run in enumerate(series):
        points = round(window_ps / run.spacing_ps)
        if not 2 <= points <= len(run.time_ps):
            raise ValueError(
                f"window_ps: {window_ps:g} given, must be between {2 * run.spacing_ps:g} and {run.length_ps:g} ps, "
                f"two points and the length of run {index}"
            )
        parts.append(run.temperature_k[-points:])
    means = np.array([part.mean() for part in parts])
    deviations = np.array([part.std(ddof=1) for part in parts])
    return PaperStatistic(
        temperature_k=float(means.mean()),
        standard_deviation_k=float(deviations.mean()),
        standard_error_k=float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else math.nan,
        seed_temperatures_k=tuple(means.tolist()),
        seed_deviations_k=tuple(deviations.tolist()),
        window_ps=window_ps,
    )


def required_time(found: Estimate, n_seeds: int, current_length_ps: float, target_uncertainty_k: float) -> float:
    """Return how long each run should be in all, in ps, for the standard uncertainty to reach the target.

    The variance within runs falls as 1/t, that between them stays; not finite if the latter alone exceeds the
    target, see `required_seeds`.

    :param n_seeds: runs that there will be.
    :param current_length_ps: mean length of the runs behind the estimate.
    """
    between = found.between_seeds_k**2
    within = max(len(found.seed_temperatures_k) * found.standard_uncertainty_k**2 - between, 0.0)
    left = n_seeds * target_uncertainty_k**2 - between
    return current_length_ps * within / left if left > 0 else math.inf


def required_seeds(found: Estimate, target_uncertainty_k: float) -> int:
    """Return how many runs of the present length bring the standard uncertainty to the target."""
    return math.ceil(len(found.seed_temperatures_k) * (found.standard_uncertainty_k / target_uncertainty_k) ** 2)


def einstein_frequency(mean_square_force: float, mass_amu: float, temperature_k: float) -> float:
    """Return w_E in rad/ps, w_E^2 = <F^2>/(3 m k T).

    :param mean_square_force: square of the force on an atom, x, y and z together, averaged, in (eV/Angstrom)^2.
    """
    mass = mass_amu * EV_PER_AMU_A2_PER_PS2
    return math.sqrt(mean_square_force / (3 * mass * BOLTZMANN_EV_PER_K * temperature_k))


def timestep_correction(einstein_frequency_rad_per_ps: float, timestep_fs: float) -> float:
    """Return the factor from the full-step kinetic temperature of velocity Verlet to that of the ensemble.

    The integrator conserves a shadow Hamiltonian, to second order in the step h

        H + h^2 (p M^-1 U'' M^-1 p/12 - F M^-1 F/24),

    (Hairer, Lubich, Wanner, Geometric Numerical Integration, section IX.3) and its ensemble is that of this one. The
    mass that it gives to a mode of frequency w is smaller by 1 + (w h)^2/6, so that the kinetic temperature is low by
    1 - (w_E h)^2/6 where w_E^2 is the mean of w^2 over all modes. (For one mode sin(w' h)/(w' h), exactly, with w' its
    frequency in the run.) The shadow Hamiltonian also adds k T (w_E h)^2/8 to the free energy of an atom, nearly the
    same in both phases: this moves T_m by (k T_m/L) (w_l^2 - w_s^2) h^2/8, L the latent heat, w_l and w_s the w_E of
    liquid and solid; some per cent of the correction, and not corrected for.
    """
    return 1 / (1 - (einstein_frequency_rad_per_ps * timestep_fs / 1000) ** 2 / 6)
