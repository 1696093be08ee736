"""How the variables of a loaded function reach its result: which feeds what, and after
which others.

A SavedModel's function calls other functions, reads its variables through them, and
joins those that were saved in parts. `weight_flow` looks through all of that. It reads
the graph and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import tensorflow as tf

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# Their result is their first input.
PASSES = {"Identity", "ReadVariableOp", "StopGradient", "PreventGradient"}
# Their result says nothing of their input's values.
SHAPES = {"Shape", "ShapeN", "Size", "Rank"}
# An export of the native layer runs further chunks of a large batch in a loop; what the
# network is shows in the first chunk, which is outside of it.
LOOPS = {"While", "StatelessWhile"}


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A weight of the network: one variable, or several that the graph joins.

    Attributes:
        parts: the variables, in the order in which they are joined.
        sharded: whether they are rows taken by turns (id modulo their number) rather
            than one block after the other.
        upstream: the weights that the values it meets have gone through, as numbers in
            the list that holds this one.
    """

    parts: tuple[tf.Variable, ...]
    sharded: bool
    upstream: frozenset[int]

    @property
    def name(self) -> str:
        """The first variable's name, and how many there are."""
        more = f" (+{len(self.parts) - 1} parts)" if len(self.parts) > 1 else ""
        return self.parts[0].name + more

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the joined weight."""
        rows = sum(int(part.shape[0]) for part in self.parts)
        return (rows, *map(int, self.parts[0].shape[1:]))


class UnknownGraph(ValueError):
    """The graph has a form that cannot be read; the message names what."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scope:
    """The body of the function, or of a function that it calls."""

    nodes: dict
    arguments: dict[str, tuple[_Scope, str]]
    returns: dict[str, str]
    outputs: list[str]
    called: dict[str, _Scope] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Vertex:
    """A node of some scope; ``index`` is the output that was asked for."""

    scope: _Scope
    name: str
    index: int

    @property
    def op(self) -> str:
        return self.scope.nodes[self.name].op

    @property
    def key(self) -> tuple[int, str]:
        return id(self.scope), self.name


def weight_flow(function, variables: Iterable[tf.Variable]) -> list[Weight]:
    """The weights that reach the function's result, parts joined.

    Args:
        function: a concrete function from strings to vectors.
        variables: those that may be among its weights.

    Returns:
        The weights.

    Raises:
        UnknownGraph: parts are joined in a way that is not known.
    """
    return _Flow(function, variables).weights()


class _Flow:
    def __init__(self, function, variables: Iterable[tf.Variable]):
        graph = function.graph.as_graph_def()
        self._functions = {f.signature.name: f for f in graph.library.function}
        nodes = {node.name: node for node in graph.node}
        self._top = _Scope(nodes, {}, {}, [])
        self._results = [tensor.name for tensor in tf.nest.flatten(function.outputs)]
        by_handle = {id(variable.handle): variable for variable in variables}
        captured = len(function.captured_inputs)
        inner = function.inputs[len(function.inputs) - captured :]
        self._variables = {
            tensor.op.name: by_handle[id(outer)]
            for tensor, outer in zip(inner, function.captured_inputs, strict=True)
            if id(outer) in by_handle
        }
        self._texts = {
            tensor.op.name for tensor in function.inputs if tensor.dtype == tf.string
        }
        self._upstream: dict[tuple[int, str], frozenset[str]] = {}
        self._dynamic: dict[tuple[int, str], bool] = {}
        self._vertices: dict[tuple[int, str], _Vertex] = {}

    def weights(self) -> list[Weight]:
        self._visit([self._resolve(self._top, name) for name in self._results])
        groups: dict[tuple[str, ...], bool] = {}
        met: dict[tuple[str, ...], set[str]] = {}
        shards: dict[tuple[int, str], dict[int, str]] = {}
        for vertex in self._vertices.values():
            if not self._dynamic[vertex.key]:
                continue
            sources = self._sources(vertex)
            static = [s for s in sources if not self._dynamic[s.key]]
            through = frozenset().union(
                *(self._upstream[s.key] for s in sources if self._dynamic[s.key]),
                frozenset(),
            )
            for source in static:
                if not self._upstream[source.key]:
                    continue
                shard = self._shard(vertex)
                if shard is not None:
                    partition, index = shard
                    (name,) = self._parts(source)
                    shards.setdefault(partition, {})[index] = name
                    continue
                group = self._parts(source)
                groups.setdefault(group, False)
                met.setdefault(group, set()).update(through)
        for indexed in shards.values():
            group = tuple(indexed[index] for index in sorted(indexed))
            groups[group] = True
            met[group] = set()
        number = {name: place for place, group in enumerate(groups) for name in group}
        return [
            Weight(
                parts=tuple(self._variables[name] for name in group),
                sharded=sharded,
                upstream=frozenset(number[name] for name in met[group])
                - {number[group[0]]},
            )
            for group, sharded in groups.items()
        ]

    def _parts(self, source: _Vertex) -> tuple[str, ...]:
        """The variables of a static expression, in the order in which it joins them."""
        names = self._upstream[source.key]
        if len(names) == 1:
            return tuple(names)
        inputs = self._sources(source)
        if source.op == "ConcatV2":
            parts = [self._upstream[s.key] for s in inputs[:-1]]
            if all(len(part) == 1 for part in parts):
                return tuple(name for part in parts for name in part)
        elif sum(bool(self._upstream[s.key]) for s in inputs) == 1:
            (inner,) = (s for s in inputs if self._upstream[s.key])
            return self._parts(inner)
        raise UnknownGraph(f"variables are joined by {source.op} ({source.name})")

    def _shard(self, vertex: _Vertex) -> tuple[tuple[int, str], int] | None:
        """For a look-up in one shard of a table: its partition of ids, and which."""
        if vertex.op not in ("ResourceGather", "GatherV2"):
            return None
        indices = self._sources(vertex)[1]
        while indices.op in ("Reshape", "Cast"):
            indices = self._sources(indices)[0]
        if indices.op != "DynamicPartition":
            return None
        return indices.key, indices.index

    def _visit(self, results: list[_Vertex]) -> None:
        """Fills in, for every vertex below the results, what it depends on."""
        stack = list(results)
        while stack:
            vertex = stack[-1]
            if vertex.key in self._upstream:
                stack.pop()
                continue
            sources = self._sources(vertex)
            waiting = [s for s in sources if s.key not in self._upstream]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            self._vertices[vertex.key] = vertex
            top = vertex.scope is self._top
            own = {vertex.name} & set(self._variables) if top else set()
            self._upstream[vertex.key] = frozenset(own).union(
                *(self._upstream[s.key] for s in sources)
            )
            self._dynamic[vertex.key] = (top and vertex.name in self._texts) or any(
                self._dynamic[s.key] for s in sources
            )

    def _sources(self, vertex: _Vertex) -> list[_Vertex]:
        node = vertex.scope.nodes[vertex.name]
        if node.op in SHAPES | LOOPS:
            return []
        return [
            self._resolve(vertex.scope, reference)
            for reference in node.input
            if not reference.startswith("^")
        ]

    def _resolve(self, scope: _Scope, reference: str) -> _Vertex:
        """The vertex behind a reference, through calls, arguments and identities."""
        while True:
            name, *rest = reference.split(":")
            index = int(rest[-1]) if rest else 0
            if name in scope.arguments:
                scope, reference = scope.arguments[name]
                continue
            node = scope.nodes[name]
            if node.op in CALLS:
                inner = self._enter(scope, node)
                scope, reference = inner, inner.returns[inner.outputs[index]]
            elif node.op in PASSES:
                reference = node.input[0]
            elif node.op == "IdentityN":
                reference = node.input[index]
            else:
                return _Vertex(scope, name, index)

    def _enter(self, scope: _Scope, node) -> _Scope:
        if node.name not in scope.called:
            function = self._functions[node.attr["f"].func.name]
            given = [r for r in node.input if not r.startswith("^")]
            scope.called[node.name] = _Scope(
                nodes={inner.name: inner for inner in function.node_def},
                arguments={
                    argument.name: (scope, reference)
                    for argument, reference in zip(
                        function.signature.input_arg, given, strict=True
                    )
                },
                returns=dict(function.ret),
                outputs=[output.name for output in function.signature.output_arg],
            )
        return scope.called[node.name]
