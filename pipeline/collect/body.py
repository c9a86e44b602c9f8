"""A request's bytes: bounded while they come in and while they are unzipped, so that no sender fills the memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from pipeline.collect.limits import Budget, Limits
from pipeline.problems import Problem

REQUEST_BYTES = 8_192  # what a request holds beside its body, about
_GZIP = 31  # zlib's wbits: a gzip header, the largest window


@asynccontextmanager
async def body_of(request: Request, limits: Limits, budget: Budget) -> AsyncIterator[bytes]:
    """The body, unzipped; its bytes are held in the budget until the context ends.

    Raises Problem: 400 broken_gzip, 408 slow_body, 413 oversize, 415 unsupported_encoding; and Full.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise Problem(
            415,
            "unsupported_encoding",
            "Send the body plain or with 'Content-Encoding: gzip'.",
            {"Accept-Encoding": "gzip"},
        )
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limits.body_bytes:
        raise oversize(limits)
    held = 0
    try:
        budget.take(REQUEST_BYTES)
        held += REQUEST_BYTES
        data = bytearray()
        async with _in_time(limits.body_s):
            async for chunk in request.stream():
                if len(data) + len(chunk) > limits.body_bytes:
                    raise oversize(limits)
                budget.take(len(chunk))
                held += len(chunk)
                data += chunk
        body = bytes(data)
        del data
        if encoding == "gzip":
            body = gunzip(body, limits)
            budget.take(len(body))
            held += len(body)
        yield body
    finally:
        budget.give(held)


def gunzip(data: bytes, limits: Limits) -> bytes:
    """The unzipped bytes, never more than `limits.body_bytes` of them. Raises Problem 400 broken_gzip, 413 oversize."""
    out = bytearray()
    rest = data
    while rest or not data:
        member = zlib.decompressobj(_GZIP)
        try:
            out += member.decompress(rest, limits.body_bytes + 1 - len(out))
        except zlib.error as error:
            raise _broken_gzip() from error
        if len(out) > limits.body_bytes:
            raise oversize(limits)
        if not member.eof:
            raise _broken_gzip()
        rest = member.unused_data  # gzip allows several files one after the other
    return bytes(out)


def oversize(limits: Limits) -> Problem:
    """413: the request is too large."""
    return Problem(
        413,
        "oversize",
        f"A request has at most {limits.body_bytes} bytes, also after decompression: send less at once.",
    )


def _broken_gzip() -> Problem:
    return Problem(400, "broken_gzip", "The body is not complete gzip, though Content-Encoding says so: send it again.")


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Problem(408, "slow_body", f"The body did not arrive within {seconds:g} s: send it again.") from error
