"""Make a folder for a public repository of melting temperatures and all that they came from."""
