"""Parsers: they turn the files that a job left into nodes and exit codes."""
