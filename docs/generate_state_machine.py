"""Writes `docs/reference/state-machine.md` from the table of moves in `agentkit/core/state.py`.

Run it after a change of the table: `python docs/generate_state_machine.py`. A test compares the page with the table.
"""

from __future__ import annotations

from pathlib import Path

from agentkit.core.state import MOVES, Phase

PAGE = Path(__file__).parent / "reference" / "state-machine.md"

HEAD = """\
# The state machine of a run

*Generated from the table of moves in `agentkit/core/state.py` by `docs/generate_state_machine.py`.*

A run is a transcript, and the transcript is in one phase at a time. The phase says which entries may be appended; an
entry that may not is refused, and nothing changes. What else must hold for an entry (an id that is new, a call that is
open, a plan that names each call) stands with its rule in `State`.
"""

WAITS_FOR = {
    Phase.REST: "a question: no turn is open",
    Phase.MODEL: "the model's answer",
    Phase.PLAN: "a plan for the calls of the answer",
    Phase.APPROVAL: "a human's decisions about the batch",
    Phase.TOOLS: "the results of the calls",
    Phase.OUTPUT: "a check of the final answer",
}

NEXT = {
    Phase.REST: "`Finish`",
    Phase.MODEL: "`CallModel`, `Summarise` or `Finish`",
    Phase.PLAN: "`Plan`",
    Phase.APPROVAL: "`AskApproval`",
    Phase.TOOLS: "`RunTools`, or `Recover` after a crash",
    Phase.OUTPUT: "`CheckOutput`",
}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_diagram(), "", *_phases(), "", *_moves(), ""])


def _diagram() -> list[str]:
    arrows = {}
    for phase, moves in MOVES.items():
        for kind, leads_to in moves.items():
            for to in leads_to:
                arrows.setdefault((phase, to), []).append(kind)
    lines = [f"    {phase} --> {to}: {', '.join(kinds)}" for (phase, to), kinds in arrows.items()]
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.REST}", *lines, "```"]


def _phases() -> list[str]:
    rows = [f"| `{phase}` | {WAITS_FOR[phase]} | {NEXT[phase]} |" for phase in Phase]
    return ["| phase | waits for | `next_action` says |", "|---|---|---|", *rows]


def _moves() -> list[str]:
    rows = [
        f"| `{phase}` | `{kind}` | {', '.join(f'`{to}`' for to in leads_to)} |"
        for phase, moves in MOVES.items()
        for kind, leads_to in moves.items()
    ]
    return ["| in phase | may come | and leads to |", "|---|---|---|", *rows]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
