"""From results and diagnostics to what people and programs read. Nothing here computes a number."""
