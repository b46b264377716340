"""A stand-in for matching.runtime: the same command line and routes, and a bundle that says how it behaves.

`bundle.json` holds the `version` to answer with and a `mode`: serve, crash (end at once), hang (never answer).
"""

import argparse
import json
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# As uvicorn does: whoever starts the tests may ignore SIGTERM, and children inherit that.
signal.signal(signal.SIGTERM, signal.SIG_DFL)

parser = argparse.ArgumentParser()
parser.add_argument("--bundle", type=Path)
parser.add_argument("--host")
parser.add_argument("--port", type=int)
given = parser.parse_args()
bundle = json.loads((given.bundle / "bundle.json").read_text())
if bundle["mode"] == "crash":
    sys.exit("the bundle is torn")
if bundle["mode"] == "hang":
    time.sleep(600)


class Routes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, json.dumps({"status": "ready", "bundle_version": bundle["version"]}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        records = [json.loads(line) for line in body.splitlines()]
        for record in records:
            if not record.get("name"):
                self.answer(422, json.dumps({"error": "is missing", "record_id": record["record_id"], "field": "name"}))
                return
        decisions = [{"record_id": record["record_id"], "bundle_version": bundle["version"]} for record in records]
        self.answer(200, "\n".join(json.dumps(decision) for decision in decisions))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer((given.host, given.port), Routes).serve_forever()
