"""What people allow, as one batch function of all that is theirs. Written from the words of README and API alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.domain.interaction import Interaction

PURPOSES = ("service", "analysis")
SPEAKING = ("profile_updated", "consent_changed")
NAMELESS = ("anonymous", "device")


def is_nameless(name: str) -> bool:
    """Whether it is a browser or a device."""
    return name.split(":")[0] in NAMELESS


def word(person: str, theirs: Iterable[Interaction], purpose: str, browser: str = "") -> bool | None:
    """Whether that purpose is allowed of what is filed under a browser of theirs, or (without one) of the person."""
    said = [x for x in theirs if x.type in SPEAKING and purpose in x.consent]
    own = [x for x in said if not x.public]
    if own and not _newest(own).consent[purpose]:
        return False
    mine = [x for x in said if x.public and is_nameless(x.identifier)]
    heard = [x for x in mine if is_nameless(person) or x.identifier == browser]
    return _newest([*own, *heard]).consent[purpose] if own or heard else None


def permitted(person: str, theirs: Iterable[Interaction], purpose: str) -> Iterator[Interaction]:
    """Of what is theirs, what may be used for that purpose."""
    theirs = list(theirs)
    words = {name: word(person, theirs, purpose, name) for name in {x.identifier for x in theirs}}
    return (x for x in theirs if x.consent.get(purpose) is not False and words[x.identifier] is not False)


def evidence(person: str, theirs: Iterable[Interaction]) -> list[Interaction]:
    """What their scores are made of: what one of their browsers refuses is not; who refuses it all is hidden whole."""
    theirs = list(theirs)
    if word(person, theirs, "analysis") is False:
        return [x for x in theirs if x.consent.get("analysis") is not False]
    return list(permitted(person, theirs, "analysis"))


def _newest(said: Iterable[Interaction]) -> Interaction:
    return max(said, key=lambda x: (*x.position, x.identifier))
