"""`python -m agentkit` is the `agentkit` command."""

from __future__ import annotations

import sys

from agentkit.cli.main import main

sys.exit(main())
