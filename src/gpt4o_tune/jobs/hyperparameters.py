"""The settings of a training run, checked before anything is sent."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from gpt4o_tune.providers.profiles import OPENAI, Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune.catalog import Method

__all__ = ["Hyperparameters", "settings_of"]

Auto = Literal["auto"]
Effort = Literal["default", "low", "medium", "high"]

_COMMON = frozenset({"n_epochs", "batch_size", "learning_rate_multiplier"})
_METHODS: Mapping[Method, frozenset[str]] = {
    "supervised": _COMMON,
    "dpo": _COMMON | {"beta"},
    "reinforcement": _COMMON
    | {"compute_multiplier", "eval_interval", "eval_samples", "reasoning_effort"},
}
"""Which settings OpenAI's API knows for each method."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Range:
    """Numbers that a setting may take."""

    above: float
    most: float | None
    whole: bool

    def holds(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.above < value <= (float("inf") if self.most is None else self.most)

    def __str__(self) -> str:
        if not self.whole:
            top = "" if self.most is None else f" and at most {self.most:g}"
            return f"a number above {self.above:g}{top}"
        return "a whole number from 1" + ("" if self.most is None else f" to {self.most:g}")


_RANGES = {
    "n_epochs": _Range(0, 50, whole=True),
    "batch_size": _Range(0, 256, whole=True),
    "learning_rate_multiplier": _Range(0, None, whole=False),
    "beta": _Range(0, 2, whole=False),
    "compute_multiplier": _Range(0.00001, 10, whole=False),
    "eval_interval": _Range(0, None, whole=True),
    "eval_samples": _Range(0, None, whole=True),
}
_OURS = (*_RANGES, "reasoning_effort")
_LEFT_OPEN = ("auto", "default")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """How to train; `"auto"` leaves a value to the service and is not sent.

    Ranges are those of OpenAI's API description of 2026-08-21; a service may narrow them.

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
    compute_multiplier: float | Auto = "auto"
    """Factor on the exploration per example, above 0.00001 and at most 10; reinforcement only."""
    eval_interval: int | Auto = "auto"
    """Training steps between two evaluations, at least 1; reinforcement only."""
    eval_samples: int | Auto = "auto"
    """Answers sampled per validation row at an evaluation, at least 1; reinforcement only."""
    reasoning_effort: Effort = "default"
    """How long the model thinks before it answers; reinforcement only."""
    extra: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object], hash=False)
    """Settings that only this service knows, such as `lora_r`; sent as they are."""

    def __post_init__(self) -> None:
        for name, allowed in _RANGES.items():
            value: object = getattr(self, name)
            if value != "auto" and not allowed.holds(value):
                raise ValueError(f"{name} must be {allowed} or 'auto', not {value!r}")
        if self.reasoning_effort not in get_args(Effort):
            efforts = ", ".join(map(repr, get_args(Effort)))
            raise ValueError(
                f"reasoning_effort must be one of {efforts}, not {self.reasoning_effort!r}"
            )
        if doubled := sorted(self.extra.keys() & set(_OURS)):
            raise ValueError(f"{doubled[0]} has a field of its own; take it out of extra")

    @classmethod
    def of(
        cls, values: Mapping[str, object] | Hyperparameters | None, *, profile: Profile = OPENAI
    ) -> Hyperparameters:
        """Accept a mapping as the API takes it, with the names that the profile's service knows.

        Raises:
            ValueError: A name is unknown or a value lies outside its range.
        """
        if isinstance(values, Hyperparameters):
            return values
        # __post_init__ checks what the mapping holds.
        given = cast("dict[str, Any]", dict(values or {}))
        _refuse_unknown(given, known={*_OURS, *(profile.hyperparameters or ())})
        extra = {name: given.pop(name) for name in sorted(given.keys() - set(_OURS))}
        return cls(**given, extra=extra)

    def request(self, method: Method, *, profile: Profile = OPENAI) -> dict[str, object]:
        """Return what the create request carries: everything that is not left to the service.

        Raises:
            ValueError: The method, or the service, has no such setting or a narrower range.
        """
        settings: dict[str, object] = {name: getattr(self, name) for name in _OURS}
        chosen = {name: value for name, value in settings.items() if value not in _LEFT_OPEN}
        if profile.hyperparameters is None:
            _refuse_other_methods(chosen, method)
        chosen |= self.extra
        _refuse_unknown(chosen, known=profile.hyperparameters or _METHODS[method])
        if self.n_epochs != "auto" and self.n_epochs > profile.max_epochs:
            raise ValueError(
                f"n_epochs must be a whole number from 1 to {profile.max_epochs} at "
                f"{profile.name}, not {self.n_epochs!r}"
            )
        return chosen


def settings_of(job: FineTuningJob) -> dict[str, object]:
    """Return the hyperparameters that a job reports, wherever it carries them.

    What the service left open reads `"auto"`, for which Azure writes -1.
    """
    raw = job.to_dict()
    method = cast("Mapping[str, object]", raw.get("method") or {})
    inner = cast("Mapping[str, object]", method.get(str(method.get("type"))) or {})
    settings: dict[str, object] = {}
    # The top level comes last: services write there what they have settled on.
    for place in (inner, raw):
        reported = cast("Mapping[str, object]", place.get("hyperparameters") or {})
        settings |= {name: value for name, value in reported.items() if value is not None}
    return {name: "auto" if value in (-1, "-1") else value for name, value in settings.items()}


def _refuse_unknown(given: Iterable[str], *, known: Set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(
            f"unknown hyperparameter {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )


def _refuse_other_methods(chosen: Iterable[str], method: Method) -> None:
    for name in chosen:
        homes = [home for home, names in _METHODS.items() if name in names]
        if method not in homes:
            raise ValueError(
                f"{name} belongs to method {' or '.join(map(repr, homes))}, not to {method!r}; "
                "leave it out"
            )
