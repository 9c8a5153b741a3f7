"""Where items stand in a picture: in layers from left to right by distance, ordered so that few lines cross. Pure.

After Sugiyama: lines over several layers get a bend in each, layers are ordered by the barycentres of their neighbours,
and heights are the nearest to what the neighbours wish for that keeps everything apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

_SWEEPS: Final = 12
_GAP: Final = 16.0
_BEND: Final = 14.0

Node = tuple[str, ...]
"""`(item,)`, or a bend: `(from, to, number of the line, layer)` as texts."""


@dataclass(slots=True)
class Layout:
    """Places of items as layer and middle height in pixels, and of each line's bends as the same, in its order."""

    places: dict[str, tuple[int, float]]
    bends: list[list[tuple[int, float]]]
    height: float


@dataclass(slots=True)
class _Net:
    layers: dict[int, list[Node]]
    left: dict[Node, list[Node]] = field(default_factory=dict)
    right: dict[Node, list[Node]] = field(default_factory=dict)


def lay_out(layers: Mapping[str, int], lines: Sequence[tuple[str, str]], tall: float) -> Layout:
    """Items by layer, and lines between them; every item is `tall` pixels high. The order given decides ties."""
    net = _Net({})
    for item, layer in layers.items():
        net.layers.setdefault(layer, []).append((item,))
    chains = [_chain(net, layers, number, line) for number, line in enumerate(lines)]
    _order(net)
    heights = _heights(net, lambda node: tall if len(node) == 1 else _BEND, dict(_layer_of(net)))
    top = min((heights[node] - tall / 2 for node in heights), default=0.0)
    bottom = max((heights[node] + tall / 2 for node in heights), default=0.0)
    layer_of = dict(_layer_of(net))

    def place(node: Node) -> tuple[int, float]:
        return layer_of[node], round(heights[node] - top, 1)

    return Layout(
        places={item: place((item,)) for item in layers},
        bends=[[place(node) for node in chain] for chain in chains],
        height=round(bottom - top, 1),
    )


def _layer_of(net: _Net) -> list[tuple[Node, int]]:
    return [(node, layer) for layer, nodes in net.layers.items() for node in nodes]


def _chain(net: _Net, layers: Mapping[str, int], number: int, line: tuple[str, str]) -> list[Node]:
    """The line's bends, made and tied to their neighbours; in the direction of the line."""
    first, last = line
    if layers[first] == layers[last]:
        return []
    leftmost, rightmost = (first, last) if layers[first] < layers[last] else (last, first)
    bends: list[Node] = []
    for layer in range(layers[leftmost] + 1, layers[rightmost]):
        bend = (first, last, str(number), str(layer))
        net.layers.setdefault(layer, []).append(bend)
        bends.append(bend)
    for a, b in pairwise([(leftmost,), *bends, (rightmost,)]):
        net.right.setdefault(a, []).append(b)
        net.left.setdefault(b, []).append(a)
    return bends if leftmost == first else bends[::-1]


def _order(net: _Net) -> None:
    """Sweeps to and fro; the order with the fewest crossings is kept."""
    numbers = sorted(net.layers)
    best, fewest = {layer: list(nodes) for layer, nodes in net.layers.items()}, _crossings(net, numbers)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        forwards = sweep % 2 == 0
        beside = net.left if forwards else net.right
        for layer in numbers if forwards else reversed(numbers):
            neighbour = layer - 1 if forwards else layer + 1
            rank = {node: index for index, node in enumerate(net.layers.get(neighbour, []))}
            stands = {node: float(index) for index, node in enumerate(net.layers[layer])}
            for node in stands:
                ranks = [rank[other] for other in beside.get(node, ())]
                if ranks:
                    stands[node] = sum(ranks) / len(ranks)
            net.layers[layer].sort(key=stands.__getitem__)
        crossings = _crossings(net, numbers)
        if crossings < fewest:
            best, fewest = {layer: list(nodes) for layer, nodes in net.layers.items()}, crossings
    net.layers = best


def _crossings(net: _Net, numbers: Sequence[int]) -> int:
    found = 0
    for layer in numbers:
        rank = {node: index for index, node in enumerate(net.layers.get(layer + 1, []))}
        ends = [rank[b] for a in net.layers[layer] for b in sorted(net.right.get(a, ()), key=rank.__getitem__)]
        seen = [0] * len(rank)
        for end in ends:
            found += sum(seen[end + 1 :])
            seen[end] += 1
    return found


def _heights(net: _Net, tall: Callable[[Node], float], layer_of: Mapping[Node, int]) -> dict[Node, float]:
    heights: dict[Node, float] = {}
    for nodes in net.layers.values():
        below = 0.0
        for node in nodes:
            heights[node] = below + tall(node) / 2
            below += tall(node) + _GAP
        for node in nodes:
            heights[node] -= below / 2
    numbers = sorted(net.layers)
    for sweep in range(_SWEEPS):
        for layer in numbers if sweep % 2 == 0 else reversed(numbers):
            nodes = net.layers[layer]
            wishes = []
            for node in nodes:
                beside = [*net.left.get(node, ()), *net.right.get(node, ())]
                wishes.append(sum(heights[one] for one in beside) / len(beside) if beside else heights[node])
            heights.update(zip(nodes, _apart(wishes, [tall(node) for node in nodes]), strict=True))
    return heights


def _apart(wishes: Sequence[float], tall: Sequence[float]) -> list[float]:
    """The heights nearest to the wishes (least squares) that keep the order and a gap: isotonic regression."""
    offsets = [0.0]
    for above, below in pairwise(tall):
        offsets.append(offsets[-1] + (above + below) / 2 + _GAP)
    pools: list[tuple[float, int]] = []  # sum of wishes, how many
    for wish, offset in zip(wishes, offsets, strict=True):
        pools.append((wish - offset, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = (pools[-1][0] + total, pools[-1][1] + count)
    levelled = [total / count for total, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levelled, offsets, strict=True)]
