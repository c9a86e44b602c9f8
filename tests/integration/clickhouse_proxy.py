"""An HTTP proxy before ClickHouse that tests use to cut the line at chosen moments."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Proxy:
    """Hands requests on to `target`, unless it is told otherwise."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.away = False  # close every connection without an answer
        self.refused = 0  # how often it did
        #: Called with an INSERT's table when ClickHouse has answered, before the answer is handed on.
        self.on_inserted: Callable[[str], None] = lambda table: None
        self.url = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side was killed: that is what these tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _handle(self) -> None:
        proxy = self.server.proxy
        body = self._body()
        if proxy.away:
            proxy.refused += 1
            self.close_connection = True
            return
        onward = http.client.HTTPConnection(proxy.target.hostname or "", proxy.target.port, timeout=60)
        hop = ("host", "transfer-encoding", "content-length", "connection")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in hop}
        onward.request(self.command, self.path, body, headers)
        answer = onward.getresponse()
        content = answer.read()
        if body.startswith(b"INSERT INTO ") and answer.status == 200:
            proxy.on_inserted(body.split(maxsplit=3)[2].decode().replace("`", "").split(".")[-1])
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in hop:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        onward.close()

    do_GET = do_POST = _handle

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy to that address, as long as the block lasts."""
    proxy = Proxy(target)
    server = _Server(proxy)
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
