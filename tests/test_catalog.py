"""The catalog: its facts, its strict reader, the ids it understands and what it refuses."""

from __future__ import annotations

import math
import pickle
import re
import subprocess
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.catalog import (
    DEFAULT_MODEL,
    Catalog,
    Model,
    PatchTokens,
    ProviderKind,
    TileTokens,
    base_id,
    load,
)
from gpt4o_tune.errors import CatalogError, ModelRetiredError, ProviderError

CATALOG = load()
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "catalog.md"
TODAY = date(2026, 11, 23)

SHUTDOWNS = {
    "gpt-4o-2024-08-06": date(2027, 1, 14),
    "gpt-4o-mini-2024-07-18": date(2027, 1, 14),
    "gpt-4o-2024-11-20": date(2027, 1, 14),
    "gpt-4.1-2025-04-14": date(2027, 1, 14),
    "gpt-4.1-mini-2025-04-14": date(2027, 1, 14),
    "gpt-4.1-nano-2025-04-14": date(2026, 10, 23),
    "o4-mini-2025-04-16": date(2026, 10, 23),
    "gpt-3.5-turbo-0125": date(2026, 10, 23),
    "gpt-3.5-turbo-1106": date(2026, 9, 28),
    "gpt-3.5-turbo-0613": date(2024, 9, 13),
    "gpt-4-0613": date(2026, 10, 23),
    "babbage-002": date(2026, 10, 23),
    "davinci-002": date(2026, 10, 23),
    "gpt-4o-2024-05-13": date(2026, 10, 23),
    "gpt-5-2025-08-07": date(2026, 12, 11),
    "gpt-5-mini-2025-08-07": date(2026, 12, 11),
    "gpt-5-nano-2025-08-07": date(2026, 12, 11),
    "gpt-6-luna": None,
}
"""Published end of each base model on OpenAI."""

TRAINING_PRICES = {
    ("gpt-4o-2024-08-06", "openai"): 25.0,
    ("gpt-4o-mini-2024-07-18", "openai"): 3.0,
    ("gpt-4.1-2025-04-14", "openai"): 25.0,
    ("gpt-4.1-mini-2025-04-14", "openai"): 5.0,
    ("gpt-4.1-nano-2025-04-14", "openai"): 1.5,
    ("gpt-3.5-turbo-0125", "openai"): 8.0,
    ("babbage-002", "openai"): 0.4,
    ("davinci-002", "openai"): 6.0,
    ("gpt-4o-2024-08-06", "azure"): 25.0,
    ("gpt-4o-mini-2024-07-18", "azure"): 3.0,
    ("gpt-4o-2024-08-06", "local"): 0.0,
}
"""Published prices per 1M trained tokens."""


# --- Facts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "day"), SHUTDOWNS.items())
def test_published_shutdown_dates(name: str, day: date | None) -> None:
    """Every published model is there, retired ones included, with its shutdown date."""
    assert CATALOG.get(name).shutdown == day


@pytest.mark.parametrize(("offer", "price"), TRAINING_PRICES.items())
def test_published_training_prices(offer: tuple[str, ProviderKind], price: float) -> None:
    """Training prices are those that the providers publish."""
    name, provider = offer
    found = CATALOG.get(name).offer(provider)
    assert found is not None
    assert found.training_usd == price


def test_default_model_is_a_snapshot_that_both_hosted_providers_train() -> None:
    """The default base is a snapshot, not an alias, and trainable on OpenAI and Azure."""
    for provider in ("openai", "azure"):
        assert DEFAULT_MODEL in [m.name for m in CATALOG.trainable(provider, on=TODAY)]


def test_every_entry_has_sources_and_a_date() -> None:
    """Each model, offer, counting table and limit names its sources and its day."""
    entries = [*CATALOG.models, *(offer for m in CATALOG.models for offer in m.offers.values())]
    entries += [model.message_tokens for model in CATALOG.models]
    entries += [CATALOG.limits(kind) for kind in ("openai", "azure", "compatible", "local")]
    for entry in entries:
        assert entry.source.strip()
        assert date(2026, 1, 1) <= entry.as_of <= CATALOG.as_of


def test_dates_are_in_order() -> None:
    """Training never outlasts serving, and on OpenAI fine-tunes stop with their base."""
    for model in CATALOG.models:
        for offer in model.offers.values():
            assert (offer.training_ends or date.min) <= (offer.serving_ends or date.max)
        openai = model.offer("openai")
        if openai and openai.serving_ends:
            assert openai.serving_ends == model.shutdown


def test_replacements_are_in_the_catalog() -> None:
    """A replacement that a message names can be looked up."""
    for model in CATALOG.models:
        assert model.replacement is None or CATALOG.find(model.replacement) is not None


def test_local_server_trains_what_was_ever_trainable_by_supervision() -> None:
    """Models that some provider trains by supervision are exactly those of the local server."""
    hosted = {
        model.name
        for model in CATALOG.models
        for kind, offer in model.offers.items()
        if kind != "local" and "supervised" in offer.methods
    }
    local = {model.name for model in CATALOG.trainable("local", on=date(2099, 1, 1))}
    assert local == hosted
    assert "gpt-4o-2024-05-13" not in local


def test_encodings_agree_with_tiktoken_for_base_models() -> None:
    """Encodings equal tiktoken's own choice wherever tiktoken knows the base model."""
    known = 0
    for model in CATALOG.models:
        try:
            expected = tiktoken.encoding_name_for_model(model.name)
        except KeyError:
            continue
        # The harmony vocabulary is o200k_base with further special tokens.
        assert model.encoding == expected.replace("o200k_harmony", "o200k_base")
        known += 1
    assert known >= 15


def test_encoding_of_a_tuned_gpt_41_is_not_the_one_that_tiktoken_guesses() -> None:
    """A fine-tuned GPT-4.1 is counted with its base's encoding, which tiktoken gets wrong."""
    tuned = "ft:gpt-4.1-2025-04-14:acme::abc123"
    assert tiktoken.encoding_name_for_model(tuned) == "cl100k_base"
    assert CATALOG.get(tuned).encoding == "o200k_base"


def test_limits_differ_where_the_providers_do() -> None:
    """Azure's limits are its own; compatible services and the local server follow OpenAI."""
    openai, azure = CATALOG.limits("openai"), CATALOG.limits("azure")
    assert (openai.min_examples, azure.min_examples) == (10, 10)
    assert (openai.max_images_per_example, azure.max_images_per_example) == (10, 64)
    assert (openai.suffix_max_chars, azure.suffix_max_chars) == (64, 40)
    assert (openai.needs_processed_file, azure.needs_processed_file) == (False, True)
    assert openai.file_expiry_seconds == (3_600, 2_592_000)
    assert azure.file_expiry_seconds == (1_209_600, 2_592_000)
    for kind in ("compatible", "local"):
        assert CATALOG.limits(kind).suffix_max_chars == openai.suffix_max_chars


@pytest.mark.parametrize(
    ("suffix", "fits"), [("tickets-2", True), ("a.b", False), ("a b", False), ("", False)]
)
def test_suffix_pattern(suffix: str, fits: bool) -> None:
    """The suffix pattern takes letters, digits, dash and underscore, and no empty suffix."""
    assert bool(re.fullmatch(CATALOG.limits("azure").suffix_pattern, suffix)) is fits


@pytest.mark.parametrize(("name", "func_init"), [("gpt-4o", 7), ("gpt-3.5-turbo", 10)])
def test_message_and_tool_overheads(name: str, func_init: int) -> None:
    """Overheads follow the published tables of the two generations."""
    tokens = CATALOG.get(name).message_tokens
    assert (tokens.tokens_per_message, tokens.tokens_per_name, tokens.reply_priming) == (3, 1, 3)
    assert tokens.func_init == func_init
    assert (tokens.prop_init, tokens.prop_key, tokens.enum_init) == (3, 3, -3)
    assert (tokens.enum_item, tokens.func_end) == (3, 12)


# --- Images --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("gpt-4o", (1024, 1024), 765),
        ("gpt-4o", (2048, 4096), 1105),
        ("gpt-4o", (512, 512), 255),
        ("gpt-4o-mini", (1024, 1024), 2833 + 4 * 5667),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("gpt-4.1-mini", (1800, 2400), 2353),
        ("gpt-4o-mini", (2048, 4096), 36_835),
        ("gpt-4.1", (1024, 1024), 765),
        ("gpt-4.1-nano", (1024, 1024), 2_520),
        ("o4-mini", (1024, 1024), 1_762),
        ("gpt-5", (1024, 1024), 630),
    ],
)
def test_image_tokens_of_published_examples(model: str, size: tuple[int, int], tokens: int) -> None:
    """Image tokens at high detail equal the worked examples of the vision guide."""
    image = CATALOG.get(model).image_tokens
    assert image is not None
    assert image.count(*size, detail="high") == tokens


def test_low_detail_costs_the_base_price() -> None:
    """At low detail a tile model charges its base price whatever the size."""
    image = CATALOG.get("gpt-4o").image_tokens
    assert image is not None
    assert image.count(4096, 8192, detail="low") == 85


IMAGE_MODELS = [model for model in CATALOG.models if model.image_tokens]


@pytest.mark.parametrize("model", IMAGE_MODELS, ids=lambda model: model.name)
def test_every_formula_holds_for_tiny_and_huge_images(model: Model) -> None:
    """A pixel takes one cell, a strip as many as it is long, and a huge picture no more than the most."""
    image = model.image_tokens
    assert image is not None
    if isinstance(image, TileTokens):
        one, strip, most = (image.base + tiles * image.tile for tiles in (1, 4, 8))
        square, low = image.base + 4 * image.tile, image.base
    else:
        one, strip, most = (math.ceil(cells * image.multiplier) for cells in (1, 313, 1536))
        square, low = most, None
    for detail in ("high", "auto"):
        assert image.count(1, 1, detail=detail) == one
        assert image.count(10_000, 1, detail=detail) == strip
        assert square * 0.98 <= image.count(100_000, 100_000, detail=detail) <= square
        assert image.count(10**6, 4 * 10**5, detail=detail) <= most
    # No source gives patch models a cheaper price for low detail.
    assert image.count(100_000, 100_000, detail="low") == (
        low or image.count(100_000, 100_000, detail="high")
    )


@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000))
def test_tiles_are_counted_as_with_exact_fractions(width: int, height: int) -> None:
    """Shrinking to 2048, then to 768 on the shorter side, loses no tile to rounding."""
    image = CATALOG.get("gpt-4o").image_tokens
    assert image is not None
    scale = min(Fraction(1), Fraction(2048, max(width, height)))
    scale *= min(Fraction(1), Fraction(768) / (min(width, height) * scale))
    tiles = math.ceil(width * scale / 512) * math.ceil(height * scale / 512)

    assert image.count(width, height) == 85 + 170 * tiles


SIDES = st.integers(min_value=1, max_value=10**9)


@given(width=SIDES, height=SIDES)
def test_image_tokens_are_bounded_and_ignore_orientation(width: int, height: int) -> None:
    """A turned picture costs the same; no picture is free or above the cap."""
    tile, patch = CATALOG.get("gpt-4o").image_tokens, CATALOG.get("o4-mini").image_tokens
    assert isinstance(tile, TileTokens)
    assert isinstance(patch, PatchTokens)
    assert 85 + 170 <= tile.count(width, height) <= 85 + 8 * 170
    assert 1 <= patch.count(width, height) <= 1536 * 1.72 + 1
    for formula in (tile, patch):
        assert formula.count(width, height) == formula.count(height, width)


# --- Ids -----------------------------------------------------------------------------------------

NAMES = st.sampled_from([word for m in CATALOG.models for word in (m.name, *m.aliases)])
ANYTHING = st.text(max_size=30)


@given(name=NAMES, org=ANYTHING.filter(lambda s: ":" not in s), rest=ANYTHING)
def test_openai_ids_lead_back_to_their_base(name: str, org: str, rest: str) -> None:
    """Whatever organisation, suffix, id and checkpoint follow, the base is found."""
    assert CATALOG.find(f"ft:{name}:{org}:{rest}") is CATALOG.get(name)


@given(name=NAMES, tail=st.text(alphabet="0123456789abcdef.-ft", max_size=40))
def test_azure_ids_lead_back_to_their_base(name: str, tail: str) -> None:
    """An Azure id, tuned once or repeatedly, leads to its base."""
    assert CATALOG.find(f"{name}.ft-{tail}") is CATALOG.get(name)


@given(name=NAMES, upper=st.booleans())
def test_case_is_ignored(name: str, upper: bool) -> None:
    """Ids are found in any case, fine-tuned ones too."""
    tuned = f"ft:{name}:acme::abc:ckpt-step-40"
    assert CATALOG.find(tuned.upper() if upper else tuned.title()) is CATALOG.get(name)


@given(ANYTHING)
def test_unknown_ids_give_none(text: str) -> None:
    """No text breaks the look-up."""
    found = CATALOG.find(text)
    assert found is None or base_id(text).casefold() in {
        word.casefold() for word in (found.name, *found.aliases)
    }


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("ft:gpt-4o-2024-08-06:acme:support:abc123:ckpt-step-40", "gpt-4o-2024-08-06"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini-2024-07-18"),
        ("gpt-4.1-2025-04-14.ft-0e208cf33a6a466994aff31a08aba678", "gpt-4.1-2025-04-14"),
        ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ],
)
def test_ids_as_providers_write_them(model_id: str, name: str) -> None:
    """Aliases and fine-tuned ids stand for the snapshot behind them."""
    assert CATALOG.get(model_id).name == name


def test_unknown_model_names_the_nearest_ones() -> None:
    """A misspelt id is answered with the nearest ids."""
    assert CATALOG.find("gpt-4o-2024-08-60") is None
    with pytest.raises(ProviderError, match=r"'gpt-4o-2024-08-60'.*Nearest: 'gpt-4o-2024-08-06'"):
        CATALOG.get("gpt-4o-2024-08-60")


# --- What is refused -----------------------------------------------------------------------------


def test_openai_is_open_with_warnings_before_the_margin() -> None:
    """In November 2026 OpenAI still trains GPT-4o; both end dates are announced."""
    warnings = CATALOG.check_trainable("gpt-4o", provider="openai", method="supervised", on=TODAY)
    text = " ".join(warnings)
    assert "2027-01-14, 52 days" in text
    assert "2027-01-06, 44 days" in text
    assert "Azure OpenAI (fine-tunes run until 2027-10-01)" in text
    assert "60 days" in text


def test_margin_refuses_and_zero_lifts_it() -> None:
    """25 days before the switch-off a job is refused, and allowed with margin_days=0."""
    day = date(2026, 12, 20)
    with pytest.raises(ModelRetiredError, match=r"2027-01-14.*2026-12-20.*margin_days=0") as caught:
        CATALOG.check_trainable("gpt-4o", provider="openai", method="supervised", on=day)
    assert caught.value.model == "gpt-4o"
    assert caught.value.date == date(2027, 1, 14)
    assert caught.value.replacement == "gpt-6-luna"
    assert "the local server" in str(caught.value)
    assert CATALOG.check_trainable(
        "gpt-4o", provider="openai", method="supervised", on=day, margin_days=0
    )


@pytest.mark.parametrize(("day", "refused"), [(15, False), (16, True)])
def test_margin_counts_full_days(day: int, refused: bool) -> None:
    """Exactly margin_days before the end is still allowed; one day later is not."""

    def ask() -> tuple[str, ...]:
        return CATALOG.check_trainable(
            "gpt-4o", provider="openai", method="dpo", on=date(2026, 12, day)
        )

    if refused:
        with pytest.raises(ModelRetiredError):
            ask()
    else:
        assert ask()


def test_last_day_of_new_jobs_counts_and_the_next_does_not() -> None:
    """The announced end of new jobs is taken as the last day; no margin reaches beyond it."""

    def ask(day: int) -> tuple[str, ...]:
        return CATALOG.check_trainable(
            "gpt-4.1",
            provider="openai",
            method="supervised",
            on=date(2027, 1, day),
            margin_days=0,
        )

    assert ask(6)
    with pytest.raises(ModelRetiredError, match="new jobs ended on 2027-01-06") as caught:
        ask(7)
    assert caught.value.date == date(2027, 1, 6)


@pytest.mark.parametrize(
    ("model", "day", "open_"),
    [
        ("gpt-4o", date(2026, 11, 23), True),
        ("gpt-4o", date(2026, 12, 20), True),
        ("gpt-4o", date(2027, 1, 7), True),
        ("gpt-4o", date(2027, 5, 1), False),
        ("gpt-4.1", date(2027, 4, 14), True),
        ("gpt-4.1", date(2027, 5, 1), False),
    ],
)
def test_azure_trains_until_april_2027(model: str, day: date, open_: bool) -> None:
    """Azure outlives OpenAI by three months and then ends too."""

    def ask() -> tuple[str, ...]:
        return CATALOG.check_trainable(model, provider="azure", method="supervised", on=day)

    if open_:
        ask()
    else:
        with pytest.raises(ModelRetiredError, match="the local server"):
            ask()


@pytest.mark.parametrize("day", [TODAY, date(2026, 12, 20), date(2027, 1, 7), date(2027, 5, 1)])
def test_local_server_has_no_end(day: date) -> None:
    """The local server trains on any day without a warning."""
    assert CATALOG.check_trainable("gpt-4o", provider="local", method="supervised", on=day) == ()


def test_compatible_service_decides_for_itself() -> None:
    """For a compatible service nothing is refused, unknown models included."""
    for model in ("gpt-4o", "somebody/else-7b"):
        asked = CATALOG.check_trainable(model, provider="compatible", method="dpo", on=TODAY)
        assert asked == ()


@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_first_gpt_4o_snapshot_gets_its_own_sentence(provider: ProviderKind) -> None:
    """The base of old articles is refused with the reason and the snapshot to start from."""
    with pytest.raises(ModelRetiredError, match="never open to self-serve") as caught:
        CATALOG.check_trainable(
            "gpt-4o-2024-05-13", provider=provider, method="supervised", on=TODAY
        )
    assert "Start from 'gpt-4o-2024-08-06'" in str(caught.value)
    assert caught.value.replacement == "gpt-4o-2024-08-06"


def test_first_gpt_4o_snapshot_was_no_choice_before_its_end_either() -> None:
    """While it was served, and on the local server, it is refused as never trainable."""
    for provider, day in (("openai", date(2026, 10, 1)), ("local", TODAY)):
        with pytest.raises(ProviderError, match="never open to self-serve"):
            CATALOG.check_trainable(
                "gpt-4o-2024-05-13", provider=provider, method="supervised", on=day
            )


def test_method_that_a_model_never_had_names_models_that_have_it() -> None:
    """A wrong method is answered with the models that take it there."""
    with pytest.raises(ProviderError, match=r"'reinforcement'.*'o4-mini-2025-04-16'"):
        CATALOG.check_trainable("gpt-4o", provider="azure", method="reinforcement", on=TODAY)


def test_retired_model_points_to_where_it_still_trains() -> None:
    """What OpenAI has ended but Azure still trains is refused with that hint."""
    with pytest.raises(ModelRetiredError, match=r"2026-10-23.*Azure OpenAI"):
        CATALOG.check_trainable("o4-mini", provider="openai", method="reinforcement", on=TODAY)


def test_methods_in_doubt_and_closed_doors_are_warned_of() -> None:
    """Warnings say where sources disagree and where only some may train."""
    dpo = CATALOG.check_trainable("gpt-4o-mini", provider="openai", method="dpo", on=TODAY)
    assert any("Sources disagree" in sentence for sentence in dpo)
    gated = CATALOG.check_trainable("gpt-5", provider="azure", method="reinforcement", on=TODAY)
    assert any("invitation" in sentence for sentence in gated)


def test_negative_margin_is_a_mistake() -> None:
    """A negative margin is refused before anything is looked up."""
    with pytest.raises(ValueError, match="margin_days must be 0 or more, got -1"):
        CATALOG.check_trainable(
            "gpt-4o", provider="local", method="supervised", on=TODAY, margin_days=-1
        )


def test_trainable_lists_shrink_with_time() -> None:
    """Models leave the list of a hosted provider on their dates, and OpenAI's ends empty."""
    openai = [m.name for m in CATALOG.trainable("openai", on=TODAY)]
    assert openai == [
        "gpt-4o-2024-08-06",
        "gpt-4o-mini-2024-07-18",
        "gpt-4.1-2025-04-14",
        "gpt-4.1-mini-2025-04-14",
    ]
    assert CATALOG.trainable("openai", on=date(2027, 1, 7)) == ()
    assert CATALOG.trainable("openai", method="reinforcement", on=TODAY) == ()
    assert [m.name for m in CATALOG.trainable("azure", method="reinforcement", on=TODAY)] == [
        "o4-mini-2025-04-16",
        "gpt-5-2025-08-07",
    ]


# --- Reader and overrides ------------------------------------------------------------------------

HEADER = 'as_of = 2026-12-01\n[sources]\ncontract = "Agreement of 2026-12-01"\n'
OFFER = '[models."gpt-4o-2024-08-06".offers.openai]\nsources = ["contract"]\n'
MODEL = (
    '[models."our-model"]\nencoding = "o200k_base"\ncounting = "gpt-4o"\nsources = ["contract"]\n'
)


def write(folder: Path, body: str) -> Path:
    """Write an override file."""
    path = folder / "own.toml"
    path.write_text(body, encoding="utf-8")
    return path


def test_override_changes_one_price_and_leaves_the_rest(tmp_path: Path) -> None:
    """A private price replaces the published one, with its own source and day."""
    own = load(write(tmp_path, HEADER + OFFER + "training_usd = 20\n"))
    offer, before = own.get("gpt-4o").offer("openai"), CATALOG.get("gpt-4o").offer("openai")
    assert offer is not None
    assert before is not None
    assert (offer.training_usd, before.training_usd) == (20.0, 25.0)
    assert offer.source == "Agreement of 2026-12-01"
    assert offer.as_of == date(2026, 12, 1)
    assert offer.input_usd == before.input_usd
    assert own.get("gpt-4o").as_of == CATALOG.get("gpt-4o").as_of
    assert own.as_of == CATALOG.as_of
    assert load() is CATALOG


def test_override_adds_a_model_and_an_offer(tmp_path: Path) -> None:
    """A model of one's own can be found and trained like any other."""
    body = (
        HEADER
        + MODEL
        + '[models."our-model".offers.azure]\nmethods = ["supervised"]\nsources = ["contract"]\n'
    )
    own = CATALOG.merged(write(tmp_path, body))
    assert CATALOG.find("our-model") is None
    assert own.get("ft:our-model:acme::1") in own.trainable("azure", on=TODAY)


def test_day_of_the_switch_off_is_already_off(tmp_path: Path) -> None:
    """On the day on which fine-tunes are switched off nothing is trained, whatever the margin."""
    offer = '[models."gpt-oss-20b".offers.azure]\nserving_ends = 2027-03-01\n'
    own = CATALOG.merged(write(tmp_path, f'{HEADER}{offer}sources = ["contract"]\n'))
    day = date(2027, 3, 1)
    with pytest.raises(ModelRetiredError, match="were switched off on 2027-03-01"):
        own.check_trainable(
            "gpt-oss-20b", provider="azure", method="supervised", on=day, margin_days=0
        )
    assert "gpt-oss-20b" not in [model.name for model in own.trainable("azure", on=day)]


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """A file saved with a byte order mark reads like any other."""
    assert load(write(tmp_path, "\ufeff" + HEADER + MODEL)).find("our-model") is not None


def test_overrides_can_be_stacked(tmp_path: Path) -> None:
    """A merged catalog can be merged again."""
    first = CATALOG.merged(write(tmp_path, HEADER + OFFER + "training_usd = 20\n"))
    second = first.merged(write(tmp_path, HEADER + OFFER + "output_usd = 1.5\n"))
    offer = second.get("gpt-4o").offer("openai")
    assert offer is not None
    assert (offer.training_usd, offer.output_usd) == (20.0, 1.5)


def test_override_of_limits_reaches_those_who_follow(tmp_path: Path) -> None:
    """A limit changed for OpenAI holds for the providers that follow it, and not for Azure."""
    body = HEADER + '[providers.openai.limits]\nmin_examples = 12\nsources = ["contract"]\n'
    own = CATALOG.merged(write(tmp_path, body))
    assert [own.limits(k).min_examples for k in ("openai", "local", "azure")] == [12, 12, 10]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HEADER + OFFER + "trainig_usd = 1\n", r"offers\.openai\] unknown key 'trainig_usd'"),
        (
            HEADER + OFFER + 'training_usd = "20"\n',
            r"offers\.openai\] 'training_usd' takes a number",
        ),
        (HEADER + OFFER + "training_usd = -1\n", r"price of 0 or more"),
        (HEADER + OFFER + "training_usd = nan\n", r"price of 0 or more"),
        (HEADER + OFFER + "vision = 1\n", r"'vision' takes true or false"),
        (HEADER + OFFER + 'serving_ends = "2027-01-14"\n', r"'serving_ends' takes a date"),
        (HEADER + OFFER + "serving_ends = 2027-01-14T00:00:00\n", r"'serving_ends' takes a date"),
        (HEADER + OFFER + "serving_ends = 2027-01-01\n", r"is after 'serving_ends'"),
        (HEADER + OFFER + 'methods = ["sft"]\n', r"'methods' takes some of .*found 'sft'"),
        (HEADER + OFFER + 'methods = "dpo"\n', r"'methods' takes a list"),
        (HEADER + OFFER + "methods = [1]\n", r"'methods' takes a list of strings"),
        (HEADER + OFFER + 'methods = ["dpo"]\nunconfirmed = ["supervised"]\n', r"'unconfirmed'"),
        (HEADER + MODEL + "context = true\n", r'models\."our-model"\] \'context\' takes a whole'),
        (HEADER + MODEL + 'aliases = ["gpt-4o"]\n', r"'gpt-4o' already stands for"),
        (HEADER + MODEL + "image_tokens = { base = 85 }\n", r"either 'base' and 'tile'"),
        (HEADER + MODEL + "offers = 1\n", r"offers\] must be a table"),
        (HEADER + MODEL + "[models.our-model.offers.aws]\nsources = ['contract']\n", r"'aws'"),
        (HEADER + MODEL.replace('"gpt-4o"', '"gpt-9"'), r"'counting' names 'gpt-9'"),
        (HEADER + MODEL.replace("contract", "rumour"), r"'sources' names 'rumour'"),
        (HEADER + MODEL.replace('encoding = "o200k_base"\n', ""), r"'encoding' is missing"),
        (HEADER + OFFER.replace('sources = ["contract"]\n', "") + "vision = true", r"'sources' is"),
        (HEADER + "[model]\n", r"unknown key 'model'"),
        (HEADER + "[providers.aws]\ntitle = 'AWS'\n", r"\[providers\] unknown key 'aws'"),
        (
            HEADER + "[providers.azure.limits]\nlike = 'local'\nsources = ['contract']\n",
            r"providers\.azure\.limits\] 'like'",
        ),
        (OFFER, r"'as_of' must be a date"),
        ("as_of = ", r"is not a TOML file"),
    ],
)
def test_reader_is_strict(tmp_path: Path, body: str, message: str) -> None:
    """Unknown keys, wrong types and contradictions are errors that name the table."""
    with pytest.raises(CatalogError, match=message):
        load(write(tmp_path, body))


def test_missing_override_file_is_an_ordinary_error(tmp_path: Path) -> None:
    """A path that leads nowhere fails as any open() does."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.toml")


# --- Values, cost and page -----------------------------------------------------------------------


def test_values_can_be_pickled_hashed_and_compared() -> None:
    """Models survive a trip to another process and serve as dictionary keys."""
    for model in CATALOG.models:
        twin = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
        assert twin == model
        assert hash(twin) == hash(model)


def test_catalog_is_parsed_once() -> None:
    """Every call without a path gives the same object."""
    assert load() is load()


def test_import_needs_the_standard_library_only() -> None:
    """Importing and loading the catalog pulls in no third-party package."""
    code = (
        "import sys, gpt4o_tune.catalog as c; c.load();"
        "print([m for m in ('openai','pydantic','tiktoken','numpy','httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def section(title: str) -> str:
    """Return one section of the reference page."""
    return PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def row(text: str, name: str) -> str:
    """Return the only table row of a model."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
    return line


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.name)
def test_page_shows_every_model_date_and_training_price(model: Model) -> None:
    """The reference page has a row for each model and offer, with the catalog's dates and prices."""
    line = row(section("Models"), model.name)
    assert model.shutdown is None or str(model.shutdown) in line
    assert all(f"`{alias}`" in line for alias in model.aliases)
    titles = {"openai": "OpenAI", "azure": "Azure OpenAI", "local": "The local server"}
    for kind, offer in model.offers.items():
        line = row(section(titles[kind]), model.name)
        for day in (offer.base_retires, offer.training_ends, offer.serving_ends):
            assert day is None or str(day) in line
        for price in (offer.training_usd, offer.training_usd_per_hour, offer.hosting_usd_per_hour):
            assert price is None or f" {price:.2f} " in line
        assert all(method in line for method in offer.methods)


def test_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code on the reference page runs, and its override file is valid."""
    page = PAGE.read_text(encoding="utf-8")
    (own,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "prices.toml").write_text(own, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, scope)  # noqa: S102 - our own documentation
    catalog = scope["catalog"]
    assert isinstance(catalog, Catalog)
    assert catalog.get("our-qwen").training_context == 32_768
