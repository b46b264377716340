"""A stand-in for matching.runtime: the same command line, routes and headers, and a bundle that says how it behaves.

`bundle.json` holds the `version` to answer with, the `band` to decide, `slow` (seconds an answer takes) and a `mode`:
serve, crash (end at once), hang (never answer), fail (start well, and answer every request with 500).
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
bundle = {"band": "match", "slow": 0, **json.loads((given.bundle / "bundle.json").read_text())}
if bundle["mode"] == "crash":
    sys.exit("the bundle is torn")
if bundle["mode"] == "hang":
    time.sleep(600)


class Routes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, json.dumps({"status": "ready", "bundle_version": bundle["version"]}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(bundle["slow"])
        if bundle["mode"] == "fail":
            self.answer(500, json.dumps({"error": "the request could not be scored"}))
            return
        records = [json.loads(line) for line in body.splitlines()]
        for record in records:
            if not record.get("name"):
                self.answer(422, json.dumps({"error": "is missing", "record_id": record["record_id"], "field": "name"}))
                return
        decided = {"decision": bundle["band"], "reference_id": "R1", "bundle_version": bundle["version"]}
        decisions = [{"record_id": record["record_id"], **decided} for record in records]
        self.answer(200, "\n".join(json.dumps(decision) for decision in decisions), len(records))

    def answer(self, status: int, text: str, records: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/jsonlines")
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("X-Bundle-Version", bundle["version"])
        self.send_header("X-Bands", f"{bundle['band']}={records}")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Requests are nobody's business."""


ThreadingHTTPServer((given.host, given.port), Routes).serve_forever()
