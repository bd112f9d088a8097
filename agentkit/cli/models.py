"""`agentkit models` lists the model files that are kept here; `agentkit models pull NAME` fetches one."""

from __future__ import annotations

import argparse
from typing import Any

from agentkit.models.local.progress import MB, Progress
from agentkit.models.local.weights import FORMS, models_dir, pull, pulled


def add_models(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "models", help="list or fetch model files", description="List or fetch the model files of the local model."
    )
    actions = parser.add_subparsers(dest="action", metavar="action")
    actions.add_parser("list", help="what is there (the default)", description="List the model files.")
    fetch = actions.add_parser(
        "pull", help="fetch one", description="Fetch a model file. What was cut off goes on where it stopped."
    )
    fetch.add_argument("name", help=FORMS)
    fetch.add_argument("--sha256", metavar="HEX", help="what the file's SHA-256 must be")


def run_models(options: argparse.Namespace) -> None:
    """Run the command."""
    if options.action == "pull":
        with Progress(options.name.rpartition("/")[2]) as show:
            file = pull(options.name, sha256=options.sha256, on_progress=show)
        print(file)
        return
    for name, file in (found := pulled()):
        print(f"{file.stat().st_size / MB:10.1f} MB  {name}")
    files = "1 model file" if len(found) == 1 else f"{len(found)} model files"
    print(f"{files} in {models_dir()}" if found else f"none in {models_dir()}; agentkit models pull ...")
