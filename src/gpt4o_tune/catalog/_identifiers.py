"""From the id of a fine-tuned model back to the id of its base."""

from __future__ import annotations

import re

_OPENAI_PREFIX = re.compile(r"ft:", re.IGNORECASE)
_AZURE_SUFFIX = re.compile(r"\.ft-", re.IGNORECASE)


def base_id(model_id: str) -> str:
    """Strip what fine-tuning added to a model id; an untuned id comes back as it is.

    OpenAI and most compatible servers write `ft:BASE:ORG:SUFFIX:ID`, with `:ckpt-step-N` after it
    for a checkpoint; Azure writes `BASE.ft-HEX`, repeated where a tuned model was tuned again.
    """
    prefix = _OPENAI_PREFIX.match(model_id)
    if prefix:
        model_id = model_id[prefix.end() :].partition(":")[0]
    return _AZURE_SUFFIX.split(model_id, maxsplit=1)[0]
