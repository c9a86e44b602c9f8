"""The user for reports reads views, and nothing it sends does or shows anything else."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from pipeline.clickhouse import connect
from pipeline.local.clickhouse_reader import granted
from pipeline.settings import REPO
from tests import views_page
from tests.conftest import Stack

SCRIPT = (REPO / "deploy" / "clickhouse" / "bi_user.sql").read_text()
SECTIONS = views_page.sections(views_page.PAGE.read_text())
DENIED, READONLY, NO_DDL, SYNTAX = 497, 164, 392, 62


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    user = httpx.BasicAuth(stack.keys.bi_user, stack.keys.bi_password)
    with httpx.Client(base_url=stack.settings.clickhouse, auth=user, timeout=30) as made:
        yield made


@pytest.fixture(scope="module")
def owner(stack: Stack) -> Iterator[Client]:
    with connect(stack.settings, stack.keys, "throughline") as made:
        yield made


def ask(http: httpx.Client, sql: str | bytes, **parameters: str) -> httpx.Response:
    return http.post("/", params={"database": "throughline", **parameters}, content=sql)


def code_of(answer: httpx.Response) -> int:
    return int(answer.headers.get("X-ClickHouse-Exception-Code", 0))


class TestWhatItMay:
    def test_the_grants_are_the_views_for_people_without_the_lookups(self) -> None:
        own = {name for database, name in granted(SCRIPT, "own") if database == "own"}
        assert own == set(SECTIONS) - {"lookups"}
        assert set(re.findall(r"^ALTER TABLE throughline\.(\w+) MODIFY SQL SECURITY", SCRIPT, re.MULTILINE)) == own

    def test_the_servers_script_is_sql(self, owner: Client) -> None:
        code = re.sub(r"^--.*\n", "", SCRIPT, flags=re.MULTILINE)
        statements = [each.strip() for each in code.split(";\n") if each.strip()]
        assert len(statements) > 60
        for each in statements:
            owner.query("SELECT formatQuery({sql:String})", {"sql": each})

    @pytest.mark.parametrize("view", sorted(set(SECTIONS) - {"lookups"}))
    def test_every_view_for_people(self, http: httpx.Client, view: str) -> None:
        answer = ask(http, views_page.example(SECTIONS[view]))
        assert answer.status_code == 200, answer.text

    def test_clickhouses_own_client_and_its_dialect_work(self, stack: Stack) -> None:
        with stack.reader() as client:
            rows = client.query("SELECT touchpoint, name FROM touchpoints WHERE visible = {seen:UInt8}", {"seen": 1})
            assert rows.row_count > 5
            assert client.query("SELECT '\t\\n\\'ü' AS t").first_row == ("\t\n'ü",)
            frame = client.query("WITH own AS (SELECT channel FROM channel_daily) SELECT count() FROM own")
            assert frame.row_count == 1

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT number FROM numbers(3) WHERE number IN (1, 2)",
            "SELECT name FROM system.tables WHERE database = 'throughline' LIMIT 1",
            "SHOW TABLES",
            "SHOW DATABASES",
            "DESCRIBE TABLE touchpoint_daily",
            "EXISTS TABLE touchpoint_daily",
            "SHOW CREATE VIEW touchpoint_daily",
            "EXPLAIN SELECT * FROM touchpoint_daily",
            "SELECT * FROM throughline.touchpoint_daily AS a JOIN channel_daily AS b USING (day) FORMAT JSON",
            "SELECT 1 FROM touchpoint_daily WHERE channel IN (SELECT channel FROM channel_daily);",
            "(SELECT 1 AS x) UNION ALL (SELECT 2) -- the end",
            "SELECT arrayMap(x -> x + 1, [1]), CAST(1 AS Int8), 'file(', \"day\" FROM touchpoint_daily",
        ],
    )
    def test_what_tools_ask(self, http: httpx.Client, sql: str) -> None:
        answer = ask(http, sql)
        assert answer.status_code == 200, answer.text

    def test_a_format_of_its_own(self, http: httpx.Client) -> None:
        answer = ask(http, "SELECT 1 AS a FORMAT JSONEachRow")
        assert (answer.json(), answer.headers["X-ClickHouse-Format"]) == ({"a": 1}, "JSONEachRow")

    def test_errors_are_the_engines(self, http: httpx.Client) -> None:
        assert code_of(ask(http, "SELEC 1")) == 62
        assert code_of(ask(http, "SELECT nope FROM touchpoint_daily")) == 47


CHANGES = (
    "INSERT INTO rejected (id) VALUES ('x')",
    "INSERT INTO rejected (id) FORMAT TSV\nx",
    "INSERT INTO rejected SELECT * FROM rejected",
    "INSERT INTO FUNCTION file('/tmp/throughline-x', 'TSV', 'x String') SELECT 'x'",
    "/* SELECT */ insert/**/into rejected (id) values ('x')",
    "WITH x AS (SELECT 1) INSERT INTO rejected (id) SELECT 'x'",
    "DROP VIEW touchpoint_daily",
    "TRUNCATE TABLE rejected",
    "ALTER TABLE rejected DELETE WHERE 1",
    "ALTER TABLE rejected UPDATE reason = '' WHERE 1",
    "DELETE FROM rejected WHERE 1",
    "CREATE TABLE x (a Int8) ENGINE Memory",
    "CREATE TEMPORARY TABLE x (a Int8)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE FUNCTION f AS x -> x",
    "CREATE USER x",
    "GRANT ALL ON *.* TO bi",
    "OPTIMIZE TABLE rejected FINAL",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "RENAME TABLE rejected TO x",
    "DETACH TABLE rejected",
    "CHECK TABLE rejected",
    "BACKUP TABLE rejected TO File('/tmp/x')",
    "SET readonly = 0",
    "SET max_threads = 1",
    "USE system",
    "EXECUTE AS default SELECT 1",
    "BEGIN TRANSACTION",
    "",
    "SELECT 1; DROP VIEW touchpoint_daily",
    "SELECT 1;SELECT 2",
    "SELECT $$ ' $$; SELECT $$ ' $$",
    "SELECT 1 INTO OUTFILE '/tmp/throughline-x'",
    "SELECT 1 INTO/**/OUTFILE '/tmp/throughline-x' FORMAT TSV",
    "SELECT * FROM touchpoints SETTINGS readonly = 0",
    "SELECT * FROM touchpoints SETTINGS max_execution_time = 3600",
    "SELECT * FROM touchpoints FORMAT Null SETTINGS allow_ddl = 1",
)
SECRETS = (
    "SELECT * FROM interactions",
    "SELECT * FROM throughline.interactions",
    "SELECT * FROM `throughline`.`interactions`",
    'SELECT * FROM "interactions"',
    "select * from/**/interactions",
    "SELECT * FROM\u00a0interactions",
    "SELECT * FROM touchpoints, interactions",
    "SELECT * FROM touchpoints JOIN consents ON 1",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM identities))",
    "SELECT (SELECT count() FROM identities)",
    "SELECT 1 IN identities",
    "SELECT 1 IN (identities)",
    "SELECT in(1, throughline.identities)",
    "SELECT globalNotIn(1, identities)",
    "SELECT 1 FROM touchpoints WHERE EXISTS (SELECT 1 FROM identities)",
    "WITH identities AS (SELECT 1) SELECT * FROM identities",
    "WITH i AS (SELECT * FROM identities) SELECT * FROM i",
    "WITH throughline.identities AS t SELECT * FROM t",
    "SELECT * FROM touchpoints UNION ALL SELECT * FROM interactions",
    "SELECT 1 FROM touchpoints ORDER BY (SELECT max(version) FROM interactions)",
    "DESCRIBE TABLE interactions",
    "DESCRIBE (SELECT * FROM interactions)",
    "SHOW CREATE TABLE interactions",
    "EXPLAIN SELECT * FROM interactions",
    "SELECT * FROM (EXPLAIN SELECT * FROM interactions)",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT * FROM interactions))",
    "SELECT * FROM merge('throughline', 'interactions')",
    "SELECT * FROM view(SELECT * FROM interactions)",
    "SELECT * FROM loop(interactions)",
    "SELECT * FROM lookups",
    "SELECT * FROM identities_assigned",
    "SELECT * FROM interactions_attributed",
    "SELECT * FROM system.processes",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.server_settings",
    "SELECT * FROM information_schema.tables",
    "SHOW PROCESSLIST",
    "SHOW GRANTS",
    "SELECT joinGet('throughline.interactions', 'identifier', 1)",
    "SELECT dictGet('d', 'x', 1)",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM `file`('/etc/passwd', 'LineAsString')",
    "SELECT * FROM FILE ('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "DESCRIBE file('/etc/passwd', 'LineAsString')",
    "SELECT file('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT $$ ' $$, file('/etc/passwd'), $$ ' $$",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/passwd')",
    "WITH file('/etc/passwd') AS x SELECT x",
    "SELECT 1 ORDER BY file('/etc/passwd')",
    "SELECT sum(1) OVER (ORDER BY file('/etc/passwd'))",
    "SELECT 1 LIMIT length(file('/etc/passwd'))",
    "SELECT * FROM filesystem('/etc')",
    "SELECT filesystemCapacity()",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'x String')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'x String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', throughline.interactions)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('/tmp/x.db', 't')",
    "SELECT * FROM executable('cat /etc/passwd', 'TSV', 'x String')",
    "SELECT * FROM python('x')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM input('x String')",
    "SELECT * FROM dictionary('d')",
    "SELECT hostName(), getServerPort('tcp_port')",
    "SELECT getClientHTTPHeader('Authorization')",
    "SELECT aiGenerate('x')",
    "SELECT * FROM `a\\nb`",
    "SELECT {x:Identifier}",
)


class TestWhatItMayNot:
    @pytest.mark.parametrize("sql", CHANGES)
    def test_nothing_changes(self, http: httpx.Client, sql: str) -> None:
        answer = ask(http, sql)
        assert code_of(answer) in (DENIED, READONLY, NO_DDL, SYNTAX), answer.text
        assert not Path("/tmp/throughline-x").exists()

    @pytest.mark.parametrize("sql", SECRETS)
    def test_nothing_else_is_read(self, http: httpx.Client, sql: str) -> None:
        answer = ask(http, sql, param_x="file")
        assert code_of(answer) in (DENIED, READONLY, NO_DDL, SYNTAX), answer.text
        assert "root:" not in answer.text

    @pytest.mark.parametrize(
        "settings",
        [{"readonly": "0"}, {"readonly": "2"}, {"allow_ddl": "1"}, {"max_execution_time": "0"}, {"max_threads": "64"},
         {"max_memory_usage": "0"}, {"max_result_bytes": "0"}, {"allow_introspection_functions": "1"}],
    )  # fmt: skip
    def test_no_setting_is_lifted_with_the_request(self, http: httpx.Client, settings: dict[str, str]) -> None:
        assert code_of(ask(http, "SELECT 1", **settings)) in (READONLY, NO_DDL)

    def test_a_parameter_names_no_table(self, http: httpx.Client) -> None:
        for sql in (
            "SELECT * FROM {t:Identifier}",
            "SELECT 1 IN {t:Identifier}",
            "SELECT arrayMap({t:Identifier}, [])",
        ):
            assert code_of(ask(http, sql, param_t="interactions")) == DENIED

    def test_another_database_gives_no_other_names(self, http: httpx.Client) -> None:
        assert code_of(ask(http, "SELECT * FROM processes", database="system")) == DENIED
        assert code_of(ask(http, "SELECT * FROM touchpoints", database="default")) == DENIED
        assert ask(http, "SELECT count() FROM throughline.touchpoints", database="default").status_code == 200

    def test_no_data_comes_along(self, http: httpx.Client) -> None:
        files = {"t": ("t", b"1\n"), "query": (None, "SELECT * FROM t"), "t_structure": (None, "x Int8")}
        assert code_of(http.post("/", params={"database": "throughline"}, files=files)) == DENIED

    def test_it_enters_nobodys_session(self, http: httpx.Client, owner: Client) -> None:
        name = uuid.uuid4().hex
        owner.command("CREATE TEMPORARY TABLE hidden (x UInt8)", settings={"session_id": name})
        assert code_of(ask(http, "SELECT * FROM hidden", session_id=name)) == DENIED
        assert ask(http, "SELECT 1", session_id=name).text == "1\n"

    def test_a_query_has_a_bound(self, http: httpx.Client) -> None:
        assert code_of(ask(http, "SELECT 1 -- " + "x" * 300_000)) == DENIED

    def test_bytes_that_are_no_text(self, http: httpx.Client) -> None:
        for sql in (b"\xff\xfeSELECT 1", b"SELECT '\xff' FROM interactions", b"SELECT 1\x00; DROP VIEW touchpoints"):
            assert code_of(ask(http, sql)) in (DENIED, 62)

    def test_its_password_opens_nothing_else(self, stack: Stack) -> None:
        url = stack.settings.clickhouse
        for auth in (("throughline", stack.keys.bi_password), ("bi", stack.keys.clickhouse_password), ("bi", "")):
            assert code_of(httpx.post(url, auth=auth, content="SELECT 1")) == 516

    def test_clients_see_why(self, stack: Stack) -> None:
        with stack.reader() as client, pytest.raises(DatabaseError, match="may not read `interactions`"):
            client.query("SELECT * FROM interactions")

    def test_all_is_as_it_was(self, owner: Client) -> None:
        assert owner.command("SELECT count() FROM rejected WHERE id = 'x'") == 0
        assert owner.command("EXISTS VIEW touchpoint_daily") == 1
