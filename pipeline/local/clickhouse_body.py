"""Request bodies of the ClickHouse front: bounded, unpacked, never more in memory than declared."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import lz4.frame
from starlette.requests import Request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY_BYTES_MAX = 128 * 1024 * 1024
UNPACKED_BYTES_MAX = 256 * 1024 * 1024


class BadBody(ValueError):
    """A body that is too large, or not what its encoding says; `code` is ClickHouse's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Budget:
    """How many bytes all requests together may hold."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    @contextmanager
    def account(self) -> Iterator[Account]:
        """One request's share; given back when the block ends."""
        account = Account(self)
        try:
            yield account
        finally:
            self._left += account.held

    def take(self, size: int) -> None:
        """Raises BadBody when there is not that much left."""
        if size > self._left:
            raise BadBody(202, "The requests at work hold too much data: try again. (TOO_MANY_SIMULTANEOUS_QUERIES)")
        self._left -= size


class Account:
    """What one request holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def add(self, size: int) -> None:
        """Hold more. Raises BadBody."""
        self._budget.take(size)
        self.held += size


async def read_body(request: Request, account: Account) -> bytes:
    """The whole body, unpacked. Raises BadBody, or starlette's ClientDisconnect when the client leaves."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise BadBody(307, f"The body exceeds {BODY_BYTES_MAX} bytes: send smaller blocks. (TOO_MANY_BYTES)")
        account.add(len(part))
        parts.append(part)
    body = unpacked(b"".join(parts), request.headers.get("content-encoding", ""))
    account.add(max(0, len(body) - size))
    return body


def unpacked(data: bytes, encoding: str) -> bytes:
    """The data without its encoding (gzip, deflate, lz4, zstd). Raises BadBody."""
    if encoding in ("", "identity") or not data:
        return data
    try:
        if encoding in ("gzip", "deflate"):
            inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            result = inflate.decompress(data, UNPACKED_BYTES_MAX + 1)
            complete = inflate.eof
        elif encoding == "lz4":
            lz4_frames = lz4.frame.LZ4FrameDecompressor()
            result = lz4_frames.decompress(data, UNPACKED_BYTES_MAX + 1)
            complete = lz4_frames.eof
        elif encoding == "zstd":
            zstd_frames = zstd.ZstdDecompressor()
            result = zstd_frames.decompress(data, UNPACKED_BYTES_MAX + 1)
            complete = zstd_frames.eof
        else:
            raise BadBody(48, f"Unknown Content-Encoding {encoding!r}. (NOT_IMPLEMENTED)")
    except (zlib.error, RuntimeError, zstd.ZstdError) as error:
        raise BadBody(354, f"The body is not {encoding}: {error}. (ZLIB_INFLATE_FAILED)") from error
    if len(result) > UNPACKED_BYTES_MAX:
        raise BadBody(307, f"The body unpacks to more than {UNPACKED_BYTES_MAX} bytes. (TOO_MANY_BYTES)")
    if not complete:
        raise BadBody(354, f"The body's {encoding} data ends too early. (ZLIB_INFLATE_FAILED)")
    return result
