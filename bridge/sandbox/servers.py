"""Both stand-ins on their ports, in threads of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
from flask import Flask
from werkzeug.serving import BaseWSGIServer

from bridge.clock import Clock, SystemClock
from bridge.sandbox.cloud.app import create_cloud
from bridge.sandbox.cloud.clusters import PodFiles
from bridge.sandbox.cloud.state import load_cloud_state
from bridge.sandbox.idp.app import create_idp
from bridge.sandbox.idp.state import load_state
from bridge.sandbox.long_requests import make_long_request_server
from bridge.sandbox.signing_key import load_or_create_token_key

FETCH_SECONDS = 5
MAX_FETCH_BYTES = 1_000_000


@contextmanager
def run_sandbox(config: Path, keys: Path, clock: Clock | None = None) -> Iterator[None]:
    """Serve the identity provider and the cloud, at the addresses that their files name, while the block runs.

    Args:
        config: the folder with ``sandbox.yaml`` and ``sandbox-idp.yaml``.
        keys: where the stand-ins keep their own keys and secrets, and the cloud what is changed by API and its pods'
            tokens; made where missing.
        clock: the machine's where absent.

    Raises:
        OSError: a port is taken.
    """
    clock = clock or SystemClock()
    idp_state = load_state(config / "sandbox-idp.yaml")
    cloud_state = load_cloud_state(config / "sandbox.yaml")
    cluster_key = load_or_create_token_key(keys / "cluster-signing.key")
    pods = PodFiles(cloud_state, cluster_key, keys / "rrsa-tokens", clock)
    stop = threading.Event()
    servers = [
        _serve(create_idp(idp_state, keys, clock, fetch), idp_state.url),
        _serve(create_cloud(cloud_state, clock, fetch, keys / "cloud-changes.json", cluster_key), cloud_state.url),
    ]
    pods.write()
    threading.Thread(target=pods.keep_fresh, args=(stop,), name="sandbox pods", daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def fetch(url: str) -> bytes:
    """Return what stands at the address; raises ``OSError`` where nothing can be had."""
    with requests.Session() as session:
        session.trust_env = False
        with session.get(url, timeout=FETCH_SECONDS, allow_redirects=False, stream=True) as response:
            response.raise_for_status()
            return response.raw.read(MAX_FETCH_BYTES, decode_content=True)


def _serve(app: Flask, url: str) -> BaseWSGIServer:
    parts = urlsplit(url)
    server = make_long_request_server(app, parts.hostname or "127.0.0.1", parts.port or 80)
    threading.Thread(target=server.serve_forever, name=f"sandbox {parts.port}", daemon=True).start()
    return server
