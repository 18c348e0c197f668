"""Campaigns: melting temperatures of many elements, pressures and potentials from one file.

On top of the work chains, as the command line is: nothing but that imports this package.
"""
