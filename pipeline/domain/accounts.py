"""Bank accounts in texts: found by their form, or by the words beside them, and replaced.

- An IBAN is told by its country's length and its checksum.
- Other account numbers are digits like any order's number, so words decide. Behind *sort code*, *BLZ*, *Bankleitzahl*
  or *BSB* stands a bank's number of 6 to 9 digits, and behind *routing*, *ABA* or *RTN* one of 9 digits whose checksum
  is right; digits right behind that are the account. Behind *account*, *acct*, *a/c* or *Konto* stands an account where
  the text speaks of a bank, in these words or others, or has a US routing number in it.

Between a word and its number there may be 24 characters. Account numbers have 6 to 17 digits, with blanks and dashes.
Not found are accounts beside no such word, and those of a shop: my account 4711 is no bank's.
"""

from __future__ import annotations

import re

BANK = "[bank]"

#: ISO 13616: how long an account number of each country is.
_IBAN_CHARS = {
    each[:2]: int(each[2:])
    for each in (  # noqa: SIM905  a table of 85 entries, not a list of literals
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 "
        "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 "
        "QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
    ).split()
}

_IBAN = re.compile(r"(?<![^\W_])[A-Za-z]{2}\d\d(?=[ -]?[A-Za-z0-9])")
_IBAN_OF = {size: re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{size}}}(?![^\W_])") for size in frozenset(_IBAN_CHARS.values())}

# No bracket between a word and its number: what was replaced already belongs to that word.
_GAP = r"[^\d\[\n]{0,24}?"
_NUMBER = r"\d(?:[ -]?\d){5,16}(?![ -]?\d)"
_ROUTING = frozenset({"routing", "aba", "rtn"})
_CODE_WORDS = r"sort[ -]?code|s/c|blz|bankleitzahl|bsb|routing|aba|rtn"
_CODE = re.compile(
    rf"(?<!\w)(?P<word>{_CODE_WORDS})s?(?!\w)(?P<gap>{_GAP})(?P<code>\d(?:[ -]?\d){{5,8}})(?!\d)"
    rf"(?:(?P<between>[\s,;:/|-]{{0,5}})(?P<account>{_NUMBER}))?",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    rf"(?<!\w)(?P<word>accounts?|acct|a/c|konto(?:nummer|nr)?)(?!\w)(?P<gap>{_GAP})(?P<account>{_NUMBER})",
    re.IGNORECASE,
)
_WORDS = re.compile(rf"(?<!\w)(?:{_CODE_WORDS}|account|acct|a/c|konto)", re.IGNORECASE)
_SPEAKS_OF_A_BANK = re.compile(rf"(?<!\w)(?:{_CODE_WORDS}|banks?|iban|giro\w*)(?!\w)|\[bank\]", re.IGNORECASE)
_NINE = re.compile(r"(?<![\w-])\d{9}(?![\w-])")
_NOT_DIGITS = re.compile(r"\D+")
_FEDERAL = frozenset((*range(13), *range(21, 33), *range(61, 73), 80))  # what routing numbers begin with


def without_accounts(text: str) -> str:
    """The text with a word in the place of each bank account."""
    text = _without_ibans(text)
    return _without_numbers(text) if _WORDS.search(text) else text


def _without_ibans(text: str) -> str:
    parts, done = [], 0
    for found in _IBAN.finditer(text):
        start = found.start()
        size = _IBAN_CHARS.get(text[start : start + 2].upper())
        whole = _IBAN_OF[size].match(text, start) if size and start >= done else None
        if whole and _is_iban(whole[0]):
            parts += [text[done:start], BANK]
            done = whole.end()
    return "".join(parts) + text[done:]


def _is_iban(text: str) -> bool:
    """Whether its checksum is right (ISO 7064, mod 97-10)."""
    plain = "".join(filter(str.isalnum, text)).upper()
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def is_routing(digits: str) -> bool:
    """Whether nine digits are a US bank's routing number: its beginning, and the checksum (3, 7, 1; mod 10)."""
    return (
        len(digits) == 9
        and int(digits[:2]) in _FEDERAL
        and sum(int(digit) * weight for digit, weight in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0
    )


def _without_numbers(text: str) -> str:
    """Without the numbers that words say are a bank's."""
    speaks = _SPEAKS_OF_A_BANK.search(text) is not None
    text = _CODE.sub(_without_code, text)
    accounts = [found.span("account") for found in _ACCOUNT.finditer(text)]
    if not accounts:
        return text
    routing = [
        found.span()
        for found in _NINE.finditer(text)
        if is_routing(found[0]) and not any(start <= found.start() < end for start, end in accounts)
    ]
    if not (speaks or routing):
        return text
    parts, done = [], 0
    for start, end in sorted((*accounts, *routing)):
        parts += [text[done:start], BANK]
        done = end
    return "".join(parts) + text[done:]


def _without_code(found: re.Match[str]) -> str:
    if found["word"].lower() in _ROUTING and not is_routing(_NOT_DIGITS.sub("", found["code"])):
        return found[0]
    kept = found.string[found.start() : found.start("code")]
    return f"{kept}{BANK}" if found["account"] is None else f"{kept}{BANK}{found['between']}{BANK}"
