"""Adam on one flat vector of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]

BETA1 = 0.9
BETA2 = 0.99
EPSILON = 1e-8
LONGEST_GRADIENT = 1.0
"""A longer gradient (Euclidean norm) is scaled down to this."""


@dataclass(slots=True)
class Adam:
    """Weights and the moving averages of their gradients; Kingma and Ba, arXiv:1412.6980."""

    weights: Vector
    mean: Vector
    square: Vector
    steps: int = 0

    @classmethod
    def start(cls, weights: Vector) -> Adam:
        """Begin from given weights."""
        return cls(weights=weights, mean=np.zeros_like(weights), square=np.zeros_like(weights))

    def step(self, gradient: Vector, *, learning_rate: float) -> None:
        """Move the weights in place; the gradient vector is used up."""
        self.steps += 1
        length = math.sqrt(float(gradient @ gradient))
        if length > LONGEST_GRADIENT:
            gradient *= LONGEST_GRADIENT / length
        self.mean *= BETA1
        self.mean += (1 - BETA1) * gradient
        np.square(gradient, out=gradient)
        self.square *= BETA2
        self.square += (1 - BETA2) * gradient
        np.divide(self.square, 1 - BETA2**self.steps, out=gradient)
        np.sqrt(gradient, out=gradient)
        gradient += EPSILON
        np.divide(self.mean, gradient, out=gradient)
        gradient *= learning_rate / (1 - BETA1**self.steps)
        self.weights -= gradient
