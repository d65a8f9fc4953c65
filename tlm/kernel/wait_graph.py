"""Who waits for whom: a directed graph of names, and the circle or the chain that explains it."""

from __future__ import annotations


class WaitGraph:
    """Nodes are names of engines, completions, DMAs, buffers; an edge leads to what is awaited."""

    def __init__(self) -> None:
        self.edges: dict[str, dict[str, None]] = {}  # in order of insertion, without duplicates

    def wait(self, waiter: str, awaited: str) -> None:
        """Note that ``waiter`` cannot go on before ``awaited`` does."""
        self.edges.setdefault(waiter, {})[awaited] = None

    def circle(self) -> list[str]:
        """The first circle found, each name waiting for the next and the last for the first."""
        finished: set[str] = set()  # asked for membership alone
        for start in self.edges:
            path: dict[str, None] = {}
            stack = [(start, 0)]
            while stack:
                node, depth = stack.pop()
                while len(path) > depth:
                    finished.add(path.popitem()[0])
                if node in path:
                    names = list(path)
                    return names[names.index(node) :]
                if node not in finished:
                    path[node] = None
                    stack += [(there, depth + 1) for there in reversed(self.edges.get(node, {}))]
            finished.update(path)
        return []

    def chain(self, start: str) -> list[str]:
        """From ``start`` along first edges to a name that waits for nothing known."""
        path = {start: None}
        while following := self.edges.get(list(path)[-1]):
            there = next(iter(following))
            if there in path:
                break
            path[there] = None
        return list(path)

    def explain(self) -> str:
        """One line: the circle, or without one the chain from the first who waits."""
        circle = self.circle()
        if circle:
            return f"a circle of {len(circle)}: " + " -> ".join([*circle, circle[0]])
        if not self.edges:
            return "nobody waits"
        return "no circle; " + " -> ".join(self.chain(next(iter(self.edges))))
