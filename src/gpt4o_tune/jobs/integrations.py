"""Where a service reports a run to while it trains: Weights & Biases."""

from __future__ import annotations

import dataclasses

__all__ = ["WandbIntegration"]

MOST_TAGS, LONGEST_TAG = 50, 64
"""Of one run; the limits of OpenAI's API description of 2026-08-21."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WandbIntegration:
    """Let the service itself log the run to Weights & Biases.

    The key of Weights & Biases is no argument: an administrator registers it with the service. The run
    gets the id of the job.

    Raises:
        ValueError: The project is blank, or there are too many or too long tags.
    """

    project: str
    """The project that the run appears in."""
    name: str | None = None
    """Display name of the run; the job's id where none is given."""
    entity: str | None = None
    """Team or user; the key's own where none is given."""
    tags: tuple[str, ...] = ()
    """Tags of the run, besides those that the service adds."""

    def __post_init__(self) -> None:
        if not self.project.strip():
            raise ValueError("a Weights & Biases integration needs the name of a project")
        if len(self.tags) > MOST_TAGS:
            raise ValueError(f"at most {MOST_TAGS} tags can be given, not {len(self.tags)}")
        for tag in self.tags:
            if not 1 <= len(tag) <= LONGEST_TAG:
                raise ValueError(
                    f"tag {tag!r} has {len(tag)} characters; 1 to {LONGEST_TAG} are taken"
                )

    def request(self) -> dict[str, object]:
        """Return the entry of the create request's `integrations`."""
        settings = {
            "project": self.project,
            "name": self.name,
            "entity": self.entity,
            "tags": list(self.tags),
        }
        return {
            "type": "wandb",
            "wandb": {name: given for name, given in settings.items() if given},
        }
