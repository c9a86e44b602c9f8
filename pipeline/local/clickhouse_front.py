"""ClickHouse's HTTP interface over the embedded engine, so that every ClickHouse client works unchanged.

Understood: SQL in `query` and the body, `param_*`, settings as parameters, `database`, `default_format`, sessions,
external tables in forms, compressed bodies, the user by Basic, by X-ClickHouse-User and -Key or by parameters. Two
users: the processes' own, who may do everything, and one for reports, who may read views (`clickhouse_reader`).
Bounded: bodies, requests at work and waiting, sessions, results (see the engine). Not there: streamed or compressed
answers, ClickHouse's own block compression, roles, KILL QUERY, cancelling when a client leaves.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline import keys, logs
from pipeline.local.clickhouse_body import BODY_BYTES_MAX, Account, BadBody, Budget, read_body
from pipeline.local.clickhouse_engine import (
    SESSION_TIMEOUT_S,
    SESSION_TIMEOUT_S_MAX,
    Answer,
    Engine,
    EngineError,
    ExternalTable,
    Query,
)
from pipeline.local.clickhouse_reader import Grants, granted
from pipeline.local.clickhouse_sql import Statement, TwoStatements, parse
from pipeline.settings import REPO, Settings

# Reads and writes wait for themselves only: eight slow reports must not keep the sink from storing.
READS_AT_ONCE = 8
WRITES_AT_ONCE = 4
REQUESTS_MAX = 200  # at work or waiting
BODIES_BYTES_MAX = 4 * BODY_BYTES_MAX  # of all of them
# Parameters of the interface that are no settings, or settings that say how a server's HTTP should behave.
_RESERVED = frozenset(
    {
        *("query", "database", "default_format", "user", "password", "quota_key", "query_id", "role"),
        *("session_id", "session_timeout", "session_check", "close_session"),
        *("compress", "decompress", "buffer_size", "enable_http_compression", "http_zlib_compression_level"),
        *("wait_end_of_query", "http_wait_end_of_query", "stacktrace", "client_protocol_version"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms", "add_http_cors_header"),
        "cancel_http_readonly_queries_on_client_close",
    }
)
_UNAUTHORISED, _FORBIDDEN, _DENIED, _TOO_LARGE, _BUSY = 194, 516, 497, 307, 202
_STATUS = {
    _UNAUTHORISED: 401,
    **dict.fromkeys((_FORBIDDEN, _DENIED), 403),
    _TOO_LARGE: 413,
    _BUSY: 503,
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 81, 115, 372), 404),
    **dict.fromkeys((6, 26, 27, 33, 36, 38, 41, 42, 43, 53, 62, 70, 72, 117, 130, 386, 456, 457), 400),
    **dict.fromkeys((48,), 501),
}


@dataclass(frozen=True, slots=True)
class User:
    """Who may ask. `grants` bound what a reader may read; None: this user may do everything."""

    name: str
    password: str = field(repr=False)
    grants: Grants | None = None


class Front:
    """The ASGI application. It owns its threads; the engine is its maker's."""

    def __init__(self, engine: Engine, users: Sequence[User]) -> None:
        self._engine = engine
        self._users = users
        self._reads = ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="read")
        self._writes = ThreadPoolExecutor(WRITES_AT_ONCE, thread_name_prefix="write")
        self._unfinished = 0
        self._bodies = Budget(BODIES_BYTES_MAX)
        self._log = logs.get("clickhouse")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._respond(Request(scope, receive))
            if response is not None:
                await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response | None:
        query_id = request.query_params.get("query_id") or str(uuid.uuid4())
        if request.url.path not in ("/", "/query"):
            if request.url.path in ("/ping", "/replicas_status"):
                return Response("Ok.\n", media_type="text/plain")
            return Response(f"There is no handle {request.url.path}\n", 404, media_type="text/plain")
        started = time.monotonic()
        try:
            parameters = dict(parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=1000))
            user = self._authenticated(request, parameters)
            if request.method in ("GET", "HEAD") and "query" not in parameters:
                return Response("Ok.\n", media_type="text/plain")
            with self._bodies.account() as account:
                answer = await self._execute(await _query(request, parameters, account, user.grants))
        except ClientDisconnect:
            return None
        except (BadBody, ValueError, MultiPartException) as error:
            code = error.code if isinstance(error, BadBody) else 36
            return self._failure(EngineError(code, f"Code: {code}. DB::Exception: {error}"), query_id)
        except EngineError as error:
            return self._failure(error, query_id)
        return self._success(answer, query_id, time.monotonic() - started)

    def _authenticated(self, request: Request, parameters: Mapping[str, str]) -> User:
        """Whose name and password the request has, in one of the three ways. Raises EngineError where nobody's."""
        given = _credentials(request, parameters)
        if given is None:
            raise EngineError(
                _UNAUTHORISED,
                "Code: 194. DB::Exception: The user and password in keys.json are required. (REQUIRED_PASSWORD)",
            )
        found = None
        for user in self._users:  # all of them, so that the time says nothing
            named = hmac.compare_digest(given[0], user.name.encode())
            opened = hmac.compare_digest(given[1], user.password.encode())
            found = user if named and opened else found
        if found is None:
            raise EngineError(
                _FORBIDDEN,
                "Code: 516. DB::Exception: Authentication failed: password is incorrect, or there is no user with such "
                "name. (AUTHENTICATION_FAILED)",
            )
        return found

    async def _execute(self, query: Query) -> Answer:
        if self._unfinished >= REQUESTS_MAX:
            raise EngineError(
                _BUSY, "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)"
            )
        self._unfinished += 1
        try:
            threads = self._reads if query.statement.reads_only else self._writes
            return await asyncio.get_running_loop().run_in_executor(threads, self._engine.execute, query)
        finally:
            self._unfinished -= 1

    def _success(self, answer: Answer, query_id: str, elapsed_s: float) -> Response:
        summary = {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(answer.result_rows),
            "result_bytes": str(len(answer.body)),
            "elapsed_ns": str(int(elapsed_s * 1e9)),
        }
        headers = self._headers(query_id) | {
            "X-ClickHouse-Format": answer.format,
            "X-ClickHouse-Summary": json.dumps(summary, separators=(",", ":")),
        }
        return Response(answer.body, headers=headers, media_type=_media_type(answer.format))

    def _failure(self, error: EngineError, query_id: str) -> Response:
        status = _STATUS.get(error.code, 500)
        if status == 500:
            self._log.warning("query_failed", code=error.code)
        headers = self._headers(query_id) | {"X-ClickHouse-Exception-Code": str(error.code)}
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse HTTP API"'
        return Response(f"{error.text}\n", status, headers, media_type="text/plain; charset=UTF-8")

    def _headers(self, query_id: str) -> dict[str, str]:
        safe = "".join(letter for letter in query_id[:128] if letter.isascii() and letter.isprintable())
        return {
            "X-ClickHouse-Server-Display-Name": "throughline",
            "X-ClickHouse-Query-Id": safe,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }


def _credentials(request: Request, parameters: Mapping[str, str]) -> tuple[bytes, bytes] | None:
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        try:
            user, _, password = base64.b64decode(header[6:], validate=True).partition(b":")
        except binascii.Error:
            return b"", b""
        return user, password
    if "x-clickhouse-user" in request.headers:
        user_text, key = request.headers["x-clickhouse-user"], request.headers.get("x-clickhouse-key", "")
        return user_text.encode(), key.encode()
    if "user" in parameters:
        return parameters["user"].encode(), parameters.get("password", "").encode()
    return None


async def _query(request: Request, parameters: dict[str, str], account: Account, grants: Grants | None = None) -> Query:
    """The request as the engine takes it. Raises BadBody, EngineError, ValueError, MultiPartException."""
    tables: list[ExternalTable] = []
    body = b""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=100, max_fields=1000, max_part_size=BODY_BYTES_MAX) as form:
            files: dict[str, bytes] = {}
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    account.add(value.size or 0)
                    files[name] = await value.read()
                else:
                    parameters[name] = value
        tables = [_external(name, data, parameters) for name, data in files.items()]
    else:
        body = await read_body(request, account)
    for name in ("compress", "decompress", "role"):
        if parameters.get(name, "0") not in ("", "0"):
            raise EngineError(48, f"Code: 48. DB::Exception: `{name}` is not supported here. (NOT_IMPLEMENTED)")
    sql = parameters.get("query", "").encode()
    statement = _statement(sql + b"\n" + body if sql else body)
    if request.method in ("GET", "HEAD") and not statement.reads_only:
        raise EngineError(
            164, "Code: 164. DB::Exception: Cannot execute query in readonly mode: GET only reads. (READONLY)"
        )
    timeout_s = int(parameters.get("session_timeout") or SESSION_TIMEOUT_S)
    own = {f"{table.name}_{suffix}" for table in tables for suffix in ("format", "structure", "types")}
    return Query(
        statement=statement,
        database=parameters.get("database") or request.headers.get("x-clickhouse-database", ""),
        default_format=parameters.get("default_format")
        or request.headers.get("x-clickhouse-format", "")
        or "TabSeparated",
        params={name[6:]: value for name, value in parameters.items() if name.startswith("param_")},
        settings={
            name: value
            for name, value in parameters.items()
            if name not in _RESERVED and name not in own and not name.startswith("param_")
        },
        session=parameters.get("session_id", ""),
        session_timeout_s=max(1, min(timeout_s, SESSION_TIMEOUT_S_MAX)),
        session_must_exist=parameters.get("session_check") == "1",
        tables=tables,
        grants=grants,
    )


def _statement(text: bytes) -> Statement:
    try:
        return parse(text)
    except TwoStatements as error:
        raise EngineError(62, f"Code: 62. DB::Exception: {error}. (SYNTAX_ERROR)") from error


def _external(name: str, data: bytes, parameters: Mapping[str, str]) -> ExternalTable:
    structure = parameters.get(f"{name}_structure") or ", ".join(
        f"_{place} {kind}" for place, kind in enumerate(parameters.get(f"{name}_types", "").split(","), 1) if kind
    )
    if not structure:
        raise ValueError(f"The external table {name} has neither a structure nor types. (BAD_ARGUMENTS)")
    return ExternalTable(name, structure, parameters.get(f"{name}_format") or "TabSeparated", data)


def _media_type(data_format: str) -> str:
    if data_format.startswith("JSON"):
        ending = "x-ndjson" if "EachRow" in data_format else "json"
        return f"application/{ending}; charset=UTF-8"
    if data_format.startswith("CSV"):
        return "text/csv; charset=UTF-8"
    if data_format.startswith(("TabSeparated", "TSV")):
        return "text/tab-separated-values; charset=UTF-8"
    return "application/octet-stream" if data_format in ("Native", "RowBinary", "Arrow", "Parquet") else "text/plain"


def run(settings: Settings) -> None:
    """Answer at the ClickHouse port until SIGTERM."""
    made = keys.load_or_create(settings)
    engine = Engine(settings.home.resolve() / "clickhouse")
    try:
        options: dict[str, Any] = {"log_config": None, "access_log": False, "lifespan": "off", "http": "httptools"}
        script = (REPO / "deploy" / "clickhouse" / "bi_user.sql").read_text()
        users = (
            User(made.clickhouse_user, made.clickhouse_password),
            User(made.bi_user, made.bi_password, granted(script, settings.clickhouse_database)),
        )
        front = Front(engine, users)
        # The bound on connections leaves room for idle ones: clients keep theirs open.
        uvicorn.run(
            front,
            host=settings.host,
            port=settings.clickhouse_port,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            backlog=512,
            limit_concurrency=1000,
            **options,
        )
    finally:
        engine.close()
