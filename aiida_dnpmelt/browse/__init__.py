"""Pages for a browser on this machine: melting temperatures and what they stand on. Nothing here stores anything."""
