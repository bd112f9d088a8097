"""A REAL llama.cpp HTTP server on a loopback port, for tests of wires: SmolLM2-135M, in a process of its own.

`llama_server` is the base URL, `http://127.0.0.1:PORT/v1`. The server ends when its stdin closes, so that it never
outlives the test run, not even one that is killed.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.model_alias = sys.argv[1], ["smollm2"]
params.n_ctx, params.n_predict, params.n_parallel, params.verbosity = 2048, 256, 1, -1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.hostnames, params.port = ["127.0.0.1"], 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def serve(gguf: Path):
    """Runs a server on the weights; the model is loaded and the port is open when the body begins."""
    command = [sys.executable, "-c", SERVE, str(gguf)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert address, f"the llama.cpp server did not start (exit code {process.wait()})"
            yield f"{address}/v1"
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def llama_server():
    """The base URL of a llama.cpp server that lives as long as the test run."""
    from agentkit.models.local.weights import smollm2

    with serve(smollm2()) as url:
        yield url
