"""Marks of melting points that are left out unless they are asked for."""

LEFT_OUT = ("superseded", "invalid", "replication", "demo")
"""A later one stands for it; it has no T_m; it repeats a published preparation; it is a demonstration."""
