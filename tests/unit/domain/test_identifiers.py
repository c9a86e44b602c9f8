"""Identifiers: one spelling for all spellings, nothing shared by accident, nothing personal in clear."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.identifiers import Keyring, clean, mask, parse_id
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.reasons import Reason, Rejected
from tests.policies import POLICY

KEY = bytes(range(32))
KEYRING = Keyring({"k1": KEY, "k2": KEY[::-1]}, "k1", placeholders=POLICY.placeholders)

SPELLINGS = [
    ("customer", " 4711 ", "4711"),
    ("customer", "４７１１", "4711"),  # full-width digits
    ("customer", "Ab-C", "Ab-C"),  # case may tell customers apart
    ("loyalty", "L 1", "L 1"),
    ("email", "Ann.Lee@Example.COM", "ann.lee@example.com"),
    ("email", "mailto:ann@example.com", "ann@example.com"),
    ("phone", "(202) 555-0142", "+12025550142"),
    ("phone", "+1 202 555 0142", "+12025550142"),
    ("phone", "tel:+1-202-555-0142", "+12025550142"),
    ("phone", "＋１ 202 555 0142", "+12025550142"),
    ("phone", "+44 (0)20 7946 0018", "+442079460018"),
    ("phone", "+39 06 1234 5678", "+390612345678"),  # Italy keeps its zero
    ("phone", "202 555 0142 ext. 7", "+12025550142;ext=7"),
    ("anonymous", "3f0c8e6a-0000-4000-8000-000000000000", "3f0c8e6a-0000-4000-8000-000000000000"),
]

REFUSED = [
    ("customer", "", Reason.PLACEHOLDER_IDENTIFIER),
    ("customer", "   ", Reason.PLACEHOLDER_IDENTIFIER),
    ("customer", "NULL", Reason.PLACEHOLDER_IDENTIFIER),
    ("customer", "0", Reason.PLACEHOLDER_IDENTIFIER),
    ("customer", "NaN", Reason.PLACEHOLDER_IDENTIFIER),
    ("customer", "Guest", Reason.PLACEHOLDER_IDENTIFIER),
    ("customer", "[object Object]", Reason.PLACEHOLDER_IDENTIFIER),
    ("anonymous", "00000000-0000-0000-0000-000000000000", Reason.PLACEHOLDER_IDENTIFIER),
    ("anonymous", "undefined", Reason.PLACEHOLDER_IDENTIFIER),
    ("phone", "anonymous", Reason.PLACEHOLDER_IDENTIFIER),
    ("phone", "+0000000000", Reason.PLACEHOLDER_IDENTIFIER),
    ("phone", "999 999 9999", Reason.PLACEHOLDER_IDENTIFIER),
    ("email", "null@example.com", Reason.PLACEHOLDER_IDENTIFIER),
    ("phone", "12", Reason.BAD_IDENTIFIER),
    ("phone", "call me", Reason.BAD_IDENTIFIER),
    ("phone", "+1 202 555 0142 0142", Reason.BAD_IDENTIFIER),
    ("email", "ann", Reason.BAD_IDENTIFIER),
    ("email", "ann@example", Reason.BAD_IDENTIFIER),
    ("email", "@example.com", Reason.BAD_IDENTIFIER),
    ("email", "ann@@example.com", Reason.BAD_IDENTIFIER),
    ("email", "ann@example..com", Reason.BAD_IDENTIFIER),
    ("email", "Ann <ann@example.com>", Reason.BAD_IDENTIFIER),
    ("email", "a" * 65 + "@example.com", Reason.BAD_IDENTIFIER),
    ("customer", "a\x00b", Reason.BAD_IDENTIFIER),
    ("customer", "a\nb", Reason.BAD_IDENTIFIER),
    ("customer", "a\u200bb", Reason.BAD_IDENTIFIER),  # a zero-width space
    ("customer", "a\ud800", Reason.BAD_IDENTIFIER),  # half a surrogate pair
    ("customer", "x" * 257, Reason.BAD_IDENTIFIER),
    ("customer", "ﷺ" * 20, Reason.BAD_IDENTIFIER),  # 20 characters that normalise to 360
    ("e-mail", "a@example.com", Reason.UNKNOWN_NAMESPACE),
]


@pytest.mark.parametrize(("namespace", "value", "expected"), SPELLINGS)
def test_spellings_become_one(namespace: str, value: str, expected: str) -> None:
    assert clean(namespace, value, "US", POLICY.placeholders) == expected
    assert clean(namespace, expected, "US") == expected


@pytest.mark.parametrize(("namespace", "value", "reason"), REFUSED)
def test_refused(namespace: str, value: str, reason: Reason) -> None:
    with pytest.raises(Rejected) as refusal:
        clean(namespace, value, "US", POLICY.placeholders)
    assert refusal.value.reason is reason
    assert len(value.strip()) < 3 or value not in refusal.value.detail or value in ("anonymous", "phone")


def test_the_region_reads_numbers_without_prefix() -> None:
    assert clean("phone", "020 7946 0018", "GB") == "+442079460018"


@pytest.mark.parametrize("word", sorted(POLICY.placeholders.values))
@pytest.mark.parametrize("namespace", NAMESPACES)
def test_no_placeholder_is_an_identifier(namespace: str, word: str) -> None:
    with pytest.raises(Rejected):
        clean(namespace, word.title(), "US", POLICY.placeholders)


@given(st.sampled_from(NAMESPACES), st.text(max_size=40) | st.from_regex(r"\+?[0-9 ()-]{5,18}", fullmatch=True))
def test_cleaning_again_changes_nothing(namespace: str, value: str) -> None:
    try:
        once = clean(namespace, value, "US", POLICY.placeholders)
    except Rejected:
        return
    assert clean(namespace, once, "US") == once
    assert once.isprintable()
    assert unicodedata.is_normalized("NFKC", once)
    known = KEYRING.resolve(namespace, value, "US")
    assert parse_id(known.identifier) == known.identifier


def test_personal_values_are_keyed() -> None:
    digest = hmac.new(KEY, b"phone:+12025550142", hashlib.sha256).hexdigest()[:32]
    assert KEYRING.identify("phone", "+12025550142") == f"phone:k1.{digest}"
    assert KEYRING.identify("customer", "4711") == "customer:4711"
    assert KEYRING.identify("phone", "x") != KEYRING.identify("email", "x")[len("email:") :]
    assert Keyring({"k2": KEY}, "k2").identify("phone", "+12025550142") == f"phone:k2.{digest}"


def test_masks_show_little() -> None:
    assert mask("phone", "+12025550142") == "+1 ••• ••42"
    assert mask("phone", "+12025550102;ext=7") == "+1 ••• ••02"
    assert mask("email", "ann@example.co.uk") == "a•••@e•••.uk"
    assert mask("customer", "4711") == "4711"
    assert KEYRING.resolve("phone", "202 555 0142", "US").mask == "+1 ••• ••42"
    assert KEYRING.resolve("device", "d1", "US").mask == ""


@pytest.mark.parametrize("namespace", ["customer", "loyalty", "anonymous", "device"])
def test_a_value_that_is_an_address_or_number_is_keyed_like_one(namespace: str) -> None:
    address, number = (KEYRING.resolve(namespace, value, "US") for value in ("Ann@Example.com", "+1 (202) 555-0142"))
    for known in (address, number):
        assert re.fullmatch(rf"{namespace}:k1\.[0-9a-f]{{32}}", known.identifier)
        assert parse_id(known.identifier) == known.identifier
    assert address == KEYRING.resolve(namespace, "ann@example.com", "US")
    assert number == KEYRING.resolve(namespace, "(202) 555-0142", "US")
    assert address.identifier.partition(":")[2] != KEYRING.resolve("email", "ann@example.com", "US").identifier[6:]
    assert (address.mask, number.mask) == ("a•••@e•••.com", "+1 ••• ••42")
    beside = KEYRING.resolve(namespace, "of ann@example.com", "US")
    assert beside.mask == "•••"
    assert beside.identifier != address.identifier


def test_what_is_hidden_stays_the_same_under_another_key() -> None:
    for keyring in (FIRST, SECOND):
        assert keyring.opaque("ann@example.com") == FIRST.opaque("ann@example.com") != FIRST.opaque("bob@example.com")
        assert keyring.pseudonym("staff", "Alma") == FIRST.pseudonym("staff", "Alma")
    assert re.fullmatch(r"hashed-[0-9a-f]{32}", FIRST.opaque("ann@example.com"))
    assert re.fullmatch(r"staff:[0-9a-f]{16}", FIRST.pseudonym("staff", "Alma"))
    assert FIRST.pseudonym("staff", "Alma") != FIRST.pseudonym("staff", "Bo")
    assert FIRST.opaque("Alma")[7:23] != FIRST.pseudonym("staff", "Alma")[6:]


@pytest.mark.parametrize("text", ["customer:4711", "device:a b", "customer:a:b", f"phone:k1.{'0a' * 16}"])
def test_ids_in_paths(text: str) -> None:
    assert parse_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "4711", "customer:", "customer:000", "person:1", "phone:+12025550142", "email:a@b.c", "phone:k1.0a"),
        *("customer:ann@example.com", "loyalty:+1 202 555 0142", "device:of ann@example.com"),
    ],
)
def test_what_is_no_id_in_a_path(text: str) -> None:
    with pytest.raises(Rejected):
        parse_id(text)


@pytest.mark.parametrize(
    ("keys", "current"), [({}, "k1"), ({"k1": b"short"}, "k1"), ({"K.1": KEY}, "K.1"), ({"k1": KEY}, "k2")]
)
def test_unusable_keyrings(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring(keys, current)


def test_a_keyring_does_not_show_its_keys() -> None:
    assert KEY.hex()[:8] not in repr(KEYRING)
    assert repr(KEY)[2:10] not in repr(KEYRING)


SEALING = b"s" * 32
FIRST = Keyring({"k1": KEY, "k2": KEY[::-1]}, "k1", SEALING)
SECOND = Keyring({"k1": KEY, "k2": KEY[::-1]}, "k2", SEALING)
THIRD = Keyring({"k1": KEY, "k2": KEY[::-1], "k3": KEY * 2}, "k3", SEALING)
_personal = st.sampled_from([("phone", "+12025550142"), ("email", "ann@example.com"), ("customer", "ann@example.com")])


@given(_personal)
def test_what_is_known_under_an_older_key_leads_to_the_current_one(known: tuple[str, str]) -> None:
    first, second, third = (ring.keyed(*known) for ring in (FIRST, SECOND, THIRD))
    assert len({first, second, third}) == 3
    assert [ring.generation(i) for ring, i in ((FIRST, first), (SECOND, second), (THIRD, third))] == [1, 2, 3]
    assert SECOND.current_of(first) == SECOND.current_of(second) == second
    assert THIRD.current_of(first) == THIRD.current_of(second) == THIRD.current_of(third) == third
    assert THIRD.reseal(FIRST.seal(first)) == THIRD.reseal(SECOND.seal(second)) == THIRD.seal(third)


def test_what_no_older_key_keyed_stays_as_it_is() -> None:
    plain = "customer:4711"
    assert SECOND.current_of(plain) == plain
    assert SECOND.reseal(SECOND.seal(plain)) == SECOND.seal(plain) == FIRST.seal(plain)
    for unknown in (f"phone:k7.{'0a' * 16}", "phone:k1.0a", f"k1.{'0a' * 16}"):
        assert SECOND.current_of(unknown) == unknown
        assert SECOND.generation(unknown) == 0
    newer = SECOND.keyed("phone", "+12025550142")
    assert FIRST.current_of(newer) == newer
    assert FIRST.reseal(SECOND.seal(newer)) == SECOND.seal(newer)


def test_a_keyed_value_that_a_source_sends_back_is_led_to_the_current_key() -> None:
    old = FIRST.keyed("customer", "ann@example.com")
    assert SECOND.resolve("customer", old.removeprefix("customer:"), "US").identifier == SECOND.current_of(old)
    assert SECOND.resolve("customer", "4711", "US").identifier == "customer:4711"


@pytest.mark.parametrize("namespace", ["phone", "email"])
def test_so_is_a_phone_or_an_address_in_the_form_in_which_it_was_given_out(namespace: str) -> None:
    value = {"phone": "+12025550142", "email": "ann@example.com"}[namespace]
    old = FIRST.keyed(namespace, value)
    found = SECOND.resolve(namespace, old.partition(":")[2], "US")
    assert found == (SECOND.resolve(namespace, value, "US").identifier, "")
    for stranger in (f"k7.{'0a' * 16}", "k1.0a", f"k1.{'0A' * 16}"):
        with pytest.raises(Rejected):
            SECOND.resolve(namespace, stranger, "US")


def test_the_next_key_is_needed_to_find_an_identifier_under_it() -> None:
    old = FIRST.keyed("phone", "+12025550142")
    other = Keyring({"k1": KEY, "k2": b"guessed-guessed-"}, "k2", SEALING)
    assert other.current_of(old) != SECOND.current_of(old)
    unsealed = Keyring({"k1": KEY, "k2": KEY[::-1]}, "k2", b"another sealing key, 32 bytes...")
    assert unsealed.current_of(old) != SECOND.current_of(old)


def test_a_seal_shows_no_identifier_and_needs_its_key() -> None:
    seals = {FIRST.seal(i) for i in ("customer:1", "customer:2", FIRST.keyed("phone", "+12025550142"))}
    assert {len(seal) for seal in seals} == {16}
    assert len(seals) == 3
    with pytest.raises(ValueError, match="sealing key"):
        KEYRING.seal("customer:1")
    with pytest.raises(ValueError, match="sealing key"):
        Keyring({"k1": KEY, "k2": KEY}, "k2")
