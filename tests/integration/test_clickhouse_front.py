"""The ClickHouse front, as ClickHouse's own clients see it."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData

from tests.conftest import Stack


def options(stack: Stack, **changes: Any) -> dict[str, Any]:
    return {
        "dsn": stack.settings.clickhouse,
        "username": stack.keys.clickhouse_user,
        "password": stack.keys.clickhouse_password,
        "database": "default",
        "autogenerate_session_id": False,
        **changes,
    }


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with clickhouse_connect.get_client(**options(stack)) as made:
        yield made


@pytest.fixture
async def async_client(stack: Stack) -> AsyncIterator[AsyncClient]:
    made = await clickhouse_connect.get_async_client(**options(stack))
    yield made
    await made.close()


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    user = httpx.BasicAuth(stack.keys.clickhouse_user, stack.keys.clickhouse_password)
    with httpx.Client(base_url=stack.settings.clickhouse, auth=user, timeout=30) as made:
        yield made


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    client.command(
        f"CREATE TABLE {name} (id UInt64, text String, at DateTime64(3, 'UTC')) ENGINE MergeTree ORDER BY id"
    )
    yield name
    client.command(f"DROP TABLE {name}")


def code_of(response: httpx.Response) -> int:
    return int(response.headers["X-ClickHouse-Exception-Code"])


class TestQueries:
    def test_rows_come_back_with_their_types(self, client: Client) -> None:
        result = client.query(
            "SELECT 1::UInt64, 'ü\t\n', [1, NULL]::Array(Nullable(Int8)), map('a', 1.5), toDate('2024-02-29'), NULL"
        )
        (row,) = result.result_rows
        assert row[:4] == (1, "ü\t\n", [1, None], {"a": 1.5})
        assert row[5] is None

    def test_parameters_keep_their_bytes(self, client: Client) -> None:
        nasty = "tab\t line\n quote' back\\slash {x} % ünï\u0000!"
        result = client.query("SELECT {text:String}, {numbers:Array(Int32)}", {"text": nasty, "numbers": [1, -2]})
        assert result.result_rows == [(nasty, [1, -2])]

    def test_no_rows_is_an_answer(self, client: Client) -> None:
        assert client.query("SELECT number FROM numbers(0)").result_rows == []

    def test_many_rows(self, client: Client) -> None:
        result = client.query("SELECT number, toString(number) FROM numbers(300000)")
        assert result.row_count == 300_000
        assert result.result_rows[-1] == (299_999, "299999")

    def test_a_command_gives_a_value(self, client: Client) -> None:
        assert client.command("SELECT 41 + 1") == 42
        assert client.command("SELECT timezone()") == "UTC"

    def test_a_stream_of_blocks(self, client: Client) -> None:
        with client.query_row_block_stream("SELECT number FROM numbers(200000)") as stream:
            assert sum(len(block) for block in stream) == 200_000

    def test_settings_of_a_query_hold_for_it_alone(self, client: Client) -> None:
        assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).first_row == (3,)
        assert client.query("SELECT getSetting('max_threads')").first_row != (3,)

    def test_a_table_can_be_sent_along(self, client: Client) -> None:
        data = ExternalData(
            file_name="ids.csv", data=b"1,one\n2,two\n", fmt="CSV", structure=["id UInt8", "name String"]
        )
        result = client.query("SELECT name FROM ids WHERE id = 2", external_data=data)
        assert result.result_rows == [("two",)]

    async def test_the_async_client(self, async_client: AsyncClient) -> None:
        results = await asyncio.gather(*(async_client.query(f"SELECT {n} AS n") for n in range(20)))
        assert [result.first_row[0] for result in results] == list(range(20))

    def test_many_at_once(self, client: Client) -> None:
        def count(n: int) -> Any:
            return client.query(f"SELECT count() FROM numbers({n * 1000})").first_row[0]

        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(count, range(60))) == [n * 1000 for n in range(60)]

    def test_answers_are_not_held_back(self, http: httpx.Client) -> None:
        """Without TCP_NODELAY, or with an answer in two writes, every request takes at least 40 ms."""
        taken = []
        for _ in range(20):
            began = time.perf_counter()
            http.post("/", content="SELECT 1").raise_for_status()
            taken.append(time.perf_counter() - began)
        assert min(taken) < 0.035


class TestInserts:
    ROWS = ((1, "a", datetime(2024, 1, 2, 3, 4, 5, 6000, UTC)), (2, "ü\x00\n", datetime(1999, 12, 31, tzinfo=UTC)))

    @pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
    def test_native_blocks(self, stack: Stack, table: str, compress: bool | str) -> None:
        with clickhouse_connect.get_client(**options(stack, compress=compress)) as client:
            done = client.insert(table, self.ROWS, column_names=["id", "text", "at"], settings={"async_insert": 0})
            assert done.written_rows == 2
            assert client.query(f"SELECT id, text FROM {table} ORDER BY id").result_rows == [(1, "a"), (2, "ü\x00\n")]

    def test_one_block_is_one_part(self, client: Client, table: str) -> None:
        rows = [(n, str(n), self.ROWS[0][2]) for n in range(50_000)]
        client.insert(table, rows, column_names=["id", "text", "at"], settings={"async_insert": 0})
        parts = client.command(f"SELECT count() FROM system.parts WHERE table = '{table}' AND active")
        assert parts == 1

    async def test_from_the_async_client(self, async_client: AsyncClient, table: str) -> None:
        await async_client.insert(table, self.ROWS, column_names=["id", "text", "at"])
        assert (await async_client.query(f"SELECT count() FROM {table}")).first_row == (2,)

    def test_text_formats(self, http: httpx.Client, table: str) -> None:
        lines = '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n'
        done = http.post("/", params={"query": f"INSERT INTO {table} (id, text) FORMAT JSONEachRow"}, content=lines)
        assert json.loads(done.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
        http.post("/", content=f"INSERT INTO {table} (id, text) VALUES (3, 'FORMAT;'), (4, '')").raise_for_status()
        packed = gzip.compress(f"INSERT INTO {table} (id) SELECT 5".encode())
        http.post("/", content=packed, headers={"Content-Encoding": "gzip"}).raise_for_status()
        assert http.post("/", content=f"SELECT sum(id), count() FROM {table}").text == "15\t5\n"

    def test_a_broken_block_stores_nothing(self, http: httpx.Client, table: str) -> None:
        answer = http.post("/", params={"query": f"INSERT INTO {table} FORMAT Native"}, content=b"no block at all")
        assert answer.status_code >= 400
        lines = '{"id": 1}\n{"id": "x"}\n'
        answer = http.post("/", params={"query": f"INSERT INTO {table} (id) FORMAT JSONEachRow"}, content=lines)
        assert (answer.status_code, code_of(answer)) == (400, 27)
        assert http.post("/", content=f"SELECT count() FROM {table}").text == "0\n"


class TestSessions:
    def test_a_session_keeps_its_tables_and_settings(self, stack: Stack) -> None:
        with clickhouse_connect.get_client(**options(stack, session_id=uuid.uuid4().hex)) as client:
            client.command("CREATE TEMPORARY TABLE mine (x UInt8)")
            client.insert("mine", [[1], [2]], column_names=["x"], database="")
            client.command("SET max_threads = 5")
            assert client.query("SELECT sum(x) FROM mine").first_row == (3,)
            assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).first_row == (3,)
            assert client.query("SELECT getSetting('max_threads')").first_row == (5,)

    def test_no_session_keeps_nothing(self, http: httpx.Client) -> None:
        http.post("/", content="CREATE TEMPORARY TABLE mine (x UInt8)").raise_for_status()
        assert code_of(http.post("/", content="SELECT * FROM mine")) == 60

    def test_a_session_takes_one_query_at_a_time(self, http: httpx.Client) -> None:
        name = uuid.uuid4().hex

        def ask(sql: str) -> httpx.Response:
            return http.post("/", params={"session_id": name}, content=sql)

        ask("SELECT 1").raise_for_status()
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(ask, "SELECT sleep(2)")
            deadline = time.monotonic() + 10
            while "X-ClickHouse-Exception-Code" not in (answer := ask("SELECT 1")).headers:
                assert time.monotonic() < deadline
            assert code_of(answer) == 373
            assert slow.result().status_code == 200

    def test_a_session_ends_when_it_has_idled(self, http: httpx.Client) -> None:
        session = {"session_id": uuid.uuid4().hex, "session_timeout": "1"}
        http.post("/", params=session, content="SELECT 1").raise_for_status()
        again = session | {"session_check": "1"}
        http.post("/", params=again, content="SELECT 1").raise_for_status()
        time.sleep(1.1)
        answer = http.post("/", params=again, content="SELECT 1")
        assert (answer.status_code, code_of(answer)) == (404, 372)


class TestErrors:
    @pytest.mark.parametrize(
        ("sql", "status", "code"),
        [
            ("SELECT nope", 404, 47),
            ("SELECT * FROM no_such_table", 404, 60),
            ("SELEC 1", 400, 62),
            ("SELECT 1; SELECT 2", 400, 62),
            ("SELECT {x:Int32}", 400, 456),
            ("SELECT throwIf(1)", 500, 395),
            ("1 + 1", 400, 62),
            ("SELECT * FROM numbers(100000000)", 500, 396),
        ],
    )
    def test_an_error_has_its_code(self, http: httpx.Client, sql: str, status: int, code: int) -> None:
        answer = http.post("/", content=sql)
        assert (answer.status_code, code_of(answer)) == (status, code)
        assert answer.text.startswith(f"Code: {code}. DB::Exception: ")

    def test_clients_raise_it(self, client: Client) -> None:
        with pytest.raises(DatabaseError, match="code: 60"):
            client.query("SELECT * FROM no_such_table")

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"no_such_setting": "1"}, 115),
            ({"max_threads = 1, x": "1"}, 115),
            ({"database": "no_such"}, 81),
            ({"database": "no`such"}, 81),
            ({"decompress": "1"}, 48),
            ({"session_timeout": "soon"}, 36),
            ({"default_format": "NoSuchFormat"}, 73),
        ],
    )
    def test_a_wrong_parameter_is_named(self, http: httpx.Client, params: dict[str, str], code: int) -> None:
        answer = http.post("/", params=params, content="SELECT 1")
        assert code_of(answer) == code
        assert answer.status_code >= 400

    def test_a_query_that_takes_too_long_is_ended(self, client: Client) -> None:
        with pytest.raises(DatabaseError, match="code: 159"):
            client.query(
                "SELECT sleepEachRow(1) FROM numbers(60)", settings={"max_execution_time": 1, "max_block_size": 1}
            )

    def test_an_unknown_path_is_not_found(self, http: httpx.Client) -> None:
        assert http.get("/play").status_code == 404

    def test_get_only_reads(self, http: httpx.Client) -> None:
        assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"
        answer = http.get("/", params={"query": "CREATE TABLE x (a Int8) ENGINE Memory"})
        assert (answer.status_code, code_of(answer)) == (500, 164)


class TestFormatsAndHeaders:
    def test_the_default_format_and_the_querys_own(self, http: httpx.Client) -> None:
        assert http.post("/", content="SELECT 1 AS a").text == "1\n"
        answer = http.post("/", params={"default_format": "JSONEachRow"}, content="SELECT 1 AS a")
        assert (answer.json(), answer.headers["X-ClickHouse-Format"]) == ({"a": 1}, "JSONEachRow")
        answer = http.post("/", params={"default_format": "JSON"}, content="SELECT 1 AS a FORMAT CSVWithNames")
        assert (answer.text, answer.headers["X-ClickHouse-Format"]) == ('"a"\n1\n', "CSVWithNames")
        answer = http.post("/", headers={"X-ClickHouse-Format": "CSV"}, content="SELECT 'a'")
        assert answer.text == '"a"\n'

    def test_sql_in_the_address_and_the_body(self, http: httpx.Client) -> None:
        assert http.post("/", params={"query": "SELECT 1 +"}, content="1").text == "2\n"

    def test_a_form_sends_parameters_too(self, http: httpx.Client) -> None:
        form = {"query": (None, "SELECT {x:String}"), "param_x": (None, "é" * 2000)}
        assert http.post("/", files=form).text == "é" * 2000 + "\n"

    def test_an_answer_says_what_it_cost(self, http: httpx.Client) -> None:
        answer = http.post("/", params={"query_id": "mine"}, content="SELECT sum(number) FROM numbers(1000)")
        assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
        assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
        summary = json.loads(answer.headers["X-ClickHouse-Summary"])
        assert (summary["read_rows"], summary["result_rows"]) == ("1000", "1")

    def test_a_query_id_cannot_write_headers(self, http: httpx.Client) -> None:
        answer = http.post("/", params={"query_id": "a\r\nSet-Cookie: b"}, content="SELECT 1")
        assert "set-cookie" not in answer.headers


class TestSigningIn:
    def test_in_three_ways(self, stack: Stack) -> None:
        user, password = stack.keys.clickhouse_user, stack.keys.clickhouse_password
        url = stack.settings.clickhouse
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        for answer in (
            httpx.post(url, auth=(user, password), content="SELECT 1"),
            httpx.post(url, headers=headers, content="SELECT 1"),
            httpx.post(url, params={"user": user, "password": password}, content="SELECT 1"),
        ):
            assert (answer.status_code, answer.text) == (200, "1\n")

    def test_wrong_ones_are_refused(self, stack: Stack) -> None:
        user, url = stack.keys.clickhouse_user, stack.settings.clickhouse
        for answer in (
            httpx.post(url, auth=(user, "wrong"), content="SELECT 1"),
            httpx.post(url, auth=("default", ""), content="SELECT 1"),
            httpx.post(url, headers={"X-ClickHouse-User": user}, content="SELECT 1"),
            httpx.post(url, headers={"Authorization": "Basic !!"}, content="SELECT 1"),
            httpx.post(url, params={"user": user, "password": ""}, content="SELECT 1"),
        ):
            assert (answer.status_code, code_of(answer)) == (403, 516)

    def test_nobody_is_asked_to_sign_in(self, stack: Stack) -> None:
        answer = httpx.post(stack.settings.clickhouse, content="SELECT 1")
        assert (answer.status_code, code_of(answer)) == (401, 194)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")

    def test_ping_needs_no_password(self, stack: Stack) -> None:
        assert httpx.get(f"{stack.settings.clickhouse}/ping").text == "Ok.\n"
