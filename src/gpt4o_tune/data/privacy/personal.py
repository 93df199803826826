"""Detectors of personal data in forms of their own: addresses, phones, cards and accounts."""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise

from gpt4o_tune.data.privacy.checksums import digits_of, luhn, mod97
from gpt4o_tune.data.privacy.detector import Detector

_WORDS = re.compile(r"[a-z]+").findall
_COUNTRY_DOMAINS = frozenset(
    _WORDS(
        "ac ad ae af ag ai al am ao ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc "
        "cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr "
        "ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je "
        "jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo "
        "mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt "
        "pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk "
        "tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
    )
)
_OTHER_DOMAINS = frozenset(
    _WORDS(
        "com org net edu gov mil int info biz name pro aero coop museum jobs mobi travel tel cat asia post xxx app dev "
        "page blog xyz online site website shop store tech cloud email agency academy company digital group life live "
        "media news space systems team today tools top work works world zone club art design studio health care bank "
        "law legal consulting solutions support expert global international network social software technology "
        "ventures wiki example guru ninja rocks school university education finance services city berlin hamburg koeln "
        "bayern paris london nyc tokyo amsterdam madrid vlaanderen wien swiss scot wales bzh lat africa ltd gmbh llc inc"
    )
)
_LOCAL = r"[A-Za-z0-9!#$&+=?^_{|}~-]"
_NOT_PEOPLE = re.compile(r"(?i)(?:git|hg|svn|no-?reply|do-?not-?reply|mailer-daemon)@")
_PHONE_WORDS = re.compile(
    r"(?i)\b(?:phone|telephone|tel|call|cell|mobile|mob|fax|whatsapp|sms|text|dial|hotline|ring|reach|contact|number is"
    r"|telefon|handy|mobil|rufnummer|anrufen|t[eé]l[eé]phone|portable|appel\w*|tel[eé]fono|m[oó]vil|celular|llam\w+"
    r"|telefono|cellulare|chiam\w+|telefone|ligue|telefoon|bel)\b"
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?"  # Discover
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14}(?:\d{3})?"  # UnionPay
)
_IBAN_LENGTHS = {
    code: int(length)
    for code, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27"
        "GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
        "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28"
        "TL23TN24TR26UA29VA22VG24XK20YE30",
    )
}
_CALLING_CODES = re.compile(
    r"1|7|2(?:0|1[1-368]|2\d|3\d|4\d|5[0-8]|6\d|7|9[01789])|3(?:[0-469]|5\d|7[0-8]|8[0-35-79])|4(?:[013-9]|2[013])"
    r"|5(?:[1-8]|0\d|9\d)|6(?:[0-6]|7[0-9]|8[0-35-9]|9[0-2])|8(?:[1246]|5[02356]|8[0-36])|9(?:[0-58]|6[0-8]|7[0-7]|9[2-68])"
)
"""Country codes that ITU-T has assigned, by E.164."""
_KNOWN_SERVERS = frozenset(
    {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222"}
)


def is_mail_address(value: str) -> bool:
    """Tell whether an address ends in a domain that exists, and is not that of a machine."""
    last = value.rsplit(".", 1)[-1].lower()
    known = last in _COUNTRY_DOMAINS or last in _OTHER_DOMAINS
    return known and not _NOT_PEOPLE.match(value)


def is_card(value: str) -> bool:
    """Tell whether a number lies in the range of an issuer and has its check digit."""
    digits = re.sub(r"[ -]", "", value)
    return bool(_ISSUERS.fullmatch(digits)) and luhn(digits_of(digits)) and len(set(digits)) > 1


def is_iban(value: str) -> bool:
    """Tell whether an account number has the length of its country and its check digits."""
    compact = value.replace(" ", "").upper()
    return len(compact) == _IBAN_LENGTHS.get(compact[:2]) and mod97(compact[4:] + compact[:4]) == 1


def is_international_phone(value: str) -> bool:
    """Tell whether a number starts with a country code and has 8 to 15 digits, by E.164."""
    digits = "".join(map(str, digits_of(value.replace("(0)", ""))))
    digits = digits if value.startswith("+") else digits[2:]
    known = bool(_CALLING_CODES.match(digits))
    return 8 <= len(digits) <= 15 and known and _varies(digits) and _is_even(value)


def is_phone_beside_word(value: str) -> bool:
    """Tell whether digits could be a number that somebody calls: not a date, a version or an amount."""
    digits = "".join(map(str, digits_of(value)))
    dated = re.match(
        r"(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ]|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d\d\b",
        value,
    )
    is_decimal = re.fullmatch(r"\d+\.\d+", value)
    return (
        7 <= len(digits) <= 15
        and not dated
        and not is_decimal
        and _varies(digits)
        and _is_even(value)
    )


def _varies(digits: str) -> bool:
    """Tell whether digits are neither all but the same nor counted up, as in stand-ins."""
    steps = {int(after) - int(before) for before, after in pairwise(digits)}
    return len(set(digits)) >= 3 and steps != {1}


def _is_even(value: str) -> bool:
    """Tell whether at most one group after the first has a single digit, and none after a dot."""
    single = re.findall(r"([ ./-])\d(?!\d)", value)
    return len(single) <= 1 and "." not in single


def is_public_ipv4(value: str) -> bool:
    """Tell whether an address belongs to somebody, and is no version or section number."""
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        return False
    looks_numbered = all(int(part) < 100 for part in value.split("."))
    known = value in _KNOWN_SERVERS
    return address.is_global and not address.is_multicast and not looks_numbered and not known


def is_public_ipv6(value: str) -> bool:
    """Tell whether an address is one of those given out, 2000::/3, and not for documentation."""
    try:
        address = ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return address.is_global and value[0] in "23"


PERSONAL: tuple[Detector, ...] = (
    Detector(
        name="iban",
        kind="iban",
        title="A bank account number (IBAN)",
        pattern=re.compile(
            r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?(?![A-Za-z0-9])"
            r"|(?<![A-Za-z0-9])[A-Z]{2}\d{2}[A-Z0-9]{11,29}(?![A-Za-z0-9])"
        ),
        accepts=is_iban,
        source="ISO 13616; SWIFT IBAN registry",
    ),
    Detector(
        name="card",
        kind="card",
        title="A payment card number",
        pattern=re.compile(
            r"(?<![\d.,/_#+-])(?<!\d )(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -])\d{6}\2\d{4,5})"
            r"(?![\d_]|[.,-]\d| \d)"
        ),
        accepts=is_card,
        source="ISO/IEC 7812; ranges that the card schemes publish",
    ),
    Detector(
        name="ipv4",
        kind="ip",
        title="A public IP address",
        pattern=re.compile(
            r"(?<![\w.+-])(?<![^/:]/)(?<![Vv]ersion )(?<![Rr]elease )(?:\d{1,3}\.){3}\d{1,3}(?![\w+-]|\.\d)"
        ),
        accepts=is_public_ipv4,
        hints=(".",),
        source="RFC 791; IANA registry of special addresses, as Python's `ipaddress` has it",
    ),
    Detector(
        name="ipv6",
        kind="ip",
        title="A public IP address",
        pattern=re.compile(
            r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])"
        ),
        accepts=is_public_ipv6,
        hints=(":",),
        source="RFC 4291; IANA registry of special addresses, as Python's `ipaddress` has it",
    ),
    Detector(
        name="email",
        kind="email",
        title="An e-mail address",
        pattern=re.compile(
            rf"(?<![A-Za-z0-9._%+@/-])[A-Za-z0-9]{_LOCAL}{{0,63}}(?:\.{_LOCAL}{{1,64}}){{0,6}}"
            r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9_@(]|\.[A-Za-z]|-[A-Za-z0-9])"
        ),
        accepts=is_mail_address,
        hints=("@",),
        source="RFC 5321; IANA list of domains: those of countries, and the common others",
    ),
    Detector(
        name="phone-international",
        kind="phone",
        title="A phone number",
        pattern=re.compile(
            r"(?<![\w+.,=*/^-])(?:\+|(?<!\d )00(?=[1-9]\d[ ./-]?\d))[1-9]\d{0,2}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d(?:[ ./-]?\d){5,12}"
            r"(?![\w%]|[.,:]\d)"
        ),
        accepts=is_international_phone,
        source="ITU-T E.164; E.123",
    ),
    Detector(
        name="phone-north-america",
        kind="phone",
        title="A phone number",
        pattern=re.compile(
            r"(?<![\w+.,=#/$-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d([.-]))[2-9]\d\d(?(1)\1|[-. ])\d{4}(?![\w%-]|[.,]\d)"
        ),
        source="North American Numbering Plan: neither area nor exchange begins with 0 or 1",
    ),
    Detector(
        name="phone-france",
        kind="phone",
        title="A phone number",
        pattern=re.compile(
            r"(?<![\w.,/-])(?<!\d )0[1-9]([ .-])\d\d\1\d\d\1\d\d\1\d\d(?![\w-]|[ .,]\d)"
        ),
        source="ARCEP numbering plan: ten digits in pairs",
    ),
    Detector(
        name="phone-britain",
        kind="phone",
        title="A phone number",
        pattern=re.compile(
            r"(?<![\w.,/-])(?<!\d )(?:\(0\d{2,4}\)|0(?:2\d|1\d{2,4}|7\d{3}|3\d\d|800)) \d{3,4} ?\d{3,4}(?![\w-]|[ .,]\d)"
        ),
        accepts=lambda value: 10 <= len(digits_of(value)) <= 11,
        source="Ofcom, National Telephone Numbering Plan",
    ),
    Detector(
        name="phone-beside-word",
        kind="phone",
        title="A phone number",
        pattern=re.compile(
            r"(?<![\w.,=#/$€£-])(?<!\d )\(?\d{1,5}\)?(?:[ ./-]{0,2}\d){5,11}(?![\w%:]|[.,/-]\d)"
        ),
        accepts=is_phone_beside_word,
        words=_PHONE_WORDS,
        source="Judgement of this library: 7 to 15 digits, up to 40 characters after a word such as `call`",
    ),
)
