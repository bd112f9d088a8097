"""Lines of a script, as people write them."""

from __future__ import annotations

import pytest

from agentkit.core.messages import User
from agentkit.errors import UsageError
from agentkit.models import Scripted
from agentkit.models.model import Request
from agentkit.models.scripted import call

pytestmark = pytest.mark.anyio

ASK = Request(messages=(User(content="Hi."),))

ONE_CALL = [
    call("look", name="Ann"),
    ("look", {"name": "Ann"}),
    [("look", {"name": "Ann"})],
    {"name": "look", "arguments": {"name": "Ann"}},
    {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"name": "Ann"}'}}]},
]


@pytest.mark.parametrize("line", ONE_CALL, ids=range(len(ONE_CALL)))
async def test_a_call_in_any_form(line):
    """Alone or in a list, as a pair or as a dict of chat completions."""
    answer = await Scripted([line]).call(ASK)
    assert [(one.name, one.arguments) for one in answer.tool_calls] == [("look", '{"name": "Ann"}')]
    assert (answer.content, answer.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize("line", [[{"city": "Oslo"}], {"function": {"arguments": "{}"}}, [("look", {}, 3)], 5, [None]])
async def test_what_is_no_answer_is_refused_with_what_to_write(line):
    """A dict without a name, a call of three parts, a number."""
    with pytest.raises(UsageError, match="give"):
        await Scripted([line]).call(ASK)
