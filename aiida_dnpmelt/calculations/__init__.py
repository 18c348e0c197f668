"""Jobs that talk to a code, and the calculation functions that derive numbers."""
