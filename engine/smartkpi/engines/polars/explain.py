"""Show what Polars makes of a query: the logical plan, and the physical nodes that would fall back to memory."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

FALLBACKS = ("in-memory-map", "columnar-function", "in-memory-join")
_NODE = re.compile(r'^\s*\d+ \[label="([^"\\\n]+)', re.MULTILINE)


def physical_nodes(query: pl.LazyFrame) -> list[str]:
    """Return the names of the physical nodes of a query in the streaming engine, from source to result."""
    graph = query.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    return [name.strip() for name in reversed(_NODE.findall(graph or ""))]


def describe(queries: Iterable[tuple[str, pl.LazyFrame]]) -> str:
    """Return the text of all queries of a plan, each a pass over the rows."""
    parts: list[str] = []
    for title, query in queries:
        nodes = " -> ".join(physical_nodes(query))
        parts.append(f"scan {len(parts) + 1}: {title}\nphysical: {nodes}\n{query.explain()}")
    count = f"{len(parts)} scan{'' if len(parts) == 1 else 's'}"
    return "\n\n".join([count, *parts]) + "\n"
