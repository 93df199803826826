"""Tell at little cost that bytes hold no secret.

A check asks this of every line, so each pattern starts with one fixed character and looks behind and ahead
only where that stands. Whether the character stands there at all is asked first, which costs next to
nothing.
"""

from __future__ import annotations

import re

_GIVEN = rb"[\\\"'`]{0,4} ?[:=] ?[\\\"'`]{0,4}[^\s\"'\\]{12}"
"""After a name: the sign that gives it a value, in JSON text as often as in plain, and a long value."""

_UNDERSCORE = re.compile(
    rb"_(?=[A-Za-z0-9]{16})(?:(?<=gh[opsur]_)|(?<=hf_)|(?<=npm_)|(?<=github_pat_)|(?<=k_live_))"
).search
_DASH = re.compile(
    rb"-(?<=[abcdeioprstk]-)(?=[\w-]{16})"
    rb"(?:(?<=sk-)|(?<=[pco]at-)|(?<=gldt-)|(?<=glrt-)|(?<=ptt-)|(?<=cbt-)|(?<=pypi-)|(?<=xox.-)|(?<=xapp-))"
).search
_BIG_K = re.compile(
    rb"K(?:(?<=AK)IA[A-Z2-7]{16}|(?<=E K)EY|(?<=[ts]K)ey=|(?<=SK)[0-9a-f]{32})"
).search
_HOOKS = re.compile(rb"hooks(?:\.slack\.com|(?<=api/webhooks)|(?<=api\\/webhooks))").search
_Z = re.compile(
    rb"z(?:(?<=AIz)a[\w-]{35}|(?<=uthoriz)ation\W{1,12}(?:Bearer|Basic|bearer|token) )"
).search
_J = re.compile(rb"J(?<=eyJ)[\w-]{10}").search
_S = re.compile(rb"S(?:(?<=AS)IA[A-Z2-7]{16}|G\.[\w-]{22}\.)").search
_A = re.compile(rb"A(?<=[0-9]:A)A[\w-]{33}").search
_EQUALS = re.compile(rb"=(?<=sig=)").search
_URL = re.compile(rb":\\?/\\?/[^\s/@\"]*:[^\s/@\"]+@").search

_ESCAPED = re.compile(rb"\\u00(?:2[dDeE]|3[0-9aAdD]|[4-7])").search
"""A letter, a digit or one of `-.:=` written as an escape, which no usual writer does."""

_PASSWORD = re.compile(
    rb"(?:[kK](?:ey|EY|en|EN)|[wW](?:or|OR)?[dD]|(?:ecret|ECRET))%b" % _GIVEN
).search


def secrets_suspected(raw: bytes) -> bool:
    """Tell whether a line, or a block of lines, may hold a secret; False is certain, True a suspicion.

    Args:
        raw: JSON text as it stands in a file, in UTF-8.
    """
    return bool(
        (b"_" in raw and _UNDERSCORE(raw))
        or _DASH(raw)
        or (b"K" in raw and _BIG_K(raw))
        or (b"hooks" in raw and _HOOKS(raw))
        or (b"z" in raw and _Z(raw))
        or (b"J" in raw and _J(raw))
        or (b"S" in raw and _S(raw))
        or (b"A" in raw and _A(raw))
        or (b"=" in raw and _EQUALS(raw))
        or (b"\\u00" in raw and _ESCAPED(raw))
        or (b"@" in raw and _URL(raw))
    )


def passwords_suspected(raw: bytes) -> bool:
    """Tell whether a line may hold a password beside its name; as `secrets_suspected`, and slower."""
    return _PASSWORD(raw) is not None or _ESCAPED(raw) is not None
