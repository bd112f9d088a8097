"""What an agent and its runs take, for type checkers and for who gives something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict, cast

from agentkit.core.limits import Limits
from agentkit.core.result import Result
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.model import Model
from agentkit.runtime.going_on import History, Question
from agentkit.runtime.run import Approver, View
from agentkit.stores.store import Store

Asked: TypeAlias = Question | None
"""Text or content parts; None goes on with the history or the session as it stands."""

Stopped: TypeAlias = str | Result[Any]
"""A session, or the result of the run that stopped."""

Decisions: TypeAlias = Mapping[str, Any] | None
"""By call id: True, False, a reason to deny, or a dict of other arguments."""


class RunOptions(TypedDict, total=False):
    """What every way to run an agent takes.

    Attributes:
        deps: Handed to tools as `ToolContext.deps`.
        settings: Wins over the agent's settings, field by field.
        limits: Taken instead of the agent's limits.
        session: The name under which the store keeps the run; the same call goes on after a crash.
        history: A `Result` or a list of messages to go on from. Not together with `session`.
    """

    deps: Any
    settings: Settings
    limits: Limits
    session: str
    history: History


class AgentOptions(TypedDict, total=False):
    """What an agent takes beside its model, tools, instructions and output; see `Agent`."""

    limits: Limits
    settings: Settings
    store: Store | None
    name: str | None
    approve: Approver | None
    view: Iterable[View]
    summariser: Model | str | None
    on_tool_error: Literal["tell", "raise"]


_PARTS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "instructions": (lambda one: isinstance(one, str) or callable(one), "a text, or a function of deps that gives it"),
    "limits": (lambda one: isinstance(one, Limits), "Limits(steps=...)"),
    "settings": (lambda one: isinstance(one, Settings), "Settings(temperature=...)"),
    "session": (lambda one: isinstance(one, str) and one != "", "a name that is not empty"),
    "store": (lambda one: one is None or hasattr(one, "open"), "a store such as agentkit.stores.SQLite('runs.db')"),
    "approve": (lambda one: one is None or callable(one), "a function of a call that gives True, False or a reason"),
    "view": (lambda one: isinstance(one, tuple) and all(map(callable, one)), "a list of functions"),
}
"""What fits an option, and what to say where it does not."""


def check_parts(**parts: Any) -> None:
    """Refuse what does not fit an agent.

    Raises:
        UsageError: Says what fits.
    """
    for name, part in parts.items():
        fits, wanted = _PARTS[name]
        if not fits(part):
            raise UsageError(f"{name}= takes {wanted}; got {part!r:.80}")


def check_options(options: RunOptions) -> None:
    """Refuse what does not fit a run.

    Raises:
        UsageError: Says what fits.
    """
    if unknown := options.keys() - RunOptions.__annotations__.keys():
        hint = "; sampling goes into settings=Settings(...)" if unknown & Settings.__annotations__.keys() else ""
        known = ", ".join(RunOptions.__annotations__)
        raise UsageError(f"unknown option {', '.join(sorted(unknown))}; a run takes output, {known}{hint}")
    check_parts(**{name: one for name, one in options.items() if one is not None and name in _PARTS})
    if options.get("session") is not None and options.get("history") is not None:
        raise UsageError("give session= or history=, not both: a session keeps its own history")


def check_model(model: Any) -> Model | None:
    """The model, if it is one.

    Raises:
        UsageError: It is none; says what is.
    """
    if model is None or (callable(getattr(model, "call", None)) and not isinstance(model, type)):
        return cast("Model | None", model)
    raise UsageError(
        f"model={model!r} is no model: give a string such as 'openai:gpt-4o', or an object with "
        "`async def call(self, request, emit=None)`"
    )
