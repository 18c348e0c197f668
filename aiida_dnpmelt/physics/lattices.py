"""Tell in which lattice the solid atoms of a frame are: fcc, bcc, hcp or diamond.

Averaged bond order (W. Lechner and C. Dellago, J. Chem. Phys. 129, 114707, 2008) tells the four apart also at the
melting temperature. In bulk crystals there (Cu, Fe, Mg and Si by classical potentials) 1 and 99 % of the atoms
are below: with 14 neighbours, w6 is 0.010 and 0.017 in bcc, below 0.008 elsewhere; with 12 neighbours, q4 is 0.27 and
0.40 in diamond, below 0.20 elsewhere, and w4 is -0.16 and -0.11 in fcc, 0.04 and 0.14 in hcp.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LATTICES = ("fcc", "bcc", "hcp", "diamond")

BCC_W6_ABOVE = 0.009
DIAMOND_Q4_ABOVE = 0.23
FCC_W4_BELOW = -0.04
LEAST_LATTICE_SHARE = 0.5
"""Least share of the solid atoms in the lattice that is claimed. In true coexistence of fcc Cu and Al, bcc Fe, hcp Mg
and diamond Si it is 0.83 to 0.97: the atoms at the interfaces are counted for any of the four (0.58 where 8 % of the
cell is all that is left of the solid), and planes of hcp in fcc, or of fcc in hcp, are faults that growth leaves."""
_TOLD = 0.005
"""Share of a lattice below which it is not named."""


def lattice_shares(lengths: ArrayLike, positions: ArrayLike, solid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the shares of the solid atoms that are in each of `LATTICES`, shape (4,); NaN if none is solid.

    Each solid atom counts for one of the four, also one of another crystal.

    :param lengths: lengths of the orthogonal, periodic box in Angstrom, shape (3,).
    :param positions: positions in Angstrom, shape (atoms, 3); they need not be wrapped.
    :param solid: whether each atom is solid, shape (atoms,), see `aiida_dnpmelt.physics.order.solid_atoms`.
    """
    if not solid.any():
        return np.full(len(LATTICES), np.nan)
    import freud  # loads matplotlib, which takes a second

    box = freud.box.Box(*np.asarray(lengths, dtype=float))
    points = box.wrap(np.asarray(positions, dtype=float))
    with freud.parallel.NumThreads(1):
        query = freud.locality.AABBQuery(box, points)
        pairs = {
            number: query.query(points, {"num_neighbors": number, "exclude_ii": True}).toNeighborList()
            for number in (12, 14)
        }

        def order(l: int, neighbours: int, third: bool) -> NDArray[np.float64]:  # noqa: E741
            steinhardt: Any = freud.order.Steinhardt(l, average=True, wl=third, wl_normalize=third)
            values = steinhardt.compute((box, points), neighbors=pairs[neighbours]).particle_order
            return np.asarray(values, dtype=float)[solid]

        bcc = order(6, 14, True) > BCC_W6_ABOVE
        diamond = ~bcc & (order(4, 12, False) > DIAMOND_Q4_ABOVE)
        fcc = ~bcc & ~diamond & (order(4, 12, True) < FCC_W4_BELOW)
    hcp = ~bcc & ~diamond & ~fcc
    return np.array([fcc.mean(), bcc.mean(), hcp.mean(), diamond.mean()])


def share_of(lattice: str | None, shares: NDArray[np.float64]) -> float | None:
    """Return the share of the solid atoms that are in a lattice; None if nobody looked, or it is none of `LATTICES`."""
    if lattice not in LATTICES or not np.isfinite(shares).all():
        return None
    return float(shares[LATTICES.index(lattice)])


def crystal_flaw(lattice: str | None, shares: NDArray[np.float64], least: float) -> str | None:
    """Return in words why a solid is not the crystal that it should be; None if it is, or if that is not known.

    :param lattice: the one that it should be in.
    :param shares: of the solid atoms in each of `LATTICES`, shape (4,).
    :param least: share of them that must be in the lattice.
    """
    own = share_of(lattice, shares)
    if own is None or own >= least:
        return None
    return f"the solid is {in_words(shares, lattice)} at the end, at least {least:.0%} of it must be {lattice}"


def in_words(shares: NDArray[np.float64], lattice: str | None = None) -> str:
    """Return shares in words, the largest first: ``97% bcc, 3% hcp``; a lattice that is named is told in any case."""
    ordered = sorted(zip(shares, LATTICES, strict=True), key=lambda each: -each[0])
    return ", ".join(f"{share:.0%} {name}" for share, name in ordered if share >= _TOLD or name == lattice)
