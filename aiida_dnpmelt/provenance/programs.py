"""Where nodes say which version of a program or package had a part."""

VERSION_KEYS = {"lammps_version": "LAMMPS", "deepmd_version": "DeePMD-kit", "version": "VASP"}
"""Keys of the results of jobs, and the programs whose version they hold."""
PACKAGES = {"core": "aiida-core", "plugin": "aiida-dnpmelt"}
"""Keys of the attribute ``version`` of processes, and the packages whose version they hold."""
