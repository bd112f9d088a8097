"""What real servers of Workers AI were seen to do, one scenario each, and each error code.

The sources are issues of Cloudflare's own clients and of those who use them; they stand beside the rules in
`models/assemble.py` and `models/workers_ai/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentkit.core.messages import ToolCall
from agentkit.testing.scenarios import USAGE, Scenario, chat, chunk, refused, said

PORT = ToolCall(id="t1", name="lookup_port", arguments='{"city": "Penang"}')
"""The call that scenarios with tools make: offer a tool of this name."""
TIDE = ToolCall(id="t2", name="tide", arguments='{"day": "Monday"}')

_CAPACITY = "Capacity temporarily exceeded, please try again."
_FUNCTION = {"name": PORT.name, "arguments": PORT.arguments}
_LEAK = '{"name": "lookup_port", "arguments": {"city": "Penang"}}'


def _legacy(*events: Any) -> Scenario:
    return Scenario(events=events)


def _chunks(*deltas: Mapping[str, Any], finish: str = "stop", end: Sequence[Any] = ("[DONE]",)) -> Scenario:
    return Scenario(events=[*map(chunk, deltas), chunk({}, finish), *end])


def _calls(*pieces: Any) -> Scenario:
    return _chunks(*({"tool_calls": piece} for piece in pieces), finish="tool_calls")


def _body(answer: Any, *, envelope: bool = True) -> Scenario:
    return Scenario(body=answer, envelope=envelope)


def _message(message: Mapping[str, Any], reason: str | None = "stop") -> Scenario:
    return _body({"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": USAGE})


QUIRKS: Mapping[str, Scenario] = {
    # ---- whole answers ----
    "number-as-response": _body({"response": 0, "usage": USAGE}),
    "object-as-response": _body({"response": {"capital": "Vientiane"}, "usage": USAGE}),
    "list-as-response": _body({"response": ["Laos", "Siam"], "usage": USAGE}),
    "object-as-content": _message({"role": "assistant", "content": {"capital": "Vientiane"}}),
    "null-response-with-calls": _body({"response": None, "tool_calls": [_FUNCTION], "usage": USAGE}),
    "legacy-nested-calls": _body({"response": "", "tool_calls": [{"id": "t1", "function": _FUNCTION}]}),
    "flat-calls-in-message": _message({"content": "", "tool_calls": [_FUNCTION]}, "tool_calls"),
    "null-tool-calls": _message({"role": "assistant", "content": "Hai", "tool_calls": None}),
    "list-of-null-calls": _message({"role": "assistant", "content": "Hai", "tool_calls": [None]}),
    "reasoning-content": _message({"content": "Hai", "reasoning_content": "Hm."}),
    "reasoning": _message({"content": "Hai", "reasoning": "Hm."}),
    "think-without-opening": _message({"content": "Hm.</think>Hai"}),
    "no-envelope": _body(chat("Hai"), envelope=False),
    "double-envelope": _body({"result": {"response": "Hai"}}),
    "logprobs": _body({**chat("Hai"), "prompt_logprobs": {"0": -0.5}}),
    "tool-calls-without-calls": _message({"content": "", "tool_calls": []}, "tool_calls"),
    "forced-call-as-text": _message({"content": _LEAK, "tool_calls": []}),
    "forced-call-as-parameters": _message({"content": _LEAK.replace("arguments", "parameters")}),
    "forced-call-flat": _message({"content": '{"name": "lookup_port", "city": "Penang"}'}),
    "forced-call-in-list": _message({"content": f"[{_LEAK}]"}),
    "forced-call-in-function": _message({"content": f'{{"function": {_LEAK}}}'}),
    "forced-call-in-tool-calls": _message({"content": f'{{"tool_calls": [{_LEAK}]}}'}),
    "harmony-leak": _message({"content": '{"name": "analysis"}'}),
    "model-length": _message({"content": "Ha"}, "model_length"),
    "empty": _message({"content": ""}),
    # ---- streams ----
    "numbers-in-stream": _legacy({"response": 1}, {"response": 0}, {"response": ""}, "[DONE]"),
    "numbers-in-delta": _chunks({"content": 1}, {"content": 0}),
    "padding-chunk": _legacy({"response": "Hai"}, {"tool_calls": [], "p": "abcdefghijk"}, "[DONE]"),
    "streamed-data": _legacy({"streamed_data": [{"response": "Ha"}, {"response": "i"}]}, "[DONE]"),
    "two-finishes-two-dones": Scenario(
        events=[chunk({"content": "Ha"}, "length"), chunk({"content": "i"}, "stop"), "[DONE]", "[DONE]"]
    ),
    "early-finish": Scenario(events=[chunk({"content": "Ha"}, "stop"), chunk({"content": "i"}), "[DONE]"]),
    "arguments-before-name": _calls(
        [{"index": 0, "function": {"arguments": '{"city": '}}],
        [{"index": 0, "id": "t1", "function": {"name": "lookup_port", "arguments": '"Penang"}'}}],
    ),
    "same-ids": _calls(
        [{"index": 0, "id": "functions.tool:0", "function": _FUNCTION}],
        [{"index": 1, "id": "functions.tool:0", "function": {"name": "tide", "arguments": TIDE.arguments}}],
    ),
    "missing-id": _calls([{"index": 0, "id": None, "function": _FUNCTION}]),
    "missing-index": _calls(
        [{"id": "t1", "function": _FUNCTION}],
        [{"id": "t2", "function": {"name": "tide", "arguments": TIDE.arguments}}],
    ),
    "object-arguments": _calls([{"index": 0, "id": "t1", "function": {**_FUNCTION, "arguments": {"city": "Penang"}}}]),
    "several-calls-in-one-chunk": _calls(
        [
            {"index": 0, "id": "t1", "function": _FUNCTION},
            {"index": 1, "id": "t2", "function": {"name": "tide", "arguments": TIDE.arguments}},
        ]
    ),
    "null-calls-in-stream": _chunks({"content": "Ha", "tool_calls": None}, {"content": "i", "tool_calls": [None]}),
    "end-marker": _legacy(
        {"tool_calls": [{"id": "t1", "index": 0, "function": _FUNCTION}]},
        {"tool_calls": [{"id": None, "type": None, "function": {"name": None, "arguments": ""}}]},
        {"finish_reason": "tool_calls"},
        "[DONE]",
    ),
    "reasoning-in-stream": _chunks({"reasoning_content": "H"}, {"reasoning": "m."}, {"content": "Hai"}),
    "think-without-opening-in-stream": _chunks({"content": "Hm."}, {"content": "</think>"}, {"content": "Hai"}),
    "changing-chunk-id": Scenario(
        events=[chunk({"content": "Ha"}), {**chunk({"content": "i"}, "stop"), "id": "other"}, "[DONE]"]
    ),
    "broken-off": Scenario(events=[chunk({"content": "Ha"})]),
    "broken-off-in-a-call": Scenario(
        events=[
            chunk({"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "lookup_port", "arguments": "{"}}]})
        ]
    ),
    "malformed-event": Scenario(
        events=[chunk({"content": "Ha"}), '{"choices": [', chunk({"content": "i"}, "stop"), "[DONE]"]
    ),
    "json-instead-of-stream": Scenario(body=chat("Hai"), envelope=False),
    "empty-json-instead-of-stream": Scenario(body=chat(""), envelope=False),
    "error-in-stream": Scenario(
        events=[chunk({"content": "Ha"}), {"error": {"message": "3040: Capacity temporarily exceeded"}}]
    ),
    "errors-in-stream": Scenario(events=[{"errors": [{"code": 3040, "message": "Capacity temporarily exceeded"}]}]),
    "refusal-in-stream": Scenario(
        events=[{"type": "response.refusal.delta", "delta": "No."}, {"type": "response.completed", "response": {}}]
    ),
    # ---- usage in a stream ----
    "usage-at-the-end": _chunks({"content": "Hai"}, end=(chunk(usage=USAGE), "[DONE]")),
    "usage-cumulative": Scenario(
        events=[
            chunk({"content": "Ha"}, usage={"prompt_tokens": 13, "completion_tokens": 3, "total_tokens": 16}),
            chunk({"content": "i"}, "stop", usage=USAGE),
            "[DONE]",
        ]
    ),
    "usage-in-parts": _legacy(
        {"response": "", "usage": {"prompt_tokens": 13, "completion_tokens": 0, "neurons": 0.5}},
        *(
            {"response": letter, "usage": {"prompt_tokens": 0, "completion_tokens": 4, "neurons": 0.25}}
            for letter in "ab"
        ),
        "[DONE]",
    ),
    "neurons": _legacy({"response": "Hai", "usage": {**USAGE, "neurons": 3.1}}, "[DONE]"),
}
"""Every quirk, by name."""

ERRORS: Mapping[str, Scenario] = {
    "3036": refused(429, 3036, "you have used up your daily free allocation of 10,000 neurons"),
    "4006": refused(429, 4006, "you have used up your daily free allocation of 10,000 neurons"),
    "3040": refused(429, 3040, f"AiError: {_CAPACITY} (9f1c2f0e-1111-4222-8333-444455556666)"),
    "3007": refused(408, 3007, "AiError: Request timeout"),
    "3008": refused(408, 3008, "AiError: Request aborted"),
    "3006": refused(413, 3006, "Request is too large"),
    "3003": refused(400, 3003, "There is an incomplete request which is missing headers or body"),
    "5004": refused(400, 5004, "Invalid data type for base64 input"),
    "5006": refused(400, 5006, "AiError: Bad input"),
    "5007": refused(400, 5007, "No such model @cf/none/none or task"),
    "3042": refused(404, 3042, "The model name is invalid"),
    "5005": refused(405, 5005, "The model does not support LoRA inference"),
    "3039": refused(400, 3039, "Finetune is missing required files"),
    "5016": refused(403, 5016, "You need to agree to the model's licence"),
    "5018": refused(403, 5018, "This account is not allowed to access this private model"),
    "3041": refused(403, 3041, "This account is blocked"),
    "3023": refused(403, 3023, "This account is not allowed"),
    "5019": refused(405, 5019, "Deprecated SDK version"),
    "5035": refused(403, 5035, "This model requires the Workers Paid plan"),
    "5028": refused(410, 5028, "AiError: Model has been deprecated on 2026-05-30"),
    "5025": refused(400, 5025, "This model doesn't support JSON Schema."),
    "8001": refused(400, 8001, "Invalid input"),
    "8005": refused(500, 8005, "Internal error"),
    "8006": refused(400, 8006, "Invalid data for tool_choice"),
    "10000": refused(401, 10000, "Authentication error"),
    "9106": refused(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"),
    "7000": refused(400, 7000, "No route for that URI"),
    "7003": refused(404, 7003, "Could not route to /accounts/x/ai/run, perhaps your object identifier is invalid?"),
    "7001": refused(405, 7001, "GET not supported for requested URI."),
    "7009": refused(503, 7009, "Upstream service unavailable"),
    "2008": refused(400, 2008, "Invalid provider"),
    "json-mode": refused(400, None, "AiError: JSON Mode couldn't be met"),
    "overflow": refused(
        400,
        None,
        "This model's maximum context length is 131072 tokens. However, you requested 4096 output tokens and your "
        "prompt contains at least 130000 input tokens.",
    ),
    "429": refused(429, None, "Too many requests"),
    "openai-body": Scenario(
        raw=b'{"error": {"code": "invalid_prompt", "message": "AiError: AiError: Request timeout"}}', status=400
    ),
    "anthropic-body": Scenario(
        raw=b'{"type": "error", "error": {"type": "invalid_request_error", "message": "no such thing"}}', status=400
    ),
    "code-in-text": Scenario(raw=f'{{"error": "InferenceUpstreamError: 3040: {_CAPACITY}"}}'.encode(), status=429),
}
"""Every error code, and the bodies that errors come in."""

SCENARIOS: Mapping[str, Scenario] = {
    "chat": said("Hai"),
    "text": said("Hai", shape="text"),
    "legacy": said("Hai", shape="legacy"),
    "responses": said("Hai", shape="responses"),
    "chat-calls": said("", [PORT, TIDE]),
    "legacy-calls": said("", [PORT, TIDE], shape="legacy"),
    "responses-calls": said("", [PORT, TIDE], shape="responses"),
    "chat-stream": said("Hai semua", stream=True),
    "legacy-stream": said("Hai semua", shape="legacy", stream=True),
    "responses-stream": said("Hai semua", shape="responses", stream=True),
    "chat-stream-calls": said("", [PORT, TIDE], stream=True),
    "legacy-stream-calls": said("", [PORT, TIDE], shape="legacy", stream=True),
    "responses-stream-calls": said("", [PORT, TIDE], shape="responses", stream=True),
    **QUIRKS,
    **{f"error-{name}": scenario for name, scenario in ERRORS.items()},
}
"""All that can be played by name."""
