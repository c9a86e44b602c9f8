"""Personal data in texts: found, and replaced by a word that says what stood there.

Found are e-mail addresses, phone numbers, card numbers (by their check digit) and bank accounts (see `accounts`), also
where they are percent-encoded, in full-width digits or with invisible characters in them. Phone numbers are those with
+ or 00 before them, and those of the region as people write them at home. Not found is what only a reader would know:
names, streets, numbers written in words, and numbers of other countries without their prefix.

There are two kinds of text. In a *free* one any run of digits that the region's phones can have is a phone number. A
*code* (an id, a name, an order's number) may be digits for reasons of its own: there a phone number is one with + or 00
before it, or with blanks, dots, dashes or brackets within it as phone numbers have. So 4711-20231114 stays what it is,
and 2025550142 does as an order's number, but not in a comment.

Decisions
- 2026-11-24 A code that holds personal data is replaced by a keyed hash where it is an id (`validate`), and masked
  where it only describes (`stitch.outputs`): so copies stay copies, and nobody takes a mask for an id.
- 2026-11-24 When the checks are used up, what looks like a number is replaced unasked: a hostile text costs some 10 ms
  at most, and hides nothing.

Cost: a text without digits and @ takes less than a microsecond; what looks like numbers is checked at most CHECKS_MAX
times, and beyond that replaced without being asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import phonenumbers

from pipeline.domain.accounts import without_accounts

EMAIL, PHONE, CARD, NUMBER = "[e-mail]", "[phone]", "[card]", "[number]"

CHECKS_MAX = 8  # of phone numbers in one text, some 0.1 ms each
CARD_CHECKS_MAX = 64  # in one text, 2 µs each
RUNS_MAX = 200  # of digits, looked into in one text
GROUPS_MAX = 24  # of digits in one run; a longer one is replaced whole
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 7, 15  # E.164 allows no more
CARD_DIGITS_MIN, CARD_DIGITS_MAX = 13, 19  # ISO/IEC 7812
CACHE_ENTRIES = 4_096  # of codes, 32 MB if all were as long as a text can be

_BETWEEN = r"[\s().\-/‐-―−]{0,3}"  # digits of one phone number
# A pattern that begins with a set of characters, and looks behind it, is searched for three times as fast.
_SUSPECT_NUMBER = re.compile(rf"[0-9(](?<![\w-].)(?:{_BETWEEN}[0-9]){{6}}")
_SUSPECT_ACCOUNT = re.compile(r"[0-9](?<=[A-Za-z]{2}.)(?<![A-Za-z0-9][A-Za-z]{2}.)[0-9][ -]?[A-Za-z0-9]{4}")
_SUSPECT_WIDE = re.compile(r"[＠﹫]|\d(?:\W{0,4}\d){6}")

# ASCII is looked through faster yet, by its shape: digits as 0, letters as a, what numbers and addresses are written
# with and ids hardly ever are as ?, and the rest as bars.
_SHAPE = bytes(
    ord("0")
    if char.isdigit()
    else ord("a")
    if char.isalpha() or char == "_"
    else ord("?" if char in "@%+(). /" else "|")
    for char in map(chr, range(128))
) + bytes(128)
_NO_WORD = bytes(n for n in range(128) if not chr(n).isalnum() and n != 95)
_SOME_DIGITS, _MANY_DIGITS = b"0000000", b"000000000"  # the least of a phone number, and of a bank account within it
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_EMAIL = re.compile(r"[\w.!#$%*+'^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}(?:xn--[\w-]{2,59}|[^\W\d_]{2,63})")
_ABROAD = re.compile(rf"(?:\+|(?<![\w-])00(?=\s?[1-9]))[\s(]{{0,2}}\d(?:{_BETWEEN}\d){{6,}}")
_RUN = re.compile(rf"(?<![^\W_])\(?\d(?:{_BETWEEN}\d){{6,}}(?![^\W_xX])")
_RUN_IN_CODE = re.compile(rf"(?<![\w-])\(?\d(?:{_BETWEEN}\d){{6,}}(?![\w-])")
_DIGITS = re.compile(r"\d+")
_NOT_DIGITS = re.compile(r"\D+")
_DAY = re.compile(
    r"(?:(?:19|20)\d\d([-./])[01]?\d\1[0-3]?\d|[0-3]?\d([-./])[0-3]?\d\2(?:19|20)?\d\d)(?![-./]?\d)", re.ASCII
)
_VERSION = re.compile(r"\D\d(?:\D|\Z)")  # a lone digit within: people write one before a number, software anywhere
_CARD_GAPS = frozenset(" -")
_CARD_GROUPS = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)})  # as printed: then also with . and /
_CARD_BEGINS = {13: "4", 14: "3", 15: "3"}  # by its digits, of the networks that people pay with
_CARD_BEGINS_ELSE = "23456"


class _Plan(NamedTuple):
    """What a region's numbers look like, as people write them at home."""

    lengths: frozenset[int]  # digits, without the trunk prefix
    trunk: str  # what is dialled before them, '' where nothing is
    trunk_needed: bool


class _Checks:
    """What one text may still be asked; when that is used up, every question is answered with yes."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._phones = CHECKS_MAX
        self._cards = CARD_CHECKS_MAX
        self._runs = RUNS_MAX

    def run(self) -> bool:
        """Whether another run of digits may be looked into."""
        self._runs -= 1
        return self._runs >= 0 <= self._phones

    def phone(self, text: str) -> bool:
        """Whether it is a phone number, of the region where it begins with no + ."""
        self._phones -= 1
        if self._phones < 0:
            return True
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(text, self._region))
        except phonenumbers.NumberParseException:
            return False

    def card(self, digits: str) -> bool:
        """Whether the last digit is the check digit of the others (Luhn)."""
        self._cards -= 1
        if self._cards < 0:
            return True
        doubled = sum(sum(divmod(2 * int(each), 10)) for each in digits[-2::-2])
        return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def masked(text: str, region: str) -> str:
    """A free text, with a word in the place of each personal datum. `region` reads phone numbers without prefix."""
    if "@" not in text and "%" not in text:
        if text.isascii():
            if _SOME_DIGITS not in text.encode().translate(_SHAPE, _NO_WORD):
                return text
        elif not _SUSPECT_WIDE.search(text):
            return text
    plain = _normal(text)
    clean = _replaced(plain, region, _RUN, False)
    return text if clean == plain else clean


@lru_cache(maxsize=CACHE_ENTRIES)
def masked_code(text: str, region: str) -> str:
    """The same of a code or name."""
    if not suspect(f"|{text}|"):
        return text
    plain = _normal(text)
    clean = _replaced(plain, region, _RUN_IN_CODE, True)
    return text if clean == plain else clean


def forget() -> int:
    """Remember no codes that were looked into so far; returns how many those were."""
    held = masked_code.cache_info().currsize
    masked_code.cache_clear()
    return held


def holds(text: str, region: str) -> bool:
    """Whether a code or name has a personal datum in it."""
    return masked_code(text, region) != text


def suspect(codes: str) -> bool:
    """Whether any of several codes, each between bars, is worth a closer look: quick, and too often yes."""
    if codes.isascii():
        shape = codes.encode().translate(_SHAPE, b"-")
        if b"?" not in shape:  # then a number can only be all of a code
            return b"|0000000" in shape or (_MANY_DIGITS in shape and _SUSPECT_ACCOUNT.search(codes) is not None)
    elif _SUSPECT_WIDE.search(codes):
        return True
    if "@" in codes or "%" in codes:
        return True
    return _SUSPECT_NUMBER.search(codes) is not None or _SUSPECT_ACCOUNT.search(codes) is not None


def _normal(text: str) -> str:
    """The text as people read it: percent-encoding, full-width digits and invisible characters undone."""
    if "%" in text:
        text = unquote(text)
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def _replaced(text: str, region: str, run: re.Pattern[str], code: bool) -> str:
    """Every personal datum replaced, the surest kinds first."""
    checks, plan = _Checks(region), _plan(region)
    if "@" in text:
        text = _EMAIL.sub(EMAIL, text)
    text = without_accounts(text)
    text = _ABROAD.sub(lambda found: _without_abroad(found[0], checks), text)

    def card(part: _Part) -> bool:
        return _is_card(part, checks)

    def national(part: _Part) -> bool:
        return _is_national(part, plan, code, checks)

    text = run.sub(lambda found: _without(found[0], CARD, CARD_DIGITS_MAX, checks, card), text)
    digits_max = PHONE_DIGITS_MAX + len(plan.trunk)
    return run.sub(lambda found: _without(found[0], PHONE, digits_max, checks, national), text)


class _Part(NamedTuple):
    """A part of a run that begins and ends with a digit, and is no part of a longer group of digits."""

    text: str
    digits: str
    before: str  # the character before it, '' where it begins the run
    after: str


def _without(run: str, word: str, digits_max: int, checks: _Checks, fits: Callable[[_Part], bool]) -> str:
    """The run with each part that fits replaced: from the left, the longest first."""
    groups = [found.span() for found in _DIGITS.finditer(run)]
    if len(groups) > GROUPS_MAX or not checks.run():
        return NUMBER
    parts, done, at = [], 0, 0
    while at < len(groups):
        start = groups[at][0]
        for last in range(len(groups) - 1, at - 1, -1):
            end = groups[last][1]
            digits = _NOT_DIGITS.sub("", run[start:end])
            if len(digits) <= digits_max and fits(
                _Part(run[start:end], digits, run[start - 1 : start], run[end : end + 1])
            ):
                opened = run[start - 1 : start] == "(" and ")" in run[start:end]
                parts += [run[done : start - opened], word]
                done, at = end, last
                break
        at += 1
    return "".join(parts) + run[done:]


def _is_card(part: _Part, checks: _Checks) -> bool:
    size = len(part.digits)
    return (
        size >= CARD_DIGITS_MIN
        and part.digits[0] in _CARD_BEGINS.get(size, _CARD_BEGINS_ELSE)
        and (_CARD_GAPS.issuperset(_DIGITS.sub("", part.text)) or _is_printed(part.text))
        and checks.card(part.digits)
    )


def _is_printed(text: str) -> bool:
    """Whether the digits stand in groups as on a card, with the same sign between them."""
    groups = tuple(len(each) for each in _DIGITS.findall(text))
    return groups in _CARD_GROUPS and len(set(_NOT_DIGITS.findall(text))) == 1


def _without_abroad(run: str, checks: _Checks) -> str:
    """A run that begins with + or 00, without the number there. With + it is one, whatever the digits say."""
    plus = run[0] == "+"
    begin = 1 if plus else 2
    ends = [found.end() for found in _DIGITS.finditer(run, begin)][:GROUPS_MAX]
    fit = [end for end in ends if PHONE_DIGITS_MIN <= len(_NOT_DIGITS.sub("", run[begin:end])) <= PHONE_DIGITS_MAX]
    for end in reversed(fit):
        if checks.phone(f"+{run[begin:end]}"):
            return PHONE + run[end:]
    return PHONE + run[fit[-1] :] if plus and fit else run


def _is_national(part: _Part, plan: _Plan, code: bool, checks: _Checks) -> bool:
    """Whether it is a phone number as people write it at home."""
    size = len(part.digits)
    if size < PHONE_DIGITS_MIN or not _ends(part.before) or not _ends(part.after) or (code and part.text.isdigit()):
        return False
    fits = size in plan.lengths and not plan.trunk_needed
    if plan.trunk and part.digits.startswith(plan.trunk):
        fits = fits or size - len(plan.trunk) in plan.lengths
    return fits and not _DAY.match(part.text) and not _VERSION.search(part.text) and checks.phone(part.text)


def _ends(char: str) -> bool:
    """Whether a number may begin after that character, or end before it."""
    return not char or char in "()/" or char.isspace()


@lru_cache(maxsize=256)
def _plan(region: str) -> _Plan:
    """From the library's data; of a region that it does not know, no number without + is one."""
    known = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if known is None:
        return _Plan(frozenset(), "", True)
    trunk = known.national_prefix or ""
    needed = [
        trunk in (each.national_prefix_formatting_rule or "") and not each.national_prefix_optional_when_formatting
        for each in known.number_format
    ]
    lengths = known.general_desc.possible_length if known.general_desc else ()
    return _Plan(frozenset(lengths), trunk, bool(trunk) and 2 * sum(needed) > len(needed))
