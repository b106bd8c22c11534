"""The edges: the only rooms that print, exit or read the terminal."""
