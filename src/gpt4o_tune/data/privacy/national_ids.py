"""Detectors of national identity and tax numbers: alone where form and check digits say enough, else beside a word."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING

from gpt4o_tune.data.privacy.checksums import digits_of, luhn, mod11_10, verhoeff, weighted
from gpt4o_tune.data.privacy.detector import Detector

if TYPE_CHECKING:
    from collections.abc import Callable

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_SIGNS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD_VALUES = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21] * 2
        + [2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
        strict=True,
    )
)


def is_date(year: int, month: int, day: int) -> bool:
    """Tell whether a day exists."""
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def is_us_ssn(value: str) -> bool:
    """Tell whether a number may have been given out: no area 000, 666 or 9xx, no group or serial of zeros."""
    digits = "".join(map(str, digits_of(value)))
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_german_tax_id(value: str) -> bool:
    """Fit the check digit; of the first ten digits one stands two or three times, the others once at most."""
    digits = digits_of(value)
    counts = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
    return digits[0] != 0 and counts[0] in (2, 3) and counts[1] == 1 and mod11_10(digits)


def is_french_nir(value: str) -> bool:
    """Fit the key: 97 less the remainder of the number by 97; Corsica's 2A and 2B count as 19 and 18."""
    compact = re.sub(r"[ .-]", "", value)
    number = compact[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(compact[13:])


def is_spanish_id(value: str) -> bool:
    """Fit the letter that the number's remainder by 23 chooses; X, Y, Z of foreigners count as 0, 1, 2."""
    compact = re.sub(r"[ .-]", "", value).upper()
    number = compact[:-1].translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(number) % 23] == compact[-1]


def is_italian_code(value: str) -> bool:
    """Fit the last letter: signs in odd places count by a table, in even places by their order, modulo 26."""
    signs = value.upper()
    odd = sum(_ODD_VALUES[sign] for sign in signs[0:15:2])
    even = sum(int(sign) if sign.isdigit() else ord(sign) - ord("A") for sign in signs[1:15:2])
    return (odd + even) % 26 == ord(signs[15]) - ord("A")


def is_dutch_bsn(value: str) -> bool:
    """Fit the test of eleven, whose last digit counts negative."""
    digits = digits_of(value)
    return weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and any(digits)


def is_brazilian_cpf(value: str) -> bool:
    """Fit both check digits, modulo 11."""
    digits = digits_of(value)
    first = weighted(digits, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(digits, range(11, 1, -1)) * 10 % 11 % 10
    return digits[9:] == [first, second] and len(set(digits)) > 1


def is_polish_pesel(value: str) -> bool:
    """Fit the check digit, and begin with a day; the century is added to the month."""
    digits = digits_of(value)
    year, month, day = (int(value[place : place + 2]) for place in (0, 2, 4))
    century = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[month // 20]
    check = weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    return check and is_date(century + year, month % 20, day)


def is_aadhaar(value: str) -> bool:
    """Fit Verhoeff's check."""
    return verhoeff(digits_of(value))


def is_swedish_number(value: str) -> bool:
    """Fit Luhn's check, and begin with a day; 60 is added to it in numbers for coordination."""
    digits = digits_of(value)[-10:]
    year, month, day = (10 * digits[place] + digits[place + 1] for place in (0, 2, 4))
    return luhn(digits) and is_date(2000 + year, month, day - 60 if day > 60 else day)


def is_finnish_hetu(value: str) -> bool:
    """Fit the sign that the number's remainder by 31 chooses, and begin with a day."""
    day, month, year = (int(value[place : place + 2]) for place in (0, 2, 4))
    return _HETU_SIGNS[int(value[:6] + value[7:10]) % 31] == value[10] and is_date(
        2000 + year, month, day
    )


def is_belgian_number(value: str) -> bool:
    """Fit 97 less the remainder by 97, with a 2 before the number for who was born in 2000 and later."""
    digits = "".join(map(str, digits_of(value)))
    number, check = digits[:9], int(digits[9:])
    return check in (97 - int(number) % 97, 97 - int("2" + number) % 97)


def is_swiss_ahv(value: str) -> bool:
    """Fit the check digit of EAN-13."""
    digits = digits_of(value)
    return weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def is_chinese_id(value: str) -> bool:
    """Fit ISO 7064 MOD 11-2, and hold a day of birth."""
    weights = [2**place % 11 for place in range(17, 0, -1)]
    check = (12 - weighted(digits_of(value[:17]), weights) % 11) % 11
    born = is_date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    return born and value[17].upper() == "0123456789X"[check]


def is_canadian_sin(value: str) -> bool:
    """Fit Luhn's check."""
    return luhn(digits_of(value))


def is_australian_tfn(value: str) -> bool:
    """Fit the weighted sum by 11."""
    return weighted(digits_of(value), (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def is_portuguese_nif(value: str) -> bool:
    """Fit the check digit, modulo 11."""
    digits = digits_of(value)
    return (11 - weighted(digits[:8], range(9, 1, -1)) % 11) % 11 % 10 == digits[8]


def is_norwegian_number(value: str) -> bool:
    """Fit both check digits, modulo 11."""
    digits = digits_of(value)
    first = weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return first == second == 0 and any(digits)


def is_turkish_id(value: str) -> bool:
    """Fit both check digits."""
    digits = digits_of(value)
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[9:] == [tenth, sum(digits[:10]) % 10]


def _id(
    name: str,
    title: str,
    pattern: str,
    accepts: Callable[[str], bool] | None,
    source: str,
    *,
    words: str | None = None,
) -> Detector:
    return Detector(
        name=name,
        kind="national-id",
        title=title,
        pattern=re.compile(rf"(?<![\w.,/-])(?<!\d )(?:{pattern})(?![\w/]|[-.,]\d| \d)", re.ASCII),
        accepts=accepts,
        words=re.compile(rf"(?i)(?<![a-z])(?:{words})(?![a-z])") if words else None,
        source=source,
    )


NATIONAL_IDS: tuple[Detector, ...] = (
    _id(
        "us-ssn",
        "A US social security number",
        r"\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}|\d{9}",
        is_us_ssn,
        "Social Security Administration, POMS RM 10201.035",
        words=r"ssn|social security|social[-_ ]?sec(?:urity)?(?:[-_ ]number)?|tax ?payer|itin|tin",
    ),
    _id(
        "uk-nino",
        "A UK national insurance number",
        r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]",
        None,
        "HMRC, NIM39110",
        words=r"nino|ni (?:number|no)|n\.i\.|national insurance|national_insurance\w*|insurance number",
    ),
    _id(
        "de-steuer-id",
        "A German tax number",
        r"[1-9]\d \d{3} \d{3} \d{3}|[1-9]\d{10}",
        is_german_tax_id,
        "Bundeszentralamt für Steuern: Steuer-IdNr., ISO 7064 MOD 11,10",
        words=r"steuer\W?(?:id|identifikations\w*|nummer)\w*|idnr|tin|tax id(?:entification)?",
    ),
    _id(
        "fr-nir",
        "A French social security number",
        r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d",
        is_french_nir,
        "INSEE: NIR with a key modulo 97",
    ),
    _id(
        "es-dni",
        "A Spanish identity number",
        r"(?:\d{8}|[XYZ]\d{7})-?[TRWAGMYFPDXBNJZSQVHLCKE]",
        is_spanish_id,
        "Ministerio del Interior: letter modulo 23",
    ),
    _id(
        "it-codice-fiscale",
        "An Italian tax code",
        r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
        is_italian_code,
        "Agenzia delle Entrate, D.M. 23/12/1976",
    ),
    _id(
        "nl-bsn",
        "A Dutch citizen number",
        r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}",
        is_dutch_bsn,
        "Rijksdienst voor Identiteitsgegevens: test of eleven",
        words=r"bsn|burgerservice\w*|sofi\w*",
    ),
    _id(
        "br-cpf",
        "A Brazilian tax number",
        r"\d{3}\.\d{3}\.\d{3}-\d{2}",
        is_brazilian_cpf,
        "Receita Federal: two check digits modulo 11",
    ),
    _id(
        "br-cpf-plain",
        "A Brazilian tax number",
        r"\d{11}",
        is_brazilian_cpf,
        "Receita Federal: two check digits modulo 11",
        words=r"cpf",
    ),
    _id(
        "pl-pesel",
        "A Polish citizen number",
        r"\d{11}",
        is_polish_pesel,
        "Ministerstwo Cyfryzacji: PESEL",
        words=r"pesel",
    ),
    _id(
        "in-aadhaar",
        "An Indian Aadhaar number",
        r"[2-9]\d{3}([ -]?)\d{4}\1\d{4}",
        is_aadhaar,
        "UIDAI: twelve digits with Verhoeff's check",
        words=r"aadha+r\w*|uidai|uid|आधार",
    ),
    _id(
        "se-personnummer",
        "A Swedish personal number",
        r"(?:19|20)?\d\d(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278]\d|[39][01])[-+]\d{4}",
        is_swedish_number,
        "Skatteverket, SKV 704: Luhn",
    ),
    _id(
        "fi-hetu",
        "A Finnish personal number",
        r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]",
        is_finnish_hetu,
        "Digi- ja väestötietovirasto: sign modulo 31",
    ),
    _id(
        "be-rrn",
        "A Belgian national number",
        r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d",
        is_belgian_number,
        "Rijksregister: check modulo 97",
    ),
    _id(
        "ch-ahv",
        "A Swiss insurance number",
        r"756\.\d{4}\.\d{4}\.\d\d",
        is_swiss_ahv,
        "Zentrale Ausgleichsstelle: prefix 756 and EAN-13",
    ),
    _id(
        "cn-resident-id",
        "A Chinese resident number",
        r"[1-9]\d{5}(?:19|20)\d{9}[\dXx]",
        is_chinese_id,
        "GB 11643-1999: ISO 7064 MOD 11-2",
    ),
    _id(
        "ca-sin",
        "A Canadian insurance number",
        r"[1-79]\d\d([ -]?)\d{3}\1\d{3}",
        is_canadian_sin,
        "Employment and Social Development Canada: Luhn",
        words=r"sin|social insurance\w*",
    ),
    _id(
        "au-tfn",
        "An Australian tax number",
        r"\d{3} ?\d{3} ?\d{3}",
        is_australian_tfn,
        "Australian Taxation Office: sum modulo 11",
        words=r"tfn|tax file\w*",
    ),
    _id(
        "pt-nif",
        "A Portuguese tax number",
        r"[1-35689]\d{8}",
        is_portuguese_nif,
        "Autoridade Tributária: check modulo 11",
        words=r"nif|contribuinte",
    ),
    _id(
        "no-fodselsnummer",
        "A Norwegian birth number",
        r"\d{6} ?\d{5}",
        is_norwegian_number,
        "Skatteetaten: two check digits modulo 11",
        words=r"f[øo]dselsnummer|personnummer|fnr",
    ),
    _id(
        "tr-kimlik",
        "A Turkish identity number",
        r"[1-9]\d{10}",
        is_turkish_id,
        "T.C. Kimlik No: two check digits",
        words=r"t\.?c\.?(?: kimlik\w*)?|kimlik\w*|tckn",
    ),
)
