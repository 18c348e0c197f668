"""What to cite, for a result of this package."""

from __future__ import annotations

from aiida_dnpmelt import __version__

SOFTWARE = (
    f"aiida-dnpmelt {__version__}: melting temperatures with machine-learned potentials, and the provenance of every "
    "step. The aiida-dnpmelt developers."
)
METHOD = (
    "The method: C. M. Andolina and W. A. Saidi, Predicting melting temperatures across the periodic table with "
    "machine learning atomistic potentials, Digital Discovery 3, 1421-1429 (2024), doi:10.1039/D4DD00069B."
)
DEEPMD = (
    "DeePMD-kit: J. Zeng et al., DeePMD-kit v3: A Multiple-Backend Framework for Machine Learning Potentials, J. Chem. "
    "Theory Comput. 21, 4375-4385 (2025), doi:10.1021/acs.jctc.5c00340."
)
LAMMPS = (
    "LAMMPS: A. P. Thompson et al., LAMMPS - a flexible simulation tool for particle-based materials modeling at the "
    "atomic, meso, and continuum scales, Comput. Phys. Commun. 271, 108171 (2022), doi:10.1016/j.cpc.2021.108171."
)
AIIDA = (
    "AiiDA: S. P. Huber et al., AiiDA 1.0, a scalable computational infrastructure for automated reproducible "
    "workflows and data provenance, Sci. Data 7, 300 (2020), doi:10.1038/s41597-020-00638-4; M. Uhrin et al., "
    "Workflows in AiiDA: Engineering a high-throughput, event-based engine for robust and modular computational "
    "workflows, Comput. Mater. Sci. 187, 110086 (2021), doi:10.1016/j.commatsci.2020.110086."
)


def citations(with_deepmd: bool) -> list[str]:
    """Return what to cite, DeePMD-kit only where it had a part."""
    return [SOFTWARE, METHOD, *([DEEPMD] if with_deepmd else []), LAMMPS, AIIDA]
