"""Node types and the table of the elements."""
