"""The settings of a training run, checked before anything is sent."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.catalog import Method

__all__ = ["Hyperparameters"]

Auto = Literal["auto"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """How to train; `"auto"` leaves a value to the service.

    Ranges are those of OpenAI's API description of 2026-08-21.

    Raises:
        ValueError: A value lies outside its range.
    """

    n_epochs: int | Auto = "auto"
    """Passes over the training file, 1 to 50."""
    batch_size: int | Auto = "auto"
    """Examples per step, 1 to 256."""
    learning_rate_multiplier: float | Auto = "auto"
    """Factor on the service's own learning rate, above 0."""
    beta: float | Auto = "auto"
    """Weight of staying close to the base model, above 0 and at most 2; preference training only."""

    def __post_init__(self) -> None:
        _whole(self, "n_epochs", 50)
        _whole(self, "batch_size", 256)
        _positive(self, "learning_rate_multiplier", None)
        _positive(self, "beta", 2.0)

    @classmethod
    def of(cls, values: Mapping[str, object] | Hyperparameters | None) -> Self:
        """Accept a mapping as the API takes it.

        Raises:
            ValueError: A name is unknown or a value lies outside its range.
        """
        if isinstance(values, Hyperparameters):
            return cls(**dataclasses.asdict(values))
        given = dict(values or {})
        names = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError(f"unknown hyperparameter {unknown[0]!r}; known are {', '.join(names)}")
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks what the mapping holds

    def request(self, method: Method) -> dict[str, int | float]:
        """Return what the create request carries: everything that is not left to the service.

        Raises:
            ValueError: `beta` was set for a method that has none.
        """
        if self.beta != "auto" and method != "dpo":
            raise ValueError(f"beta belongs to method 'dpo', not to {method!r}; leave it out")
        return {name: value for name, value in dataclasses.asdict(self).items() if value != "auto"}


def _whole(settings: Hyperparameters, name: str, highest: int) -> None:
    value: object = getattr(settings, name)
    if value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise ValueError(
            f"{name} must be a whole number from 1 to {highest} or 'auto', not {value!r}"
        )


def _positive(settings: Hyperparameters, name: str, highest: float | None) -> None:
    value: object = getattr(settings, name)
    if value == "auto":
        return
    limit = "above 0" if highest is None else f"above 0 and at most {highest:g}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= (highest or float("inf")):  # type: ignore[operator]  # a number by now
        raise ValueError(f"{name} must be a number {limit} or 'auto', not {value!r}")
