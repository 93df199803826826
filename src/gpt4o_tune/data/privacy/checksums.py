"""Check digits: sums over digits that a number made up or mistyped is unlikely to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = {chr(ord("A") + place): 10 + place for place in range(26)}


def digits_of(text: str) -> list[int]:
    """Return the digits in a text, in order."""
    return [int(char) for char in text if char in "0123456789"]


def luhn(digits: list[int]) -> bool:
    """Fit ISO/IEC 7812-1, annex B: payment cards, Canadian and Swedish numbers."""
    doubled = (digit * 2 for digit in digits[-2::-2])
    return (
        sum(digits[-1::-2]) + sum(digit - 9 if digit > 9 else digit for digit in doubled)
    ) % 10 == 0


def weighted(digits: Iterable[int], weights: Iterable[int]) -> int:
    """Sum digits times weights, as far as both go."""
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def mod97(text: str) -> int:
    """Return the remainder of ISO 7064 MOD 97-10, letters counting from 10."""
    return int("".join(str(_LETTERS.get(char, char)) for char in text)) % 97


def mod11_10(digits: list[int]) -> bool:
    """Fit ISO 7064 MOD 11,10, as German tax numbers do."""
    check = 10
    for digit in digits[:-1]:
        check = ((check + digit) % 10 or 10) * 2 % 11
    return (check + digits[-1]) % 10 == 1


def verhoeff(digits: list[int]) -> bool:
    """Fit Verhoeff's dihedral check (1969), as Aadhaar numbers do."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        for _ in range(place % 8):
            digit = _TURNED[digit]
        check = _times(check, digit)
    return check == 0


_TURNED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""The permutation that is applied once more at each further place."""


def _times(left: int, right: int) -> int:
    """Compose two symmetries of a pentagon: 0 to 4 turn it, 5 to 9 flip it."""
    turn = (left + right) % 5 if left < 5 else (left - right) % 5
    return turn + 5 * ((left < 5) != (right < 5))
