"""The network: a small causal transformer over tokens, told by a bag what the question is about.

Forward and backward pass are written by hand in numpy: every piece gives its output together with a
function that takes the gradient of that output, adds the gradients of the piece's weights, and
gives the gradient of its input. Shapes are named B (windows), T (tokens of a window), N (targets),
H (heads), W (width), F (bag slots) and V (vocabulary). The float type is that of the weights;
scalars that meet arrays are Python floats, because a numpy scalar of type float64 would promote
float32 arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpt4o_tune.local.engines.tiny.windows import Batch

Array: TypeAlias = NDArray[np.floating]
Backward: TypeAlias = Callable[[Array], Array]
KeysValues: TypeAlias = tuple[Array, Array]
"""Keys and values of one layer, (B, H, T, W/H) each."""

_EPSILON = 1e-6
_INITIAL_SCALE = {"token": 0.3, "bag": 0.02}
"""A bag that begins near zero learnt to classify unseen phrasings better than one at 0.3 or 1."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network."""

    vocabulary: int
    slots: int
    width: int = 96
    layers: int = 2
    heads: int = 4

    def weights(self) -> dict[str, tuple[int, int]]:
        """Name the weight matrices and give their shapes."""
        width = self.width
        shapes = {"token": (self.vocabulary, width), "bag": (self.slots, width)}
        for layer in range(self.layers):
            shapes[f"qkv.{layer}"] = (width, 3 * width)
            shapes[f"mix.{layer}"] = (width, width)
            shapes[f"up.{layer}"] = (width, 4 * width)
            shapes[f"down.{layer}"] = (4 * width, width)
        return shapes | {"gate": (width, width), "output": (width, self.vocabulary)}

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(rows * columns for rows, columns in self.weights().values())


def initial_weights(shape: Shape, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the flat vector of weights: small embeddings, matrices that keep their input's scale."""
    vector = rng.standard_normal(shape.parameters, dtype=np.float32)
    for name, matrix in named(shape, vector).items():
        kind = name.partition(".")[0]
        scale = _INITIAL_SCALE[kind] if kind in _INITIAL_SCALE else len(matrix) ** -0.5
        matrix *= scale / math.sqrt(2 * shape.layers) if kind in ("mix", "down") else scale
    return vector


def named(shape: Shape, vector: Array) -> dict[str, Array]:
    """View a flat vector as the weight matrices of a network."""
    matrices: dict[str, Array] = {}
    start = 0
    for name, (rows, columns) in shape.weights().items():
        matrices[name] = vector[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
    return matrices


@dataclass(frozen=True, slots=True)
class Loss:
    """Sums over the targets of a batch."""

    total: float = 0.0
    """Cross entropy in nats."""
    correct: int = 0
    targets: int = 0

    def __add__(self, other: Loss) -> Loss:
        return Loss(
            self.total + other.total, self.correct + other.correct, self.targets + other.targets
        )


@dataclass(slots=True)
class Network:
    """A network with its weights and, for training, the gradients that `train` adds up."""

    shape: Shape
    weights: Mapping[str, Array]
    gradient: Mapping[str, Array] = field(default_factory=dict[str, Array])

    def evaluate(self, batch: Batch) -> Loss:
        """Measure the loss of a batch."""
        return _cross_entropy(self._scores(batch, _keep)[0], batch.targets)[0]

    def train(self, batch: Batch, *, dropout: float, rng: np.random.Generator) -> Loss:
        """Measure the loss of a batch, with dropout, and add its gradient (of the sum)."""
        logits, backward = self._scores(batch, _dropout(dropout, rng))
        loss, grad_logits = _cross_entropy(logits, batch.targets)
        backward(grad_logits)
        return loss

    def likelihoods(self, batch: Batch) -> tuple[Array, Callable[[Array], None]]:
        """Give the log-probability of each target (N,), and what learns from weights of them.

        The function takes a weight for each target (N,) and adds the gradient of the weighted sum of
        negative log-probabilities: it draws the model to targets of positive weight, and away from
        those of negative weight.
        """
        logits, backward = self._scores(batch, _keep)
        each = np.arange(len(batch.targets))
        shares = _softmax(logits.copy())
        found = np.log(np.maximum(shares[each, batch.targets], 1e-30))

        def learn(weights: Array) -> None:
            shares[each, batch.targets] -= 1
            backward(shares * weights[:, None])

        return found, learn

    def extend(self, tokens: NDArray[np.int32], bag: Array, past: list[KeysValues]) -> Array:
        """Read further tokens (B, T) and give logits (B, V) for the one after the last.

        `past` holds the keys and values of the tokens before, one entry a layer or none at all,
        and is brought up to date.
        """
        hidden, _ = self._hidden(tokens, bag, _keep, past)
        return self._output(hidden[:, -1])[0]

    def _scores(
        self, batch: Batch, drop: Callable[[Array], tuple[Array, Backward]]
    ) -> tuple[Array, Callable[[Array], None]]:
        """Give the logits (N, V) of a batch's targets, and what takes their gradient."""
        hidden, hidden_back = self._hidden(batch.tokens, batch.bag, drop)
        picked, picked_back = drop(hidden[batch.rows, batch.places])
        logits, logits_back = self._output(picked)

        def backward(grad_logits: Array) -> None:
            grad = np.zeros_like(hidden)
            grad[batch.rows, batch.places] = picked_back(logits_back(grad_logits))
            hidden_back(grad)

        return logits, backward

    def _hidden(
        self,
        tokens: NDArray[np.int32],
        bag: Array,
        drop: Callable[[Array], tuple[Array, Backward]],
        past: list[KeysValues] | None = None,
    ) -> tuple[Array, Backward]:
        topic, topic_back = self._linear(bag, "bag")
        x, drop_back = drop(self.weights["token"][tokens] + topic[:, None])
        backs: list[Backward] = []
        for layer in range(self.shape.layers):
            for piece in (self._attention, self._feed_forward):
                y, piece_back = piece(x, layer, past)
                y, dropped_back = drop(y)
                x = x + y
                backs += [dropped_back, piece_back]

        remark, remark_back = self._remark(x, topic)

        def backward(grad: Array) -> Array:
            grad_state, grad_topic = remark_back(grad)
            grad = grad + grad_state
            while backs:
                piece_back, dropped_back = backs.pop(), backs.pop()
                grad = grad + piece_back(dropped_back(grad))
            grad = drop_back(grad)
            topic_back(grad_topic + grad.sum(axis=1))
            _add_rows(self.gradient["token"], tokens, grad)
            return grad

        return x + remark, backward

    def _remark(
        self, x: Array, topic: Array
    ) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        """Let each token's state choose what of the topic (B, W) goes straight to the output.

        The way through the blocks alone learns to classify unseen phrasings less well; a way past
        them without a gate lets a strong topic break into the middle of a fixed format.
        """
        normal, normal_back = _normalize(x)
        openness, openness_back = self._linear(normal, "gate")
        gate = 1 / (1 + np.exp(-openness))

        def backward(grad: Array) -> tuple[Array, Array]:
            grad_gate = grad * topic[:, None] * gate * (1 - gate)
            return normal_back(openness_back(grad_gate)), (grad * gate).sum(axis=1)

        return gate * topic[:, None], backward

    def _attention(
        self, x: Array, layer: int, past: list[KeysValues] | None
    ) -> tuple[Array, Backward]:
        """Causal attention with a penalty linear in distance (ALiBi) in place of positions."""
        windows, length, width = x.shape
        heads = self.shape.heads
        normal, normal_back = _normalize(x)
        qkv, qkv_back = self._linear(normal, f"qkv.{layer}")
        q, k, v = qkv.reshape(windows, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        if past is not None:
            if layer < len(past):
                k = np.concatenate([past[layer][0], k], axis=2)
                v = np.concatenate([past[layer][1], v], axis=2)
                past[layer] = (k, v)
            else:
                past.append((k, v))
        scale = 1 / math.sqrt(width // heads)
        scores = (q * scale) @ k.swapaxes(-1, -2)
        scores += _distance_penalty(heads, length, k.shape[2])
        shares = _softmax(scores)
        mixed = (shares @ v).transpose(0, 2, 1, 3).reshape(windows, length, width)
        output, output_back = self._linear(mixed, f"mix.{layer}")

        def backward(grad: Array) -> Array:
            g = output_back(grad).reshape(windows, length, heads, -1).transpose(0, 2, 1, 3)
            grad_shares = g @ v.swapaxes(-1, -2)
            grad_scores = shares * (
                grad_shares - np.sum(grad_shares * shares, axis=-1, keepdims=True)
            )
            grad_scores *= scale
            parts = (grad_scores @ k, grad_scores.swapaxes(-1, -2) @ q, shares.swapaxes(-1, -2) @ g)
            joined = np.stack(parts).transpose(1, 3, 0, 2, 4).reshape(windows, length, 3 * width)
            return normal_back(qkv_back(joined))

        return output, backward

    def _feed_forward(self, x: Array, layer: int, past: object) -> tuple[Array, Backward]:
        normal, normal_back = _normalize(x)
        up, up_back = self._linear(normal, f"up.{layer}")
        active = np.maximum(up, 0)
        down, down_back = self._linear(active, f"down.{layer}")
        return down, lambda grad: normal_back(up_back(down_back(grad) * (up > 0)))

    def _output(self, x: Array) -> tuple[Array, Backward]:
        normal, normal_back = _normalize(x)
        logits, logits_back = self._linear(normal, "output")
        return logits, lambda grad: normal_back(logits_back(grad))

    def _linear(self, x: Array, name: str) -> tuple[Array, Backward]:
        matrix = self.weights[name]

        def backward(grad: Array) -> Array:
            flat = x.reshape(-1, x.shape[-1])
            self.gradient[name][...] += flat.T @ grad.reshape(-1, grad.shape[-1])
            return grad @ matrix.T

        return x @ matrix, backward


def _keep(x: Array) -> tuple[Array, Backward]:
    return x, lambda grad: grad


def _dropout(rate: float, rng: np.random.Generator) -> Callable[[Array], tuple[Array, Backward]]:
    def drop(x: Array) -> tuple[Array, Backward]:
        kept = (rng.random(x.shape, dtype=np.float32) >= rate) * np.float32(1 / (1 - rate))
        return x * kept, lambda grad: grad * kept

    return drop if rate > 0 else _keep


def _normalize(x: Array) -> tuple[Array, Backward]:
    """Scale to root mean square 1 along the last axis."""
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + _EPSILON)
    y = x * scale
    return y, lambda grad: scale * (grad - y * np.mean(grad * y, axis=-1, keepdims=True))


def _distance_penalty(heads: int, queries: int, keys: int) -> NDArray[np.float32]:
    """Give (H, queries, keys): minus slope times distance, and minus infinity for the future."""
    distance = np.arange(keys - queries, keys)[:, None] - np.arange(keys)
    slopes = 2.0 ** (-8 / heads * np.arange(1, heads + 1))
    penalty = np.where(distance < 0, -np.inf, -slopes[:, None, None] * distance)
    return penalty.astype(np.float32)


def _softmax(scores: Array) -> Array:
    """Softmax along the last axis, in place."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def _cross_entropy(logits: Array, targets: NDArray[np.int32]) -> tuple[Loss, Array]:
    """Give the summed loss of (N, V) logits and its gradient."""
    each = np.arange(len(targets))
    correct = int(np.sum(logits.argmax(axis=-1) == targets))
    shares = _softmax(logits.copy())
    total = float(-np.log(np.maximum(shares[each, targets], 1e-30)).sum(dtype=np.float64))
    shares[each, targets] -= 1
    return Loss(total=total, correct=correct, targets=len(targets)), shares


def _add_rows(table: Array, tokens: NDArray[np.int32], grad: Array) -> None:
    """Add gradients (B, T, W) to the rows of a table; much faster than `np.add.at`."""
    flat = tokens.ravel()
    order = np.argsort(flat, kind="stable")
    rows, starts = np.unique(flat[order], return_index=True)
    table[rows] += np.add.reduceat(grad.reshape(len(flat), -1)[order], starts)
