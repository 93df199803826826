"""Detectors of secrets: keys and tokens with a form of their own, private keys, passwords beside their name."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import TYPE_CHECKING

from gpt4o_tune.data.privacy.detector import Detector, entropy

if TYPE_CHECKING:
    from collections.abc import Callable

_BITS_OF_RANDOM_TEXT = 3.0
"""Entropy of each character, at least; random hexadecimal of 32 digits has 3.2 to 3.9."""
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_STAND_IN = re.compile(
    r"(?i)example|sample|placeholder|your[-_]?|changeme|redacted|dummy|insert|replace|\.\.\.|x{4,}|\*{3,}"
    r"|0{8,}|1234567|abcdef(?:gh|12)|abcd1234|1234abcd|a1b2c3|a123b45|<[^>]*>|\$\{|\{\{|%[sd(]|test[-_]?(?:key|token|secret)|foobar"
)


def is_random(value: str) -> bool:
    """Tell whether a value looks drawn by chance, and not written by a person as a stand-in."""
    return entropy(value) >= _BITS_OF_RANDOM_TEXT and not _STAND_IN.search(value)


def _random_after(prefix: int) -> Callable[[str], bool]:
    return lambda value: is_random(value[prefix:])


def has_github_checksum(token: str) -> bool:
    """Tell whether the last six characters are the CRC-32 of the thirty before, in base 62."""
    body, check = token[4:-6], token[-6:]
    number, written = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        written = _BASE62[digit] + written
    return written == check


def is_jwt(value: str) -> bool:
    """Tell whether the first part decodes to a header that names an algorithm."""
    head = value.split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def is_private_key(value: str) -> bool:
    """Tell whether a key stands between the marks, and not dots or the word `key`."""
    body = re.sub(r"-----[A-Z ]+-----|\\+[nr]|\s", "", value)
    return len(body) >= _SHORTEST_KEY and is_random(body[:400])


def is_password(value: str) -> bool:
    """Tell whether a value mixes letters with digits and is drawn by chance, as written names are not."""
    mixed = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    return (
        mixed and is_random(value) and not _NAME_LIKE.fullmatch(value) and not _UUID.search(value)
    )


_SHORTEST_KEY = 60
_NAME_LIKE = re.compile(
    r"[A-Za-z_]+[\w.]*\(.*|(?:[a-z]+[-_./:])+[a-z]*\d{0,4}|[A-Za-z]+\d{0,4}|[A-Z_]+\d{0,4}"
)
"""Calls, dotted and dashed names, words with a number."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
"""An identifier much more often than a secret."""


def _token(
    name: str,
    title: str,
    pattern: str,
    *hints: str,
    source: str,
    shown: int,
    accepts: Callable[[str], bool] | None = None,
) -> Detector:
    return Detector(
        name=name,
        kind="secret",
        title=title,
        pattern=re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.ASCII),
        hints=hints,
        accepts=accepts or _random_after(shown),
        shown=shown,
        source=source,
    )


_PEM = (
    r"-----BEGIN (?P<label>[A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:[A-Za-z0-9+/=:,. \r\n\t\\-]{60,8000}?-----END (?P=label)-----|[A-Za-z0-9+/=:, \r\n\t\\]{60,8000})"
)
_KEY = r"(?:[Kk]ey|KEY)"
_TOKEN = r"(?:[Tt]oken|TOKEN)"  # noqa: S105  # the word itself
_ASSIGNED = (
    r"[Pp]assw(?:or)?d|PASSW(?:OR)?D|[Pp]wd|PWD|(?<![:/])(?:[Ss]ecret|SECRET)"
    rf"|(?<![A-Za-z_:/-]){_TOKEN}|[A-Z]_TOKEN"
    rf"|(?:[Aa]ccess|ACCESS|[Aa]uth|AUTH|[Aa]pi|API|[Rr]efresh|REFRESH|[Bb]ot|BOT)[_-]?{_TOKEN}"
    rf"|(?:[Aa]pi|API|[Aa]ccess|ACCESS|[Aa]uth|AUTH|[Ss]ecret|SECRET|[Pp]rivate|PRIVATE)[_-]?{_KEY}"
)
"""Names of what must stay secret; other tokens page through lists, or make a request count once."""
_GITHUB = "GitHub Engineering, 'Behind GitHub's new authentication token formats' (2021)"

SECRETS: tuple[Detector, ...] = (
    Detector(
        name="private-key",
        kind="secret",
        title="A private key",
        pattern=re.compile(_PEM),
        hints=("PRIVATE KEY",),
        accepts=is_private_key,
        shown=10,
        source="RFC 7468; RFC 4880, section 6.2; OpenSSH PROTOCOL.key",
    ),
    _token(
        "openai-key",
        "An OpenAI API key",
        r"sk-(?!ant-)(?:(?:proj|svcacct|admin|None)-[\w-]{20,200}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|[A-Za-z0-9]{40,64})",
        "sk-",
        shown=3,
        source="Keys as the OpenAI platform issues them; `T3BlbkFJ` is base64 of `OpenAI`",
    ),
    _token(
        "anthropic-key",
        "An Anthropic API key",
        r"sk-ant-[a-z0-9]{3,8}-[\w-]{40,200}",
        "sk-ant-",
        shown=7,
        source="Keys as the Anthropic console issues them",
    ),
    _token(
        "aws-access-key",
        "An AWS access key id",
        r"(?:AKIA|ASIA)[A-Z2-7]{16}",
        "AKIA",
        "ASIA",
        shown=4,
        accepts=lambda value: "EXAMPLE" not in value and is_random(value[4:]),
        source="AWS IAM user guide, 'Unique ID prefixes'",
    ),
    Detector(
        name="aws-secret-key",
        kind="secret",
        title="An AWS secret access key",
        pattern=re.compile(
            r"(?:AKIA|ASIA)[A-Z2-7]{16}[\s\S]{0,60}?[\"'=:,\s]"
            r"(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
        ),
        hints=("AKIA", "ASIA"),
        accepts=lambda value: (
            entropy(value) > 4.0 and "EXAMPLE" not in value and is_password(value)
        ),
        source="AWS IAM user guide: 40 characters of base64",
    ),
    _token(
        "github-token",
        "A GitHub token",
        r"gh[opsur]_[A-Za-z0-9]{36}",
        "gho_",
        "ghp_",
        "ghs_",
        "ghu_",
        "ghr_",
        shown=4,
        accepts=has_github_checksum,
        source=_GITHUB,
    ),
    _token(
        "github-fine-grained-token",
        "A GitHub fine-grained token",
        r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "github_pat_",
        shown=11,
        source=_GITHUB,
    ),
    _token(
        "gitlab-token",
        "A GitLab token",
        r"gl(?:pat|dt|rt|ptt|cbt|soat)-[\w-]{20,64}",
        "pat-",
        "dt-",
        "rt-",
        "ptt-",
        "cbt-",
        "oat-",
        shown=3,
        source="GitLab documentation, 'Token overview'",
    ),
    _token(
        "slack-token",
        "A Slack token",
        r"xox[abeoprs]-(?:\d-)?[A-Za-z0-9-]{20,250}|xapp-\d-[A-Za-z0-9-]{40,250}",
        "xox",
        "xapp-",
        shown=5,
        source="Slack API documentation, 'Token types'",
    ),
    Detector(
        name="webhook-url",
        kind="secret",
        title="A webhook address with its key",
        pattern=re.compile(
            r"https://(?:hooks\.slack\.com/services/T[A-Z0-9]{7,12}/B[A-Z0-9]{7,12}/[A-Za-z0-9]{20,32}"
            r"|(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,72})"
        ),
        hints=("hooks.slack.com", "/api/webhooks/"),
        accepts=lambda value: is_random(value.rsplit("/", 1)[-1]),
        shown=8,
        source="Slack and Discord documentation of incoming webhooks",
    ),
    _token(
        "stripe-key",
        "A Stripe live key",
        r"[sr]k_live_[A-Za-z0-9]{20,247}",
        "k_live_",
        shown=8,
        source="Stripe documentation, 'API keys'",
    ),
    _token(
        "google-api-key",
        "A Google API key",
        r"AIza[\w-]{35}",
        "AIza",
        shown=4,
        source="Google Cloud documentation, 'Manage API keys'",
    ),
    _token(
        "hugging-face-token",
        "A Hugging Face token",
        r"hf_[A-Za-z]{34}",
        "hf_",
        shown=3,
        source="Hugging Face documentation, 'User access tokens'",
    ),
    _token(
        "npm-token",
        "An npm token",
        r"npm_[A-Za-z0-9]{36}",
        "npm_",
        shown=4,
        # The same form, with the same checksum, as GitHub's.
        accepts=has_github_checksum,
        source="GitHub changelog, 'npm has a new access token format' (2021)",
    ),
    _token(
        "pypi-token",
        "A PyPI token",
        r"pypi-AgEIcHlwaS5vcmc[\w-]{50,1000}",
        "pypi-",
        shown=5,
        source="PyPI help: a macaroon whose location is pypi.org",
    ),
    _token(
        "sendgrid-key",
        "A SendGrid key",
        r"SG\.[\w-]{22}\.[\w-]{43}",
        "SG.",
        shown=3,
        source="SendGrid documentation, 'API keys'",
    ),
    _token(
        "twilio-key",
        "A Twilio API key",
        r"SK[0-9a-f]{32}",
        "SK",
        shown=2,
        source="Twilio documentation, 'String identifiers'",
    ),
    _token(
        "telegram-bot-token",
        "A Telegram bot token",
        r"\d{8,10}:AA[\w-]{33}",
        ":AA",
        shown=0,
        source="Telegram bot documentation, 'Obtain your bot token'",
    ),
    _token(
        "jwt",
        "A signed web token",
        r"eyJ[\w-]{10,2000}\.eyJ[\w-]{8,8000}\.[\w-]{20,1000}",
        "eyJ",
        shown=3,
        accepts=is_jwt,
        source="RFC 7519; RFC 7515, section 3.1",
    ),
    Detector(
        name="azure-account-key",
        kind="secret",
        title="An Azure account key",
        pattern=re.compile(
            r"(?:Account|SharedAccess)Key=(?P<value>(?:[A-Za-z0-9+/]{86}=|[A-Za-z0-9+/]{43})=)"
        ),
        hints=("Key=",),
        accepts=is_random,
        source="Azure documentation, 'Configure connection strings'",
    ),
    Detector(
        name="azure-sas",
        kind="secret",
        title="An Azure shared access signature",
        pattern=re.compile(
            r"(?:[?&]s[vpre]=[^\s\"&]*(?:&[a-z]{2,4}=[^\s\"&]*)*&sig=)(?P<value>[A-Za-z0-9%+/]{40,70}(?:=|%3[dD])?)"
        ),
        hints=("sig=",),
        accepts=is_random,
        source="Azure documentation, 'Create a service SAS'",
    ),
    Detector(
        name="url-password",
        kind="secret",
        title="A password in an address",
        pattern=re.compile(
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:\"'<>\[\]{}$()]{0,60}:(?P<value>[^\s/@\"'<>\[\]{}$(),\\]{6,100})@[\w.-]+"
        ),
        hints=("://",),
        accepts=lambda value: is_password(value) and len(set(value)) >= 6,
        source="RFC 3986, section 3.2.1",
    ),
    Detector(
        name="bearer-token",
        kind="secret",
        title="A bearer token",
        pattern=re.compile(
            r"[Aa]uthorization[\"']? ?[:=] ?[\"']?(?:Bearer|Basic|bearer|token) "
            r"(?P<value>[A-Za-z0-9+/._~-]{20,2000}={0,2})"
        ),
        hints=("earer ", "asic ", "token "),
        accepts=is_password,
        source="RFC 6750, section 2.1; RFC 7617",
    ),
    Detector(
        name="assigned-password",
        kind="password",
        title="A password or token beside its name",
        pattern=re.compile(
            rf"(?:{_ASSIGNED})[\"'`]? ?[:=] ?[\"'`]?(?P<value>[^\s\"'`\\,;<>(){{}}\[\]&|]{{12,200}})"
            r"(?=[\s\"'`\\,;&|]|$)"
        ),
        hints=("=", ":"),
        accepts=lambda value: is_password(value) and entropy(value) >= 3.4,
        source="Judgement of this library: 12 and more characters, letters and digits, 3.4 bits for each",
    ),
)
