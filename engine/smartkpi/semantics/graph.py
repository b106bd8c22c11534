"""The order in which definitions that refer to each other are checked, and their cycles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def in_order(graph: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return all names, each after those it refers to, and the cycles.

    ``graph`` maps a name to the names it refers to; names that it does not define are passed over. A cycle is the
    path `a, b, c` where a refers to b, b to c and c to a; each is found from its first name in the order of ``graph``.
    """
    order: list[str] = []
    cycles: list[tuple[str, ...]] = []
    done: set[str] = set()
    for root in graph:
        if root in done:
            continue
        path: dict[str, Iterator[str]] = {root: iter(graph[root])}
        while path:
            top = next(reversed(path))
            for name in path[top]:
                if name in path:
                    trail = list(path)
                    cycles.append(tuple(trail[trail.index(name) :]))
                elif name in graph and name not in done:
                    path[name] = iter(graph[name])
                    break
            else:
                del path[top]
                done.add(top)
                order.append(top)
    return tuple(order), tuple(cycles)
