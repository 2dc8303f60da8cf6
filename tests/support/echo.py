"""接收方：本机上一个真的 HTTP 服务器，记下收到的每一次，照吩咐作答。"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """收到的一次。"""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """正文。"""
        return dict(json.loads(self.body))


@dataclass
class Echo:
    """``status`` 回什么；``pause`` 答之前等几秒；``refuse`` 的事件、``down`` 的路径回 503；``drip`` 为真则一个字节一个字节地吐，永不写完状态行。"""

    url: str = ""
    status: int = 200
    pause: float = 0.0
    drip: bool = False
    refuse: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    received: list[Received] = field(default_factory=list)

    def types(self) -> list[str]:
        """收到的事件名，按先后。"""
        return [one.event["type"] for one in self.received]


@contextmanager
def listening() -> Iterator[Echo]:
    """开一个接收方。"""
    echo = Echo()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = Received(self.path, dict(self.headers), body)
            echo.received.append(got)
            time.sleep(echo.pause)
            if echo.drip:
                for byte in b"HTTP/1.1 200 O" * 100:
                    try:
                        self.wfile.write(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.05)
                return
            refused = self.path in echo.down or got.event.get("type") in echo.refuse
            self.send_response(503 if refused else echo.status)
            if echo.status in {301, 302, 307}:
                self.send_header("Location", echo.url + "/elsewhere")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """不出声。"""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    echo.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield echo
    finally:
        server.shutdown()
        server.server_close()
