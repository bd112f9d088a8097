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
from dataclasses import replace
from typing import Any

from agentkit.core.events import Delta
from agentkit.core.messages import Assistant
from agentkit.errors import MalformedResponse
from agentkit.models import json_bytes
from agentkit.models.chat_completions.decode import Blame, StreamReader, read_answer
from agentkit.models.chat_completions.tools import Offered
from agentkit.models.sse import ErrorEvent

_CHUNK_KEYS = frozenset({"response", "tool_calls", "finish_reason", "usage"})
_REASONING = ("reasoning_content", "reasoning")
_DETAILS = {"input_tokens_details": "prompt_tokens_details", "output_tokens_details": "completion_tokens_details"}


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
        return read_answer(body, offered, blame, model=model)  # it says what is wrong
    found = answer_in(value)
    shaped = None if found is None else completion_of(found)
    if shaped is None or shaped is value:
        return read_answer(body, offered, blame, model=model)
    return read_answer(json_bytes.dumps(shaped), offered, blame, model=model)


def answer_in(value: Any) -> Any:
    """What the envelopes hold; None if they hold no answer."""
    while isinstance(value, Mapping) and not value.keys() & {"choices", "response", "output", "responses"}:
        if value.get("success") is False or "result" not in value:
            return value if "tool_calls" in value else None
        value = value["result"]
    return value if isinstance(value, Mapping | str) else None


def completion_of(answer: Any) -> Mapping[str, Any] | None:
    """An answer of any shape as a chat completion; None if it is no answer."""
    match answer:
        case str():
            return _completion({"content": answer}, None, {})
        case {"choices": [{"prompt_logprobs": logprobs}, *_]} if "prompt_logprobs" not in answer:
            return {**answer, "prompt_logprobs": logprobs}
        case {"choices": _}:
            return dict(answer)
        case {"output": list() as items}:
            return _from_items(items, answer)
        case {"response": _} | {"tool_calls": _}:
            reasoning = {name: answer[name] for name in _REASONING if name in answer}
            message = {"content": _text(answer.get("response")), "tool_calls": answer.get("tool_calls"), **reasoning}
            return _completion(message, answer.get("finish_reason"), answer)
        case _:
            return None


def _text(response: Any) -> Any:
    """A list in `response` is JSON that was asked for, not a list of content parts."""
    return json.dumps(response, ensure_ascii=False) if isinstance(response, list) else response


def _completion(message: Mapping[str, Any], reason: Any, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {name: answer[name] for name in ("id", "model", "usage") if name in answer}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], **kept}


def _from_items(items: Sequence[Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer of the Responses API."""
    texts: list[Any] = []
    thoughts: list[Any] = []
    calls: list[Any] = []
    for item in items:
        match item:
            case {"type": "message", "content": content}:
                texts += content if isinstance(content, list) else [content]
            case {"type": "reasoning"}:
                thoughts += item.get("content") or item.get("summary") or ()
            case {"type": "function_call"}:
                calls.append({"id": item.get("call_id") or item.get("id"), "function": item})
            case _:
                pass
    message = {"content": texts, "reasoning": thoughts, "tool_calls": calls}
    usage = answer.get("usage")
    return _completion(message, _reason_of(answer), {**answer, "usage": _usage(usage)})


def _reason_of(answer: Mapping[str, Any]) -> Any:
    details = answer.get("incomplete_details")
    return details.get("reason") if isinstance(details, Mapping) else "stop"


def _usage(usage: Any) -> Any:
    """The usage of Responses with the names of chat completions for its details."""
    return {_DETAILS.get(name, name): value for name, value in usage.items()} if isinstance(usage, Mapping) else usage


class NativeReader:
    """Puts an answer together from an event stream of any shape; see `exchange.Reader`."""

    __slots__ = ("_inner", "_stop_reason")

    def __init__(self, offered: Offered, blame: Blame, *, model: str) -> None:
        self._inner = StreamReader(offered, blame, model=model)
        self._stop_reason: Any = None

    @property
    def done(self) -> bool:
        """The server said that nothing follows."""
        return self._inner.done

    @property
    def is_over(self) -> bool:
        """The answer is whole, although more may follow."""
        return self._inner.is_over

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """The deltas of one payload.

        Raises:
            ModelError: It is a fault.
        """
        if isinstance(payload, ErrorEvent) or (b'"choices"' in payload and b'"stop_reason"' not in payload):
            return self._inner.feed(payload)
        try:
            value = json_bytes.loads(payload)
        except ValueError:
            return self._inner.feed(payload)
        deltas: list[Delta] = []
        for chunk in chunks_of(value):
            if chunk is value:
                self._note(chunk)
                return self._inner.feed(payload)
            deltas += self._inner.feed(json_bytes.dumps(chunk))
        return deltas

    def finish(self) -> tuple[Assistant, Sequence[Delta]]:
        """The answer, and the deltas that were held back.

        Raises:
            ModelError: The stream broke off, or holds no answer.
        """
        answer, deltas = self._inner.finish()
        if self._stop_reason is not None:
            answer = replace(answer, extra={**answer.extra, "stop_reason": self._stop_reason})
        return answer, deltas

    def _note(self, chunk: Any) -> None:
        for choice in chunk.get("choices") or () if isinstance(chunk, Mapping) else ():
            if isinstance(choice, Mapping) and choice.get("stop_reason") is not None:
                self._stop_reason = choice["stop_reason"]


def chunks_of(value: Any) -> Iterator[Any]:
    """A payload of any shape as chunks of a chat completion; the same object where it is one, or a fault."""
    match value:
        case {"choices": _} | {"error": _} | {"errors": [_, *_]}:
            yield value
        case {"streamed_data": list() as parts}:
            for part in parts:
                yield from chunks_of(part)
        case {"result": dict() as inner}:
            yield from chunks_of(inner)
        case {"type": str() as kind} if kind.startswith("response."):
            yield from _event(kind, value)
        case dict() if value.keys() & _CHUNK_KEYS:
            delta = {"content": _text(value.get("response")), "tool_calls": value.get("tool_calls")}
            delta |= {name: value[name] for name in _REASONING if name in value}
            yield _chunk(delta, value.get("finish_reason"), value.get("usage"))
        case _:
            yield value


def _chunk(delta: Mapping[str, Any], reason: Any = None, usage: Any = None) -> dict[str, Any]:
    chunk: dict[str, Any] = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return chunk if usage is None else {**chunk, "usage": usage}


def _event(kind: str, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An event of Responses; those that only repeat are nothing."""
    index, piece = event.get("output_index"), event.get("delta")
    match kind.removeprefix("response."), event:
        case "output_text.delta", _:
            yield _chunk({"content": piece})
        case (("reasoning_text.delta" | "reasoning_summary_text.delta"), _):
            yield _chunk({"reasoning": piece})
        case "output_item.added", {"item": {"type": "function_call"} as item}:
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            yield _chunk({"tool_calls": [{"index": index, "id": item.get("call_id"), "function": function}]})
        case "function_call_arguments.delta", _:
            yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        case (("completed" | "incomplete"), {"response": dict() as response}):
            yield _chunk({}, _reason_of(response), _usage(response.get("usage")))
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
