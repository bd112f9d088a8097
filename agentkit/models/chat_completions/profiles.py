"""What servers of chat completions differ in: one frozen record of quirks each, with the source of each quirk.

`GENERIC` is what nearly every server takes. A profile names only its differences. What a server refuses in words that
are known, its profile learns (`LESSONS`): the refused request did no work, and is made again in another form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from agentkit.models.dialects.recovering import Recover

ToolWire: TypeAlias = Literal["nested", "strict", "workers_ai"]
"""How tools are declared: plain, with OpenAI's strict mode where nothing is lost, or as Workers AI's schema asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The quirks of one kind of server.

    Attributes:
        name: Of a known server, as in `"name:model"`.
        system_role: The role that instructions are sent with; `user` puts them before the first user message.
        alternate: Messages of the same role in a row are joined (templates that insist on user, assistant, user).
        text_only: Content parts that are all text are sent as one text.
        empty_content: What stands for the content of an answer that is only tool calls: "", null, or nothing at all.
        tool_names: Tool results carry the name of their tool.
        call_ids: The tool call ids that are legal (a regular expression for the whole id).
        object_arguments: Arguments in the history are objects, not JSON text.
        reasoning_field: The field in which an answer's reasoning is sent back with its tool calls, if anywhere.
        call_fields: Fields of a tool call that have to be sent back as they came.
        message_fields: The same of an answer with tool calls.
        native_tools: Tools are declared. If not, they are described in words and calls are read from the text.
        tools: How tools are declared.
        tool_choices: What may be asked of `tool_choice`; the rest is not sent.
        required: The word for `tool_choice: required`.
        none_keeps_tools: `tool_choice: none` is honoured, so the tools stay in the request (and in the prompt cache).
        output: The most exact way to ask for JSON; None is instructions only.
        output_with_tools: JSON can be asked for beside tools.
        native_output: The server is known to enforce `json_schema`, whatever the model.
        renamed: Settings that have another name here.
        max_tokens: Sent when the caller sets none, where the server's own default is too short to work with.
        stream_usage: `stream_options.include_usage` is sent.
        recover: When calls are looked for in the text of an answer (`dialects/recovering.py`); `never` where the
            server's own parser is known to be good.
        session_header: The header that keeps a conversation on one replica, for its prompt cache.
        session_field: The same as a field of the body.
    """

    name: str = "the server"
    system_role: Literal["system", "developer", "user"] = "system"
    alternate: bool = False
    text_only: bool = False
    empty_content: Literal["empty", "null", "absent"] = "empty"
    tool_names: bool = False
    call_ids: str = r".{1,64}"
    object_arguments: bool = False
    reasoning_field: str | None = None
    call_fields: tuple[str, ...] = ()
    message_fields: tuple[str, ...] = ()
    native_tools: bool = True
    tools: ToolWire = "nested"
    tool_choices: frozenset[str] = frozenset({"auto", "none", "required", "named"})
    required: str = "required"
    none_keeps_tools: bool = False
    output: Literal["json_schema", "json_object"] | None = "json_schema"
    output_with_tools: bool = True
    native_output: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    stream_usage: bool = True
    recover: Recover = "auto"
    session_header: str | None = None
    session_field: str | None = None


GENERIC = Profile()

OPENAI = Profile(
    name="openai",
    recover="never",
    tools="strict",
    call_ids=r".{1,40}",  # a longer one is a 400: "string too long. Expected a string with maximum length 40"
    none_keeps_tools=True,
    native_output=True,
    renamed={"max_tokens": "max_completion_tokens"},  # reasoning models refuse max_tokens, all take the new name
    session_field="prompt_cache_key",  # platform.openai.com/docs/guides/prompt-caching
)

WORKERS_AI = Profile(
    name="workers-ai",
    tools="workers_ai",
    text_only=True,  # "'array' not in 'string'" from models without vision: anomalyco/opencode.school#174
    tool_names=True,  # Cloudflare's own clients send the id and the name
    reasoning_field="reasoning",  # cloudflare/ai#451: never as part of the content
    max_tokens=4096,  # the server's 256 on older models cuts answers off: lobehub/lobe-chat#7450
    session_header="x-session-affinity",  # developers.cloudflare.com/workers-ai/features/prompt-caching
)

OLLAMA = Profile(
    name="ollama",
    tool_choices=frozenset(),  # not among the supported fields of docs.ollama.com/api/openai-compatibility
    native_output=True,
    output_with_tools=False,  # a format constrains the text from the first token, so that no call can be made
)

LLAMACPP = Profile(
    name="llamacpp",
    tool_choices=frozenset({"auto", "none", "required"}),  # an object is read as if it were missing
    reasoning_field="reasoning_content",  # ggml-org/llama.cpp#16934
    native_output=True,
    output_with_tools=False,  # a grammar and tools exclude one another
)

VLLM = Profile(
    name="vllm",
    reasoning_field="reasoning",  # docs.vllm.ai/en/latest/features/reasoning_outputs: formerly reasoning_content
    native_output=True,
    output_with_tools=False,  # structured output constrains the text from the first token
)

LMSTUDIO = Profile(
    name="lmstudio",
    tool_choices=frozenset({"auto", "none", "required"}),  # lmstudio-ai/lmstudio-bug-tracker#670
    native_output=True,
    output_with_tools=False,
)

OPENROUTER = Profile(
    name="openrouter",
    none_keeps_tools=True,
    message_fields=("reasoning_details",),  # openrouter.ai/docs/use-cases/reasoning-tokens: preserving reasoning
)

GROQ = Profile(
    name="groq",
    none_keeps_tools=True,
    output_with_tools=False,  # console.groq.com/docs/structured-outputs: neither with tools nor, strictly, streamed
)

TOGETHER = Profile(name="together", output_with_tools=False)

MISTRAL = Profile(
    name="mistral",
    recover="never",
    call_ids=r"[a-zA-Z0-9]{9}",  # "must be a-z, A-Z, 0-9, with a length of 9": anomalyco/opencode#1680
    tool_names=True,
    required="any",  # docs.mistral.ai/capabilities/function_calling
    none_keeps_tools=True,
    native_output=True,
    output_with_tools=False,
    renamed={"seed": "random_seed"},  # docs.mistral.ai/api
    stream_usage=False,  # the last chunk has it unasked, and an unknown field is a 422
)

DEEPSEEK = Profile(
    name="deepseek",
    reasoning_field="reasoning_content",  # missing beside calls it is a 400: api-docs.deepseek.com/guides/thinking_mode
    none_keeps_tools=True,
    output="json_object",  # api-docs.deepseek.com/guides/json_mode: no json_schema
)

GEMINI = Profile(
    name="gemini",
    recover="never",
    call_fields=("extra_content",),  # thought signatures: ai.google.dev/gemini-api/docs/thought-signatures
    native_output=True,
    output_with_tools=False,
)

ANTHROPIC = Profile(
    name="anthropic",
    recover="never",
    call_ids=r"[a-zA-Z0-9_-]{1,64}",  # the pattern of tool_use.id
    empty_content="null",  # "text content blocks must be non-empty"
    none_keeps_tools=True,  # a history with tool calls needs the tools declared
    output=None,  # response_format is ignored: docs.claude.com/en/api/openai-sdk
)

_TOOLS = r"(?:tools?|functions?)(?:[ -](?:use|calls?|calling))?"
_SCHEMA = r"(?:response[_ ]format|json[_ ](?:schema|mode|object|output)|structured[_ ]outputs?)"
_IS_NOT = r"\W+(?:is|are) (?:not (?:supported|enabled|available)|unsupported|unavailable|disabled)"
_NO_EXTRA = r"\W+extra (?:inputs|fields)(?: are)? not permitted"

LESSONS: tuple[tuple[re.Pattern[str], Mapping[str, Any]], ...] = tuple(
    (re.compile("|".join(words), re.IGNORECASE), fields)
    for fields, *words in (
        (
            {"output_with_tools": False},
            r"cannot be combined with tool",  # Groq
            r"calling with a response mime type",  # Gemini
        ),
        (
            {"native_tools": False},
            # Ollama, xAI, LiteLLM; OpenRouter
            rf"(?:not|n't|endpoints found that) support (?:the )?(?:param(?:eter)?s?)?\W*{_TOOLS}\b(?![ -]choice)",
            rf"(?<!parallel )\b{_TOOLS}{_IS_NOT}",  # Gemini, Groq, OpenAI
            r"\btool(?:s|_choice) param requires --jinja|unsupported param\W+tools\b",  # llama.cpp, now and before
            r"--(?:enable-auto-tool-choice|tool-call-parser)\b",  # vLLM, LMDeploy
            rf"\btools{_NO_EXTRA}",
        ),
        (
            {"output": None, "native_output": False},
            rf"(?:not|n't) support (?:the )?\W*{_SCHEMA}",  # Groq
            rf"{_SCHEMA}{_IS_NOT}",  # Gemini
            r"\bresponse_format\b.{0,60}\bis (?:not supported|unavailable)",  # OpenAI, DeepSeek
            r"\bresponse_format\W.{0,9}type\W+must be",  # llama.cpp, LM Studio
            rf"\bresponse_format{_NO_EXTRA}",
        ),
        (
            {"system_role": "user"},
            r"(?:system|developer) (?:role|message|instruction|prompt)s?(?: (?:is|are))? not (?:supported|enabled)",
            r"role\W+does not support\W+(?:system|developer)\b",  # OpenAI
        ),
        ({"alternate": True}, r"\broles must alternate\b"),  # templates of Gemma and Mistral
    )
)
"""What servers say when they refuse a form of a request, and what their profile is then."""


def teaches(said: str) -> bool:
    """Whether a profile can be corrected by what the server said."""
    return corrected(GENERIC, said) != GENERIC


def corrected(profile: Profile, said: str) -> Profile:
    """The profile by the first lesson in what the server said."""
    return replace(profile, **next((fields for words, fields in LESSONS if words.search(said)), {}))
