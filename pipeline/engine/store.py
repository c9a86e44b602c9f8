"""The local state of one partition number: RocksDB, with the changelog offset it stands at.

Data and offset are written in one write batch, so whatever happens to the process the state is exactly what the
changelog holds up to that offset. It is not synced to disk on each write: after a power failure RocksDB comes back
at an earlier offset, and restoring goes on from there.

What was deleted or replaced stays in RocksDB's files until they are compacted: within `FILES_S_MAX` while something is
written, at once by `compact`. Its list of files holds the first and last key of each, so it is begun anew with every
change of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from rocksdict import (
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    CompactOptions,
    Options,
    Rdict,
    WriteBatch,
)

#: Sorts before every key that an agent may use: those begin with a letter.
_META = b"\x00meta"
_WRITE_BUFFER_BYTES = 16 * 1024 * 1024
_BLOCK_CACHE_BYTES = 64 * 1024 * 1024
FILES_S_MAX = 24 * 3600  # files that were written before are compacted
COMPACT_BYTES_MAX = 1024**3  # of a store that is compacted at once; some 20 s
_block_cache = Cache(_BLOCK_CACHE_BYTES)  # one for all partition numbers of the process


class Standing(NamedTuple):
    """How far a store is. Times in ms."""

    offset: int  # of the changelog, to be read next
    written_at: int  # this machine's clock at the last write
    record_at: int  # when its owner wrote the newest change in it


class Store:
    """Keyed bytes of one partition number on disk."""

    def __init__(self, path: Path) -> None:
        """Open or create. Raises what RocksDB raises, for instance when another process has it open."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._files = threading.Lock()  # held by whoever compacts, and by whoever takes the files away
        self._db = self._opened()

    def _opened(self) -> Rdict:
        db = Rdict(str(self.path), options=_options())
        db.set_options({"periodic_compaction_seconds": str(FILES_S_MAX)})
        return db

    def get(self, key: bytes) -> bytes | None:
        """The value under a key."""
        return self._db.get(key)  # type: ignore[no-any-return]

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All under a prefix in key order; of keys behind `after` only, where that is given."""
        cursor = self._db.iter()
        cursor.seek(max(prefix, after + b"\x00") if after else prefix)
        while cursor.valid():
            key = cursor.key()
            if not key.startswith(prefix):
                return
            yield key, cursor.value()
            cursor.next()

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values."""
        return ((key, value) for key, value in self.scan(b"") if key != _META)

    @property
    def standing(self) -> Standing:
        """Where it stands; offset 0 when new."""
        data = self._db.get(_META)
        return Standing(0, 0, 0) if data is None else Standing(*msgspec.msgpack.decode(data))

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], standing: Standing) -> None:
        """Apply changes and the offset that they bring it to, at once."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_META, msgspec.msgpack.encode(tuple(standing)))
        self._db.write(batch)

    def wipe(self) -> None:
        """Empty it, so that it is restored from the beginning."""
        with self._files:
            self._db.close()
            Rdict.destroy(str(self.path), _options())
            self._db = self._opened()

    def compact(self) -> bool:
        """Take out of the files what is not in the state any more; False where that would be too much at once.

        Blocks for seconds, and may be called from a thread while others write. `settle` has to follow.
        """
        with self._files:
            if int(self._db.property_int_value("rocksdb.total-sst-files-size") or 0) > COMPACT_BYTES_MAX:
                return False
            options = CompactOptions()
            # Also where nothing lies below: a file that is only moved down keeps the names of what was deleted.
            options.set_bottommost_level_compaction(BottommostLevelCompaction.force_optimized())
            self._db.compact_range(None, None, options)
            return True

    def settle(self) -> None:
        """Begin the list of files anew, so that it does not name those that were compacted."""
        self.write((), self.standing)
        self._db.flush()

    def close(self) -> None:
        """Close the files."""
        with self._files:
            self._db.close()


def _options() -> Options:
    table = BlockBasedOptions()
    table.set_bloom_filter(10.0, False)
    table.set_block_cache(_block_cache)
    table.set_cache_index_and_filter_blocks(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(3)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    options.set_max_manifest_file_size(1)  # the list of files; it changes with a file of 16 MB
    options.set_bytes_per_sync(1024 * 1024)
    return options
