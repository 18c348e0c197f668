"""The command, for `python -m aiida_dnpmelt`."""

from aiida_dnpmelt.cli import main

main()
