"""The values of the catalog: a model, what a provider offers for it, and a provider's limits.

Prices are US dollars; a price of None means that no source gives it. Dates are those that the
provider announced. `as_of` is the day on which an entry was last compared with its `source`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from gpt4o_tune.catalog.images import ImageTokens

ProviderKind: TypeAlias = Literal["openai", "azure", "compatible", "local"]
Method: TypeAlias = Literal["supervised", "dpo", "reinforcement"]


@dataclass(frozen=True, slots=True)
class MessageTokens:
    """Tokens that the chat format adds around the text of messages and tools."""

    tokens_per_message: int
    tokens_per_name: int
    reply_priming: int
    """Once per conversation."""
    func_init: int
    """Per function."""
    prop_init: int
    """Per function that has parameters."""
    prop_key: int
    """Per parameter."""
    enum_init: int
    """Per parameter with an enum; negative."""
    enum_item: int
    """Per enum item."""
    func_end: int
    """Once after all functions."""
    note: str
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Offer:
    """What one provider sells for one model."""

    methods: frozenset[Method]
    """Empty where the model is served but was never trainable."""
    unconfirmed: frozenset[Method]
    """Those of `methods` on which the sources disagree."""
    vision: bool
    """Images may stand in training examples."""
    eligibility: str | None
    """A sentence that says who may create jobs, or None where anyone may."""
    training_usd: float | None
    """Per 1M trained tokens (tokens in the file times epochs)."""
    training_price_note: str | None
    """A sentence on what the training price leaves out, such as dearer tiers; None where nothing."""
    training_usd_per_hour: float | None
    """Per hour of reinforcement training."""
    hosting_usd_per_hour: float | None
    """Per hour of deployment, idle or not."""
    input_usd: float | None
    """Fine-tuned inference, per 1M tokens; so are the five prices below."""
    cached_input_usd: float | None
    output_usd: float | None
    batch_input_usd: float | None
    batch_cached_input_usd: float | None
    batch_output_usd: float | None
    base_input_usd: float | None
    """The untuned base, per 1M tokens."""
    base_output_usd: float | None
    base_retires: date | None
    """Day on which this provider switches the untuned base off; for OpenAI see `Model.shutdown`."""
    training_ends: date | None
    """Announced end of new jobs, taken as the last day on which one can be created."""
    serving_ends: date | None
    """Day on which fine-tuned models are switched off."""
    note: str
    source: str
    as_of: date

    def trains(self, method: Method, *, on: date) -> bool:
        """Say whether a job of this method can be created on that day and its model then runs."""
        return (
            method in self.methods
            and (self.training_ends is None or on <= self.training_ends)
            and (self.serving_ends is None or on < self.serving_ends)
        )


@dataclass(frozen=True, slots=True)
class Model:
    """One model snapshot."""

    name: str
    """The id of the snapshot, such as `gpt-4o-2024-08-06`."""
    aliases: tuple[str, ...]
    encoding: str
    """tiktoken encoding."""
    encoding_is_exact: bool
    """False where the model has another tokenizer, so that counts with `encoding` are rough."""
    takes_chats: bool
    """False where training takes pairs of prompt and completion instead, which no dataset holds."""
    training_context: int | None
    """Tokens per training example; longer examples are cut at their end."""
    context: int | None
    """Tokens of prompt and answer together at inference."""
    max_output: int | None
    """Tokens of one answer."""
    image_tokens: ImageTokens | None
    message_tokens: MessageTokens
    shutdown: date | None
    """Day on which OpenAI switches the base model off."""
    replacement: str | None
    note: str
    source: str
    as_of: date
    offers: Mapping[ProviderKind, Offer] = field(hash=False)

    def offer(self, provider: ProviderKind) -> Offer | None:
        """Return what this provider sells for the model, or None where it does not offer it."""
        return self.offers.get(provider)

    def switched_off(self, provider: ProviderKind) -> date | None:
        """Return the day on which this provider switches the untuned model off, where announced."""
        if provider == "openai":
            return self.shutdown
        offer = self.offer(provider)
        return offer.base_retires if offer else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider accepts; sizes in bytes."""

    min_examples: int
    max_file_bytes: int
    """One plain file upload."""
    chunk_above_bytes: int
    """Files above this size must go through the chunked Uploads API."""
    max_upload_bytes: int
    """One chunked upload."""
    max_images_per_example: int
    max_image_examples: int
    """Examples with images per file."""
    max_image_bytes: int
    preference_roles: tuple[str, ...]
    """Roles that the messages of an output of a preference pair may have."""
    max_preference_messages: int | None
    """Messages per output of a preference pair; None where there is no limit."""
    one_turn_preference: bool
    """The input of a preference pair may hold no earlier answer."""
    reaches_private: bool
    """The provider may stand inside the user's own network and fetch images there."""
    asks_for_bom: bool
    """The provider's documents want files to start with a byte order mark."""
    max_job_tokens: int | None
    """Tokens of the training file times epochs; None where no source gives a limit."""
    suffix_max_chars: int
    """A longer model suffix is refused."""
    suffix_warn_chars: int
    """A longer model suffix is refused by some service."""
    suffix_pattern: str
    """Regular expression that a whole suffix matches."""
    metadata_max_pairs: int
    metadata_key_max_chars: int
    metadata_value_max_chars: int
    file_expiry_seconds: tuple[int, int]
    """Shortest and longest expiry that a file may be given."""
    needs_processed_file: bool
    """A job is refused until its files have status `processed`."""
    note: str
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of provider."""

    kind: ProviderKind
    title: str
    """How messages call it."""
    eligibility: str | None
    """A sentence that says who may create jobs, or None where anyone may."""
    limits: Limits
