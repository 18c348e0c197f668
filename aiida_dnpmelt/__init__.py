"""Melting temperatures with machine-learned potentials, and the provenance of every step."""

__version__ = "0.1.0"
