"""Every shape in which Workers AI answers, written as a chat completion; one reader then reads them all.

    legacy            {"response": ..., "tool_calls": [{"name", "arguments"}]}     Llama 3, Hermes
    chat completion   {"choices": [{"message": ...}]}                              what is newer
    text completion   {"choices": [{"text": ...}]}                                 for a prompt
    Responses         {"output": [{"type": "message"}, {"type": "function_call"}]} gpt-oss

Each comes in the envelope `{"result": ..., "success": true}`, or without, or in two of them (batches). Streams come in
the first two shapes and as events of Responses. The shape is told by the keys, never by the model. Which quirks a
stream may have is written in `models/assemble.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from agentkit.core.events import Delta
from agentkit.core.messages import Assistant
from agentkit.errors import MalformedResponse
from agentkit.models import json_bytes
from agentkit.models.chat_completions.decode import Blame, StreamReader, read_answer
from agentkit.models.chat_completions.errors import fault_in
from agentkit.models.chat_completions.tools import Offered

_ANSWER_KEYS = frozenset({"choices", "response", "output", "responses", "tool_calls"})
_CHUNK_KEYS = frozenset({"response", "tool_calls", "finish_reason", "usage"})
_PLAIN_KEYS = frozenset({"response", "p"})
_REASONING = ("reasoning_content", "reasoning")
_DETAILS = {"input_tokens_details": "prompt_tokens_details", "output_tokens_details": "completion_tokens_details"}
_REASONS = {"failed": "error", "cancelled": "error", "incomplete": "length"}
_THOUGHTS = frozenset({"reasoning_text.delta", "reasoning_summary_text.delta"})


def read_body(body: bytes, offered: Offered, blame: Blame, *, model: str) -> Assistant:
    """The answer that a whole body is, whatever its shape.

    Args:
        body: As it came, with status 200.
        offered: The tools of the request.
        blame: Makes the error of a fault.
        model: The name to give if the answer names none.

    Raises:
        ModelError: The body is a fault, or no answer.
    """
    try:
        value = json_bytes.loads(body)
    except ValueError:
        value = None  # the reader says what is wrong
    found = answer_in(value)
    if isinstance(found, Mapping) and (fault := fault_in({"error": found.get("error")})) is not None:
        raise blame(fault)
    shaped = completion_of(found)
    if shaped is None or shaped is value:
        return read_answer(body, offered, blame, model=model)
    return read_answer(json_bytes.dumps(shaped), offered, blame, model=model)


def answer_in(value: Any) -> Any:
    """What the envelopes hold; None if they hold no answer."""
    answer = None
    while isinstance(value, Mapping) and value.get("success") is not False:
        if value.keys() & _ANSWER_KEYS:
            return value
        answer = value = value.get("result")
    return answer if isinstance(answer, str) else None


def completion_of(answer: Any) -> Mapping[str, Any] | None:
    """An answer of any shape as a chat completion; None if it is no answer."""
    match answer:
        case str():
            return _completion({"content": answer}, None, {}) if answer else None
        case {"choices": [{"prompt_logprobs": logprobs}, *_]} if "prompt_logprobs" not in answer:
            return {**answer, "prompt_logprobs": logprobs}
        case {"choices": _}:
            return answer  # type: ignore[no-any-return]  # it is one
        case {"output": [_, *_] as items}:
            return _completion(_message(items), _reason_of(answer), {**answer, "usage": _usage(answer.get("usage"))})
        case {"response": _} | {"tool_calls": _}:
            return _completion(_legacy(answer), answer.get("finish_reason"), answer)
        case _:
            return None


def _completion(message: Mapping[str, Any], reason: Any, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {name: answer[name] for name in ("id", "model", "usage") if name in answer}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], **kept}


def _legacy(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The message of an older answer or chunk."""
    text = answer.get("response")
    if isinstance(text, list):  # JSON that was asked for, no list of content parts
        text = json.dumps(text, ensure_ascii=False)
    reasoning = {name: answer[name] for name in _REASONING if name in answer}
    return {"content": text, "tool_calls": answer.get("tool_calls"), **reasoning}


def _message(items: Sequence[Any]) -> dict[str, Any]:
    """The message of an answer of the Responses API."""
    texts: list[Any] = []
    thoughts: list[Any] = []
    calls: list[Any] = []
    for item in items:
        match item:
            case {"type": "message", "content": content}:
                texts.append(content)
            case {"type": "reasoning"}:
                thoughts.append(item.get("content") or item.get("summary"))
            case {"type": "function_call"}:
                calls.append(_call(item))
            case _:
                pass
    return {"content": texts, "reasoning": thoughts, "tool_calls": calls}


def _call(item: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    return {"id": item.get("call_id") or item.get("id"), "function": function}


def _reason_of(answer: Mapping[str, Any]) -> Any:
    details, status = answer.get("incomplete_details"), answer.get("status")
    if isinstance(details, Mapping) and details.get("reason"):
        return details["reason"]
    return _REASONS.get(status, "stop") if isinstance(status, str) else "stop"


def _usage(usage: Any) -> Any:
    """The usage of Responses with the names of chat completions for its details."""
    return {_DETAILS.get(name, name): value for name, value in usage.items()} if isinstance(usage, Mapping) else usage


class NativeReader(StreamReader):
    """Puts an answer together from an event stream of any shape."""

    __slots__ = ()

    def _chunk(self, chunk: Any, payload: bytes) -> Sequence[Delta]:
        if type(chunk) is dict and type(text := chunk.get("response")) is str and chunk.keys() <= _PLAIN_KEYS:
            self._begun = True
            return self._assembler.text(text)  # nearly every older chunk
        if b'"tool_calls"' in payload and b'"choices"' not in payload:
            with suppress(ValueError):
                chunk = json_bytes.loads(payload)  # with integers of any size
        return [delta for shaped in chunks_of(chunk) for delta in super(NativeReader, self)._chunk(shaped, payload)]

    def _choice(self, choice: Mapping[str, Any], payload: bytes) -> list[Delta]:
        if choice.get("stop_reason") is not None:
            self._extra["stop_reason"] = choice["stop_reason"]
        return super()._choice(choice, payload)


def chunks_of(value: Any) -> Iterator[Any]:
    """A payload of any shape as chunks of a chat completion; the same object where it is one, or a fault."""
    match value:
        case {"choices": _} | {"error": _} | {"errors": [_, *_]} | {"success": False}:
            yield value
        case {"streamed_data": list() as parts}:
            for part in parts:
                yield from chunks_of(part)
        case {"result": dict() as inner}:
            yield from chunks_of(inner)
        case {"type": str() as kind} if kind.startswith("response."):
            yield from _event(kind.removeprefix("response."), value)
        case dict() if value.keys() & _CHUNK_KEYS:
            yield _shaped("delta", _legacy(value), value.get("finish_reason"), value.get("usage"))
        case _:
            yield value


def _shaped(name: str, message: Mapping[str, Any], reason: Any = None, usage: Any = None) -> dict[str, Any]:
    """A chunk with a delta, or with the whole message: that counts only where no delta came."""
    return {"choices": [{"index": 0, name: message, "finish_reason": reason}], "usage": usage}


def _event(kind: str, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An event of Responses; those that only repeat are nothing."""
    index, piece = event.get("output_index"), event.get("delta")
    match kind, event:
        case (("output_text.delta" | "refusal.delta"), _):
            yield _shaped("delta", {"content": piece})
        case _, _ if kind in _THOUGHTS:
            yield _shaped("delta", {"reasoning": piece})
        case (("output_item.added" | "output_item.done"), {"item": {"type": "function_call"} as item}):
            yield _shaped("delta", {"tool_calls": [{"index": index, **_call(item)}]})
        case "function_call_arguments.delta", _:
            yield _shaped("delta", {"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        case (("completed" | "incomplete"), {"response": dict() as response}):
            items = response.get("output")
            said = _message(items if isinstance(items, list) else ())
            yield _shaped("message", said, _reason_of({"status": kind, **response}), _usage(response.get("usage")))
        case "failed", {"response": dict() as response}:
            yield {"error": response.get("error") or {"message": "the server failed"}}
        case _:
            pass


def require_something(answer: Assistant) -> Assistant:
    """The answer, unless it is empty.

    Some models answer a request for a stream with one JSON body that holds nothing (cloudflare/ai#396); asked again
    for a whole answer they give one.

    Raises:
        MalformedResponse: It is.
    """
    if answer.content or answer.tool_calls or answer.reasoning:
        return answer
    raise MalformedResponse("a stream was asked for, and an empty answer came")
