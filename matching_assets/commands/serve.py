"""Serve a bundle over HTTP: GET /ping, POST /invocations.

The port answers when the bundle is verified and warmed. Ctrl-C stops it, after the requests that are being answered.

  matching serve --bundle bundles/issuers
  curl -d '{"record_id": "1", "name": "IBM"}' -H 'content-type: application/json' http://127.0.0.1:8080/invocations
"""

from __future__ import annotations

import argparse

from matching_assets.commands.options import add_bundle, port, require_free


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_bundle(parser)
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", metavar="P", type=port, default=8080, help="port to listen on (default 8080)")


def run(given: argparse.Namespace) -> int:
    """Serve until stopped. Raises BundleError and InputError before the server starts, so that each is one line."""
    from matching.bundle import verify_bundle
    from matching.runtime import serve

    verify_bundle(given.bundle)
    require_free(given.host, given.port)
    print(f"Serving {given.bundle} on http://{given.host}:{given.port}", flush=True)
    return serve(given.bundle, given.host, given.port)
