"""Texts: what is personal is replaced, in every spelling, and what only looks a little like it stays."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.accounts import is_routing
from pipeline.domain.texts import GROUPS_MAX, holds, masked, masked_code

# A text, the region, what becomes of it as a free text, and what as a code.
REPLACED = [
    ("mail ann.lee+x@example.co.uk, please", "US", "mail [e-mail], please", ...),
    ("Ann@EXAMPLE.com", "US", "[e-mail]", ...),
    ("o'brien@example.com!", "US", "[e-mail]!", ...),
    ("jö@bücher.example", "DE", "[e-mail]", ...),
    ("/search?mail=ann%40example.com&page=2", "US", "/search?mail=[e-mail]&page=2", ...),
    ("ann＠example.com", "US", "[e-mail]", ...),  # full width
    ("ann@exa\u00admple.com", "US", "[e-mail]", ...),  # with a soft hyphen
    ("call +1 202 555 0142 now", "DE", "call [phone] now", ...),
    ("tel:+12025550142", "DE", "tel:[phone]", ...),
    ("+49 151 12345678 20 Uhr", "US", "[phone] 20 Uhr", ...),
    ("/s?tel=%2B4915112345678", "US", "/s?tel=[phone]", ...),
    ("+12025550142x7", "US", "[phone]x7", ...),
    ("++4915112345678", "US", "+[phone]", ...),
    ("+999 12345678", "US", "[phone]", ...),  # of no country: with + it is meant as one
    ("00 49 151 12345678", "DE", "[phone]", ...),
    ("0012025550142", "DE", "[phone]", ...),
    ("call (202) 555-0142 today", "US", "call [phone] today", ...),
    ("(call me 202 555 0142)", "US", "(call me [phone])", ...),
    ("202.555.0142/202-555-0143", "US", "[phone]/[phone]", ...),
    ("2023-11-14 10:22 202-555-0142", "US", "2023-11-14 10:22 [phone]", ...),
    ("12 202-555-0142 34", "US", "12 [phone] 34", ...),
    ("0711 123 45 67", "DE", "[phone]", ...),
    ("06 12 34 56 78", "FR", "[phone]", ...),
    ("06.12.34.56.78", "FR", "[phone]", ...),  # begins like a date
    ("2025550142", "US", "[phone]", "2025550142"),  # digits alone may be an order's number
    ("1-202-555-0142", "US", "[phone]", ...),
    ("4111 1111 1111 1111 12/27", "US", "[card] 12/27", ...),
    ("card:4111-1111-1111-1111", "US", "card:[card]", ...),
    ("4111111111111111", "US", "[card]", ...),
    ("7 378282246310005 9", "US", "7 [card] 9", ...),
    ("DE89 3704 0044 0532 0130 00 please", "US", "[bank] please", ...),
    ("gb29nwbk60161331926819", "US", "[bank]", ...),
    ("AB12 GB29NWBK60161331926819", "US", "AB12 [bank]", ...),
    ("id-NO93-8601-1117-947", "US", "id-[bank]", ...),
    ("sort code 20-00-00, account 55779911", "GB", "sort code [bank], account [bank]", ...),
    ("Sort Code: 200000 55779911 please", "GB", "Sort Code: [bank] [bank] please", ...),
    ("acct 12345678, S/C 20 00 00", "GB", "acct [bank], S/C [bank]", ...),
    ("BLZ 370 400 44 Konto 0532 0130 00", "DE", "BLZ [bank] Konto [bank]", ...),
    ("Kontonummer: 532013000, Bankleitzahl 37040044", "DE", "Kontonummer: [bank], Bankleitzahl [bank]", ...),
    ("BSB 062-000 Account no. 1234 5678", "AU", "BSB [bank] Account no. [bank]", ...),
    ("routing number 021000021 account number 9876543210", "US", "routing number [bank] account number [bank]", ...),
    ("account 123456789 / 021000021", "US", "account [bank] / [bank]", ...),
    ("my bank account is 1234567", "US", "my bank account is [bank]", ...),
    ("4111.1111.1111.1111", "US", "[card]", ...),
    ("4111/1111/1111/1111, 3782.822463.10005", "US", "[card], [card]", ...),
]

KEPT = [
    ("return blue shoes", "US"),
    ("50% off until 12/27", "US"),
    ("3@2.50 and 4@10", "US"),
    ("order 4711-20231114", "US"),
    ("order 4711-20231114", "DE"),
    ("A2025550142", "US"),  # letters before it: a number of something
    ("7b0e7c1e-5c6e-4f1e-9a3c-2f5b0d6f9a01", "US"),
    ("1764000000123", "US"),  # milliseconds
    ("20231114", "US"),
    ("2023-11-14 10", "US"),
    ("on 04.11.2023 12 Uhr", "DE"),
    ("EAN 4006381333931", "DE"),
    ("4111 1111 1111 1112", "US"),  # a wrong check digit
    ("DE88 3704 0044 0532 0130 00", "US"),  # the same
    ("1,299.00 EUR", "US"),
    ("Chrome/121.0.6167.139 Safari/537.36", "US"),  # 210-616-7139 would be somebody's
    ("Größe 42, für 12 Personen", "DE"),
    ("", "US"),
    ("12345678", "ZZ"),  # no region
    ("I cannot see order 4711-20231114 in my account", "US"),
    ("my account 47112023 does not work", "US"),  # the shop's
    ("account 021000021", "US"),  # may be the shop's too
    ("routing 123456789", "US"),  # a wrong checksum
    ("pay by bank, order 123456789, account manager 555", "US"),
    ("4111.1111/1111.1111", "US"),  # no card is written like that
    ("10.20.1111.1111.4444", "US"),
]


@pytest.mark.parametrize(("text", "region", "free", "code"), REPLACED)
def test_personal_data_are_replaced(text: str, region: str, free: str, code: str) -> None:
    assert masked(text, region) == free
    assert masked_code(text, region) == (free if code is ... else code)
    assert holds(text, region) == (masked_code(text, region) != text)


@pytest.mark.parametrize(("text", "region"), KEPT)
def test_what_is_not_personal_stays_as_it_is(text: str, region: str) -> None:
    assert masked(text, region) == text
    assert masked_code(text, region) == text


def test_a_code_may_hold_a_date_or_a_receipt_beside_letters() -> None:
    for code in ("W-202-555-0142", "W-0711-1234567", "33116-990101", "00007-0003-19970105-2-29.33-1", "AA01-33116"):
        assert masked_code(code, "US") == code


numbers = st.sampled_from(["US", "DE", "FR", "GB", "IT", "BR", "IN", "JP"]).flatmap(
    lambda region: st.tuples(
        st.just(region),
        st.sampled_from(
            [
                phonenumbers.format_number(number, style)
                for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
                if (number := phonenumbers.example_number_for_type(region, kind))
                for style in (
                    phonenumbers.PhoneNumberFormat.E164,
                    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
                    phonenumbers.PhoneNumberFormat.NATIONAL,
                )
            ]
        ),
    )
)
words = st.text(st.characters(codec="utf-8", exclude_characters="%"), max_size=20)


@given(numbers, words, words)
def test_a_phone_number_among_words_goes(number: tuple[str, str], before: str, after: str) -> None:
    region, written = number
    for found in (masked(f"a {written} b", region), masked_code(f"a {written} b", region)):
        assert found == "a [phone] b"
    assert written not in masked(f"{before} ; {written} ; {after}", region)


@given(words, words, st.from_regex(r"[a-z][a-z0-9._]{0,20}[a-z0-9]@[a-z]{1,10}\.(com|org|co\.uk)", fullmatch=True))
def test_an_address_among_words_goes(before: str, after: str, address: str) -> None:
    text = f"{before} {address} {after}"
    assert address not in masked(text, "US")
    assert address not in masked_code(text, "US")


@given(st.text(st.sampled_from("0123456789 +-().@/aDE%:")) | st.text())
def test_cleaning_again_changes_nothing(text: str) -> None:
    for clean in (masked, masked_code):
        for region in ("US", "DE"):
            once = clean(text, region)
            assert clean(once, region) == once


@given(st.lists(st.sampled_from([*"0123456789 ,-[]", "account ", "sort code ", "routing ", "021000021", "bank"])))
def test_cleaning_what_speaks_of_banks_again_changes_nothing(parts: list[str]) -> None:
    once = masked("".join(parts), "GB")
    assert masked(once, "GB") == once


def test_what_stands_behind_a_sort_code_is_an_account_only_right_behind_it() -> None:
    assert masked("sort code 20-00-00 is wrong, order 47112023", "GB") == "sort code [bank] is wrong, order 47112023"


def test_what_a_routing_number_is() -> None:
    assert all(map(is_routing, ("021000021", "026009593", "322271627", "111000025")))
    assert not any(map(is_routing, ("021000022", "991000021", "02100002", "0210000211")))


@given(st.integers(8, 2_000))
def test_more_numbers_than_anybody_looks_into_are_gone_all_the_same(n: int) -> None:
    assert "0142" not in masked("202-555-0142, " * n, "US")
    assert not re.search(r"\d", masked("1 " * (GROUPS_MAX + n), "US").rstrip())
