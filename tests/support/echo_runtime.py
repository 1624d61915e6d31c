#!/usr/bin/env python3
"""The least runtime that keeps docs/runtime-protocol.md, with nothing of RKDeck: it repeats what it is asked."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

ABOUT: dict[str, Any] = {"name": "echo", "version": "1", "simulated": True, "abi": 1}
LIMIT = 64
busy = threading.Lock()


def write_state(path: str, document: dict[str, Any]) -> None:
    new = Path(f"{path}.new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(document))
    new.replace(path)


def start_ticks() -> int:
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


def serve(options: argparse.Namespace, token: str) -> NoReturn:
    state: dict[str, Any] = {
        "pid": os.getpid(), "start_ticks": start_ticks(), "model": options.title, "sha256": None, "dtype": None,
        "max_context": LIMIT, "runtime": ABOUT["name"], "version": ABOUT["version"], "simulated": True,
        "started_uptime_s": float(Path("/proc/uptime").read_text().split()[0]), "last": None,
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

        def reply(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def refuse(self, status: int, code: str, message: str) -> None:
            self.reply(status, {"error": {"message": message, "code": code}})

        def let_in(self) -> bool:
            if self.headers.get("Authorization") == f"Bearer {token}":
                return True
            self.refuse(401, "unauthorized", "no token or another")
            return False

        def do_GET(self) -> None:
            if self.let_in():
                if self.path == "/v1/models":
                    self.reply(200, {"data": [{"id": options.title}]})
                else:
                    self.refuse(404, "not_found", "there is no such path")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if not self.let_in():
                return
            if self.path != "/v1/chat/completions":
                self.refuse(404, "not_found", "there is no such path")
            elif not busy.acquire(blocking=False):
                self.refuse(503, "busy", "another answer is being computed")
            else:
                try:
                    self.answer(json.loads(body))
                finally:
                    busy.release()

        def answer(self, asked: dict[str, Any]) -> None:
            words = asked["messages"][-1]["content"].split()
            if len(words) > LIMIT:
                self.refuse(400, "too_long", "the prompt is longer than the context")
                return
            began = time.monotonic()
            most = asked.get("max_tokens") or LIMIT
            said = words[:most]
            finish = {"finish_reason": "length" if len(words) > most else "stop"}
            spent = max(1e-6, time.monotonic() - began)
            figures = {"ttft_ms": spent * 1000, "tokens_per_s": len(said) / spent if len(said) > 1 else None}
            usage = {"prompt_tokens": len(words), "completion_tokens": len(said)}
            tail = {"usage": usage, "rkdeck": figures}
            state["last"] = figures
            write_state(options.state_file, state)
            if not asked.get("stream"):
                message = {"role": "assistant", "content": " ".join(said)}
                sure = [{"token": word, "logprob": 0.0} for word in said]
                tokens = [{**token, "top_logprobs": [token] * asked.get("top_logprobs", 0)} for token in sure]
                told = {"logprobs": {"content": tokens}} if asked.get("logprobs") else {}
                self.reply(200, {"choices": [{"message": message, **told, **finish}], **tail})
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for number, word in enumerate(said):
                self.event({"choices": [{"delta": {"content": word if number == 0 else f" {word}"}}]})
            self.event({"choices": [{"delta": {}, **finish}], **tail})
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def event(self, document: dict[str, Any]) -> None:
            self.wfile.write(b"data: " + json.dumps(document).encode() + b"\n\n")
            self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state["port"] = server.server_address[1]

    def end(*_: object) -> NoReturn:
        Path(options.state_file).unlink(missing_ok=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    write_state(options.state_file, state)
    server.serve_forever()
    raise SystemExit(0)


def main() -> int:
    if sys.argv[1:] == ["describe"]:
        print(json.dumps(ABOUT))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--token-stdin", action="store_true", required=True)
    parser.add_argument("--state-file", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--max-context", type=int)
    options = parser.parse_args()
    token = sys.stdin.readline().strip()
    if (options.max_context or 0) > LIMIT:
        message = (
            f"max_context[{options.max_context}] must be less than the model's max_context_limit[{LIMIT}]"
        )
        write_state(options.state_file, {"error": {"code": "max_context", "message": message}})
        return 1
    serve(options, token)


if __name__ == "__main__":
    sys.exit(main())
