"""What a server answers -> our `Assistant`: a whole body, or an event stream chunk by chunk.

Both read the same fields with the same tolerance; what servers send instead of the documented shapes is in the tables
of the tests (`tests/wire/`). The rules:

* Falsy is not absent: a content of 0 is the text "0".
* Reasoning stays out of the content, in whichever field the server puts it.
* A call item may be nested, flat or null; its arguments text, an object, or nothing. What cannot be a call is no call.
* A body that reports a fault is that fault, whatever the status was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from agentkit.core.events import Delta, TextEvent, ToolCallEvent, ToolCallGrows, ToolCallReady
from agentkit.core.messages import Assistant, ToolCall, Usage
from agentkit.errors import MalformedResponse, ModelError, Unavailable
from agentkit.models import json_bytes
from agentkit.models.assemble import Assembler, CallPiece, cut_off_last, finish_reason_of, mended, new_call_id
from agentkit.models.chat_completions.errors import Fault, fault_in
from agentkit.models.chat_completions.plain import KINDS, REASONING_FIELDS, PlainChunks, field_of
from agentkit.models.chat_completions.tools import Offered
from agentkit.models.http import first_words
from agentkit.models.sse import ErrorEvent

Blame = Callable[[Fault], ModelError]
"""Makes the error of a fault that came with status 200."""

_ARGUMENT_FIELDS = ("parameters", "input", "args")  # where servers put what belongs into `arguments`
_NUMBERS = (int, float)
_OF_ANSWER = frozenset({"id", "service_tier", "system_fingerprint", "prompt_logprobs", "citations"})
_OF_CHOICE = frozenset({"logprobs", "stop_reason"})
_OF_MESSAGE = frozenset({"refusal", "annotations", "reasoning_details", "audio", "images"})
_OF_CALL = frozenset({"extra_content"})  # Gemini's thought signatures
_WRAPPED_TWICE = re.compile(rb"^(?:data:\s*)+")  # a gateway that makes events of events
_AT_ONCE = 64  # payloads that are looked at together
_OBJECT_ARGUMENTS = re.compile(rb'"(?:arguments|parameters|input|args)"\s*:\s*[{\[]')


def read_answer(body: bytes, offered: Offered, blame: Blame, *, model: str = "") -> Assistant:
    """The answer that a whole body is.

    Args:
        body: As it came, with status 200.
        offered: The tools of the request.
        blame: Makes the error of a fault.
        model: The name to give if the answer names none.

    Raises:
        ModelError: The body is a fault, or no answer.
    """
    answer = _answer_in(body, blame)
    choice = next((c for c in _list(answer.get("choices")) if isinstance(c, dict)), None)
    message = None if choice is None else _message_of(choice, ("message", "delta"))
    if choice is None or message is None:
        raise MalformedResponse(f"the answer holds no message: {first_words(body)}")
    if (error := choice.get("error")) and (fault := fault_in({"error": error})) is not None:
        raise blame(fault)
    calls = [offered.ours(_call(piece)) for piece in call_pieces(message) if piece.name or piece.arguments]
    reason = finish_reason_of(choice.get("finish_reason"), has_calls=bool(calls))
    text, inner = split_content(message.get("content"))
    return checked(
        Assistant(
            content=mended(text or text_of(message.get("refusal"))),
            tool_calls=cut_off_last(calls, reason),
            reasoning=mended(reasoning_of(message) or inner),
            finish_reason=reason,
            usage=usage_of(answer.get("usage"), requests=1),
            model=text_of(answer.get("model")) or model,
            extra={**_kept(answer, _OF_ANSWER), **_kept(choice, _OF_CHOICE), **_kept(message, _OF_MESSAGE)},
        )
    )


def checked(answer: Assistant) -> Assistant:
    """The answer, if the server means it as one.

    Raises:
        ModelError: The server says that it failed, or speaks of calls and sends none.
    """
    if answer.finish_reason == "error":
        raise Unavailable("the server ended the answer with finish_reason error")
    if answer.finish_reason == "tool_calls" and not (answer.tool_calls or answer.content.strip()):
        raise MalformedResponse("the server says that it calls tools, and sends no call")
    return answer


def _answer_in(body: bytes, blame: Blame) -> Mapping[str, Any]:
    try:
        value = _read_fast(body)
    except ValueError:
        said = first_words(body)
        raise MalformedResponse(f"the answer is not JSON: {said}" if said else "the answer is empty") from None
    while True:
        if (fault := fault_in(value)) is not None:
            raise blame(fault)
        if not isinstance(value, dict):
            raise MalformedResponse(f"the answer is no JSON object: {first_words(body)}")
        if "choices" in value or not isinstance(value.get("result"), dict):
            return value
        value = value["result"]  # Cloudflare's envelope


def _read_fast(body: bytes) -> Any:
    """The value of a body, from the fast reader where nothing is lost: it rounds long integers outside of texts."""
    read = json_bytes.loads if _OBJECT_ARGUMENTS.search(body) else json_bytes.fast_loads()
    try:
        return read(body)
    except ValueError:  # what is no JSON for the fast reader may be some for the other
        return json_bytes.loads(body)


class StreamReader:
    """Puts an answer together from the payloads of an event stream; each gives the deltas to show.

    Args:
        offered: The tools of the request.
        blame: Makes the error of a fault inside the stream.
        model: The name to give if the stream names none.

    Attributes:
        done: The server said that nothing follows.
    """

    __slots__ = (
        *("_assembler", "_begun", "_blame", "_extra", "_loads", "_model", "_offered", "_pieces", "_plain", "done"),
    )

    def __init__(self, offered: Offered, blame: Blame, *, model: str = "") -> None:
        self._assembler = Assembler(offered.names)
        self._offered = offered
        self._blame = blame
        self._model = model
        self._begun = False
        self._extra: dict[str, Any] = {}
        self._pieces: dict[str, list[Any]] = {}  # what of `extra` comes in pieces
        self._loads = json_bytes.fast_loads()
        self._plain = PlainChunks(self._loads)
        self.done = False

    @property
    def is_over(self) -> bool:
        """The answer is whole, although more may follow."""
        return self._assembler.is_over

    def feed(self, payloads: Sequence[bytes]) -> Iterable[Delta]:
        """The deltas of payloads that came together, up to the end of the answer.

        Raises:
            ModelError: One is a fault.
        """
        if len(payloads) == 1 and not self.done:
            return self._one(payloads[0])
        return chain.from_iterable(self._many(payloads))

    def _many(self, payloads: Sequence[bytes]) -> Iterator[Sequence[Delta]]:
        for start in range(0, len(payloads), _AT_ONCE):
            some = payloads[start : start + _AT_ONCE]
            if not self.done and (texts := self._plain.texts(some)) is not None:
                yield self._assembler.all_of(self._plain.kind, texts)
                continue
            for payload in some:
                if self.done:
                    return
                yield self._one(payload)

    def _one(self, payload: bytes) -> Sequence[Delta]:
        plain, assembler = self._plain, self._assembler
        if (text := plain.text(payload)) is not None:
            return assembler.text(text) if plain.kind is TextEvent else assembler.reasoning(text)
        try:
            chunk = self._loads(payload)
        except ValueError:
            return self._unusual(payload)
        if self._begun and type(payload) is bytes and (name := field_of(chunk)):
            plain.learn(payload, chunk, name)
            text = chunk["choices"][0]["delta"][name]
            return assembler.text(text) if KINDS[name] is TextEvent else assembler.reasoning(text)
        return self._chunk(chunk, payload)

    def finish(self) -> tuple[Assistant, Sequence[Delta]]:
        """The answer, and the deltas that were held back.

        Raises:
            ModelError: The stream broke off, or holds no answer.
        """
        answer, deltas = self._assembler.finish()
        extra = {**self._extra, **self._pieces}
        if "refusal" in extra:
            extra["refusal"] = "".join(map(text_of, extra["refusal"]))
        calls = tuple(self._offered.ours(call) for call in answer.tool_calls)
        return checked(replace(answer, tool_calls=calls, model=self._model, extra=extra)), [
            self._ours(delta) for delta in deltas
        ]

    def _unusual(self, payload: bytes) -> Sequence[Delta]:
        """A payload that the fast reader refuses: the end, a remark, or JSON that is not quite."""
        said = _WRAPPED_TWICE.sub(b"", payload.strip())
        if said == b"[DONE]":
            self.done = True
            self._assembler.done()
            return ()
        try:
            if said.startswith((b"{", b"[")):
                return self._chunk(json_bytes.loads(said), type(payload)(said))
        except ValueError:
            self._assembler.damaged()
        if isinstance(payload, ErrorEvent):
            raise self._blame(Fault(first_words(said)))
        return ()  # also `ping`, and an empty line: no piece of the answer

    def _chunk(self, chunk: Any, payload: bytes) -> Sequence[Delta]:
        fault = fault_in(chunk) or fault_in(_inside(chunk, "x_groq"))
        if fault is None and isinstance(payload, ErrorEvent):
            fault = Fault(first_words(payload))
        if fault is not None:
            raise self._blame(fault)
        if not isinstance(chunk, dict):
            return ()
        self._begun = True
        self._facts(chunk)
        deltas: list[Delta] = []
        for choice in _list(chunk.get("choices")):
            if isinstance(choice, dict) and choice.get("index") in (None, 0, "0"):
                deltas += self._choice(choice, payload)
        return [self._ours(delta) for delta in deltas]

    def _ours(self, delta: Delta) -> Delta:
        """The delta with our name of the tool; of a call that seems whole, with the arguments that our schema means."""
        match delta:
            case ToolCallEvent(call):
                return ToolCallEvent(self._offered.named(call)) if self._offered.renamed else delta
            case ToolCallGrows(call):
                return ToolCallGrows(self._offered.named(call)) if self._offered.renamed else delta
            case ToolCallReady(call):
                return ToolCallReady(self._offered.ours(call))
            case _:
                return delta

    def _facts(self, chunk: Mapping[str, Any]) -> None:
        self._model = text_of(chunk.get("model")) or self._model
        self._extra = {**_kept(chunk, _OF_ANSWER), **self._extra}
        if isinstance(usage := chunk.get("usage") or _inside(chunk.get("x_groq"), "usage"), dict):
            self._assembler.usage(usage_of(usage))

    def _choice(self, choice: Mapping[str, Any], payload: bytes) -> list[Delta]:
        if (fault := fault_in({"error": choice.get("error")})) is not None:
            raise self._blame(fault)
        deltas: list[Delta] = []
        # a message beside deltas repeats them; it counts only where no delta came
        names = ("delta", "message") if self._assembler.is_empty else ("delta",)
        if (message := _message_of(choice, names)) is not None:
            deltas += self._delta(message, payload)
        if isinstance(usage := choice.get("usage"), dict):  # Moonshot
            self._assembler.usage(usage_of(usage))
        if isinstance(logprobs := choice.get("logprobs"), dict):
            known = self._extra.setdefault("logprobs", {})
            for name, items in logprobs.items():
                known.setdefault(name, []).extend(_list(items))
        if reason := choice.get("finish_reason"):
            self._assembler.finish_reason(reason)
        return deltas

    def _delta(self, delta: Mapping[str, Any], payload: bytes) -> Iterator[Delta]:
        assembler = self._assembler
        text, inner = split_content(delta.get("content"))
        yield from assembler.reasoning(reasoning_of(delta) or inner)
        yield from assembler.text(text or text_of(delta.get("refusal")))
        for name, value in _kept(delta, _OF_MESSAGE).items():
            self._pieces.setdefault(name, []).extend(value if isinstance(value, list) else [value])
        if delta.get("tool_calls") or delta.get("function_call"):
            for piece in call_pieces(_exact(delta, payload)):
                yield from assembler.call(piece)


def _exact(delta: Mapping[str, Any], payload: bytes) -> Mapping[str, Any]:
    """The delta with integers of any size: the fast reader rounds those that stand outside of texts."""
    if not _OBJECT_ARGUMENTS.search(payload):
        return delta
    try:
        choices = _list(json_bytes.loads(payload).get("choices"))
    except ValueError:  # an integer that even Python refuses
        return delta
    return next((found for c in choices if (found := _inside(c, "delta") or _inside(c, "message"))), delta)


def call_pieces(message: Mapping[str, Any]) -> Iterator[CallPiece]:
    """The calls that a message or a delta speaks of, in order."""
    items = message.get("tool_calls")
    items = [items] if isinstance(items, dict) else _list(items)
    items = [item for item in items if isinstance(item, dict)]
    if not items and isinstance(legacy := message.get("function_call"), dict):
        items = [{"function": legacy}]
    for position, item in enumerate(items):
        function = item.get("function") or item.get("custom") or item
        if not isinstance(function, dict):
            function = {**item, "name": function}
        arguments = function.get("arguments")
        if arguments is None:
            arguments = next((function[key] for key in _ARGUMENT_FIELDS if function.get(key) is not None), None)
        yield CallPiece(
            index=_index(item.get("index"), position if len(items) > 1 else None),
            id=text_of(item.get("id")) or None,
            name=text_of(function.get("name") or item.get("name")) or None,
            arguments=arguments if isinstance(arguments, str) or arguments is None else _json(arguments),
            extra=_kept(item, _OF_CALL),
        )


def _call(piece: CallPiece) -> ToolCall:
    return ToolCall(
        id=new_call_id(),
        name=piece.name or "",
        arguments=mended(piece.arguments or ""),
        provider_id=piece.id,
        extra=piece.extra or None,
    )


def _index(value: Any, otherwise: int | None) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if type(value) is int else otherwise


def _message_of(choice: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The message or delta of a choice; of a text completion its text as one."""
    for name in names:
        if isinstance(message := choice.get(name), dict):
            return message
    text = choice.get("text")
    return None if text is None else {"content": text}


def split_content(content: Any) -> tuple[str, str]:
    """The text of a content, and the reasoning that some servers put among its parts."""
    if isinstance(content, str) or content is None:
        return content or "", ""
    if not isinstance(content, list):
        return text_of(content), ""
    texts, thoughts = [], []
    for part in content:
        if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            thoughts.append(_part_text(part))
        else:
            texts.append(_part_text(part))
    return "".join(texts), "".join(thoughts)


def text_of(value: Any) -> str:
    """A value as text: null is none, what is no text is its JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _json(value)


def _part_text(part: Any) -> str:
    """The text of one content part, however deep it is."""
    match part:
        case None | bool():
            return ""
        case str():
            return part
        case list():
            return "".join(map(_part_text, part))
        case dict():
            fields = ("text", "thinking", "reasoning", "content", "value", "summary", "refusal")
            return next((_part_text(part[name]) for name in fields if part.get(name) is not None), "")
        case _:
            return _json(part)


def reasoning_of(message: Mapping[str, Any]) -> str:
    """The reasoning of a message or delta, in whichever field it stands."""
    for name in (*REASONING_FIELDS, "reasoning_details"):
        if (value := message.get(name)) is not None and (text := _part_text(value)):
            return text
    return ""


def usage_of(usage: Any, *, requests: int = 0) -> Usage:
    """Tokens as a server counts them; what it leaves out is 0."""
    if not isinstance(usage, dict):
        return Usage(requests=requests)
    read = usage.get
    prompt_details, output_details = read("prompt_tokens_details"), read("completion_tokens_details")
    total, sent = _count(read("total_tokens")), _count(read("prompt_tokens"), read("input_tokens"))
    written = _count(read("completion_tokens"), read("output_tokens"), max(0, total - sent))
    thought = max(0, total - sent - written) if sent else 0  # Gemini and xAI: no part of the completion, but paid
    return Usage(
        input_tokens=sent,
        output_tokens=written + thought,
        cached_tokens=_count(
            _inside(prompt_details, "cached_tokens"),
            read("prompt_cache_hit_tokens"),  # DeepSeek
            read("cached_tokens"),  # Moonshot
        ),
        reasoning_tokens=_count(_inside(output_details, "reasoning_tokens"), read("reasoning_tokens"), thought),
        requests=requests,
        neurons=_amount(read("neurons")),
    )


def _count(*values: Any) -> int:
    """The first that is a number, as a count."""
    for value in values:
        if type(value) is int and 0 <= value < 1e18:  # as `_amount` says of nearly all
            return value
        if (amount := _amount(value)) is not None:
            return int(amount)
    return 0


def _amount(value: Any) -> float | None:
    """A number that can be meant; None where it is none."""
    if value is None or not isinstance(value, _NUMBERS) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < 1e18 else None


def _inside(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _kept(fields: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    if names.isdisjoint(fields):
        return {}
    return {name: value for name, value in fields.items() if name in names and value is not None}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
