"""What servers say when they fail: code before words before status, in every body that there is."""

from __future__ import annotations

import email.utils
import json
import time

import pytest
from wire.fakes import FakeServer, message, request, whole

from agentkit.errors import (
    AuthFailed,
    ContextTooLong,
    MalformedResponse,
    ModelError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from agentkit.models.chat_completions.errors import error_of, fault_of
from agentkit.models.http import MAX_SHOWN_CHARS
from agentkit.models.workers_ai.errors import error_from_fault

pytestmark = pytest.mark.anyio


def openai(text: str, kind: str | None = None, code: str | int | None = None) -> bytes:
    return json.dumps({"error": {"message": text, "type": kind, "param": None, "code": code}}).encode()


def cloudflare(code: int, text: str) -> bytes:
    return json.dumps(
        {"result": None, "success": False, "errors": [{"code": code, "message": text}], "messages": []}
    ).encode()


ERRORS = {
    # OpenAI
    "wrong key": (
        401,
        openai("Incorrect API key provided: sk-x***x.", "invalid_request_error", "invalid_api_key"),
        AuthFailed,
    ),
    "no such model": (
        404,
        openai("The model `gpt-x` does not exist", "invalid_request_error", "model_not_found"),
        ModelNotFound,
    ),
    "rate limit": (429, openai("Rate limit reached for gpt-4o", "requests", "rate_limit_exceeded"), RateLimited),
    "quota": (
        429,
        openai("You exceeded your current quota, please check your plan", "insufficient_quota", "insufficient_quota"),
        QuotaExhausted,
    ),
    "context": (
        400,
        openai(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        ContextTooLong,
    ),
    "bad request": (400, openai("Invalid value: 'x'", "invalid_request_error", None), RequestRefused),
    "content policy": (
        400,
        openai("Your request was rejected", "image_generation_user_error", "content_policy_violation"),
        RequestRefused,
    ),
    "server error": (500, openai("The server had an error", "server_error"), Unavailable),
    "overloaded": (503, openai("The engine is currently overloaded", "overloaded_error"), Unavailable),
    # Cloudflare: the status alone does not tell them apart
    "daily neurons": (
        429,
        cloudflare(3036, "you have used up your daily free allocation of 10,000 neurons"),
        QuotaExhausted,
    ),
    "daily neurons, other code": (
        429,
        cloudflare(4006, "you have used up your daily free allocation of 10,000 neurons"),
        QuotaExhausted,
    ),
    "capacity": (429, cloudflare(3040, "Capacity temporarily exceeded, please try again."), Unavailable),
    "capacity, code in the text": (
        429,
        openai("InferenceUpstreamError: 3040: Capacity temporarily exceeded"),
        Unavailable,
    ),
    "timeout": (408, cloudflare(3007, "Timeout"), Unavailable),
    "too large": (413, cloudflare(3006, "Request is too large"), ContextTooLong),
    "no such model, Cloudflare": (400, cloudflare(5007, "No such model @cf/x or task"), ModelNotFound),
    "retired model": (410, cloudflare(5028, "AiError: Model has been deprecated: x (uuid)"), ModelNotFound),
    "needs paid": (403, cloudflare(5035, "This model requires Workers Paid"), ModelNotFound),
    "licence": (403, cloudflare(5016, "You must accept the licence"), RequestRefused),
    "authentication": (403, cloudflare(10000, "Authentication error"), AuthFailed),
    "no route": (404, cloudflare(7003, "Could not route to /accounts/x"), ModelNotFound),
    "vLLM layer": (400, cloudflare(8001, "Invalid input"), RequestRefused),
    "Cloudflare in OpenAI's form": (
        500,
        openai("AiError: AiError: Request timeout (uuid)", None, "invalid_prompt"),
        RequestRefused,
    ),
    # others
    "Ollama, no such model": (404, openai('model "x" not found, try pulling it first', "api_error"), ModelNotFound),
    "Ollama, text": (400, b'{"error": "json: cannot unmarshal"}', RequestRefused),
    "llama.cpp": (500, b'{"error":{"code":500,"message":"failed to parse","type":"server_error"}}', Unavailable),
    "llama.cpp, context": (
        400,
        b'{"error":{"code":400,"message":"request (8290 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":8290,"n_ctx":4096}}',
        ContextTooLong,
    ),
    "llama.cpp, loading": (
        503,
        b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
        Unavailable,
    ),
    "vLLM": (
        400,
        b'{"object":"error","message":"top_p must be in (0, 1], got 2.0.","type":"BadRequestError","code":400}',
        RequestRefused,
    ),
    "vLLM, no such model": (
        404,
        b'{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}',
        ModelNotFound,
    ),
    "FastAPI": (
        422,
        b'{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"missing"}]}',
        RequestRefused,
    ),
    "FastAPI, text": (401, b'{"detail":"Not authenticated"}', AuthFailed),
    "Mistral": (
        422,
        b'{"object":"error","message":{"detail":[{"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_message_error","code":null}',
        RequestRefused,
    ),
    "Mistral, invalid model": (
        400,
        b'{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}',
        ModelNotFound,
    ),
    "Mistral, rate": (429, b'{"message":"Requests rate limit exceeded"}', RateLimited),
    "Gemini, key": (
        400,
        b'[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]',
        AuthFailed,
    ),
    "Gemini, per minute": (
        429,
        b'[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 17.5s.","status":"RESOURCE_EXHAUSTED"}}]',
        RateLimited,
    ),
    "Gemini, overloaded": (
        503,
        b'[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]',
        Unavailable,
    ),
    "Anthropic": (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', Unavailable),
    "Anthropic, prompt": (
        400,
        b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205000 tokens > 200000 maximum"}}',
        ContextTooLong,
    ),
    "Anthropic, billing": (
        400,
        b'{"type":"error","error":{"type":"billing_error","message":"Your credit balance is too low"}}',
        QuotaExhausted,
    ),
    "OpenRouter, credits": (
        402,
        b'{"error":{"code":402,"message":"This request requires more credits"}}',
        QuotaExhausted,
    ),
    "OpenRouter, model": (400, b'{"error":{"message":"x/y is not a valid model ID","code":400}}', ModelNotFound),
    "OpenRouter, behind it": (
        502,
        b'{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"upstream died","provider_name":"X"}}}',
        Unavailable,
    ),
    "Groq, tokens a minute": (
        429,
        openai(
            "Rate limit reached on tokens per minute (TPM): Limit 6000, Used 5000, Requested 2000. Please try again in 10s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        RateLimited,
    ),
    "DeepSeek, balance": (
        402,
        openai("Insufficient Balance", "unknown_error", "invalid_request_error"),
        QuotaExhausted,
    ),
    "Together": (429, openai("You have reached the rate limit", "rate_limited", None), RateLimited),
    # codes and words where the status alone would mislead
    "Ollama, no tools": (400, openai("tiny:1b does not support tools", "api_error", None), RequestRefused),
    "Ollama, memory": (500, openai("model requires more system memory", "api_error", None), Unavailable),
    "a fault in a 200, of no known code": (200, openai("went wrong", "api_error", None), Unavailable),
    "Groq, no call": (400, openai("Failed to call a function.", "x", "tool_use_failed"), MalformedResponse),
    "Groq, capacity": (498, openai("Flex tier is full", "capacity_exceeded", None), Unavailable),
    "Groq, more than a minute allows": (
        413,
        openai("Request too large: Limit 6000, Requested 9000, reduce it", "tokens", "rate_limit_exceeded"),
        ContextTooLong,
    ),
    "Anthropic, credit": (
        400,
        openai("Your credit balance is too low.", "invalid_request_error", None),
        QuotaExhausted,
    ),
    "xAI, credits": (403, b'{"code": "denied", "error": "This team does not have any credits yet."}', QuotaExhausted),
    "OpenRouter, key limit": (403, openai("Key limit exceeded (weekly).", "x", None), QuotaExhausted),
    "OpenRouter, moderation": (403, openai("moderated; your input was flagged", "x", None), RequestRefused),
    "Cohere, trial": (429, b'{"message": "This key is limited to 10 calls / month."}', QuotaExhausted),
    "LiteLLM, budget": (400, openai("over budget", "budget_exceeded", "400"), QuotaExhausted),
    "LiteLLM, context": (500, openai("litellm.ContextWindowExceededError: no", "x", "400"), ContextTooLong),
    "Moonshot, quota": (429, openai("account suspended", "exceeded_current_quota_error", None), QuotaExhausted),
    "Moonshot, context": (400, openai("exceeded model token limit: 8192", "x", None), ContextTooLong),
    "Qwen, arrears": (400, openai("not in good standing", "x", "Arrearage"), QuotaExhausted),
    "Qwen, free tier": (403, openai("The free tier is exhausted.", "x", None), QuotaExhausted),
    "Qwen, context": (400, openai("Range of input length should be [1, 6000]", "x", None), ContextTooLong),
    "Zhipu, context": (400, openai("Prompt exceeds max length", "x", "1261"), ContextTooLong),
    "Zhipu, arrears": (429, openai("please recharge", "x", "1113"), QuotaExhausted),
    "SambaNova, context": (400, openai("supported sequence length is just 4096", "x", None), ContextTooLong),
    "Bedrock, model": (400, b'{"message": "The provided model identifier is invalid."}', ModelNotFound),
    "OpenAI, more output than the model can": (
        400,
        openai(
            "max_tokens is too large: 5000. This model supports at most 4096 completion tokens.", "x", "invalid_value"
        ),
        RequestRefused,
    ),
    "Z.ai, five hours": (429, openai("Usage limit reached for 5 hour.", "x", "1308"), QuotaExhausted),
    "Anthropic, usage": (400, openai("You have reached your specified API usage limits.", "x", None), QuotaExhausted),
    "Ollama, cloud": (429, b'{"error": "you have reached your weekly usage limit"}', QuotaExhausted),
    "Fireworks, suspended": (412, openai("reaching the monthly spending limit", "x", "FAILED"), QuotaExhausted),
    "One API, quota": (
        403,
        openai("user quota is used up", "new_api_error", "insufficient_user_quota"),
        QuotaExhausted,
    ),
    "SiliconFlow, balance": (403, b'{"code": 30001, "message": "account balance is insufficient"}', QuotaExhausted),
    "Novita, balance": (
        403,
        b'{"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}',
        QuotaExhausted,
    ),
    "Bedrock, throttled": (400, openai("ThrottlingException: Too many requests", "x", None), RateLimited),
    "LiteLLM, rate": (400, openai("litellm.RateLimitError: no", "throttling_error", "400"), RateLimited),
    "LiteLLM, key": (400, openai("Authentication Error", "auth_error", "400"), AuthFailed),
    "Gemini, key expired": (400, openai("API key expired. Please renew the API key.", "x", None), AuthFailed),
    "Gemini, no key": (400, openai("API Key not found. Please pass a valid API key.", "x", None), AuthFailed),
    "Cloudflare, gateway": (
        400,
        b'{"success": false, "result": [], "error": [{"code": 9109, "message": "Unauthorized"}]}',
        AuthFailed,
    ),
    "Cloudflare, header": (400, cloudflare(6003, "Invalid request headers"), AuthFailed),
    "Cloudflare, token": (403, cloudflare(9109, "Invalid access token"), AuthFailed),
    "DeepSeek, model": (
        400,
        openai("Model Not Exist", "invalid_request_error", "invalid_request_error"),
        ModelNotFound,
    ),
    "Hugging Face, model": (400, openai("not supported by any provider", "x", "model_not_supported"), ModelNotFound),
    "Moonshot, overloaded": (429, openai("busy", "engine_overloaded_error", None), Unavailable),
    "TGI, overloaded": (429, b'{"error": "Model is overloaded", "error_type": "overloaded"}', Unavailable),
    "TGI, while it wrote": (424, b'{"error": "CUDA out of memory", "error_type": "generation"}', Unavailable),
    "xAI, guidelines": (403, openai("Content violates usage guidelines.", "x", None), RequestRefused),
    "Groq, no JSON": (400, openai("Failed to generate JSON.", "x", "json_validate_failed"), MalformedResponse),
    "Groq, no answer": (400, openai("Parsing failed.", "x", "output_parse_failed"), MalformedResponse),
    "Groq, more output than the model can": (
        400,
        openai("`max_tokens` must be less than or equal to `8192`, the `context_window` of this model", "x", None),
        RequestRefused,
    ),
    "GitHub, context": (400, openai("Max size: 8000 tokens.", "x", "tokens_limit_reached"), ContextTooLong),
    "OpenAI, a long message": (
        400,
        openai("Invalid 'messages[0].content': string too long.", "x", "string_above_max_length"),
        ContextTooLong,
    ),
    "OpenAI, a long name": (
        400,
        openai("Invalid 'tools[0].function.name': string too long.", "x", "string_above_max_length"),
        RequestRefused,
    ),
    "a tool's name like a rate limit": (400, openai("tool 'get_rate_limited': bad schema", "x", None), RequestRefused),
    "a tool's name that is too long": (
        400,
        openai("function name exceeds maximum length of 64", "x", None),
        RequestRefused,
    ),
    "a field like a quota": (400, openai("property 'usage limits' is unknown", "x", None), RequestRefused),
    "a token that is none": (400, openai("Invalid token: the header exceeds 4096 bytes", "x", None), RequestRefused),
    "vLLM, nothing left to write": (
        400,
        openai("max_tokens must be at least 1, got -1200.", "x", None),
        ContextTooLong,
    ),
    # statuses alone
    "400, empty": (400, b"", RequestRefused),
    "401, empty": (401, b"", AuthFailed),
    "402, text": (402, b"Payment Required", QuotaExhausted),
    "403, HTML": (403, b"<html><title>Attention Required! | Cloudflare</title></html>", AuthFailed),
    "404, text": (404, b"404 page not found", ModelNotFound),
    "405": (405, b"Method Not Allowed", RequestRefused),
    "408": (408, b"", Unavailable),
    "409": (409, b"", Unavailable),
    "410": (410, b"Gone", ModelNotFound),
    "413": (413, b"<html><title>413 Request Entity Too Large</title></html>", ContextTooLong),
    "418": (418, b"teapot", RequestRefused),
    "422": (422, b"{}", RequestRefused),
    "425": (425, b"", Unavailable),
    "429, text": (429, b"Too Many Requests", RateLimited),
    "500, text": (500, b"Internal Server Error", Unavailable),
    "501": (501, b"", RequestRefused),
    "502, HTML": (502, b"<html><head><title>502 Bad Gateway</title></head></html>", Unavailable),
    "503, empty": (503, b"", Unavailable),
    "504": (504, b"upstream request timeout", Unavailable),
    "520 of Cloudflare": (520, b"error code: 520", Unavailable),
    "529": (529, b"", Unavailable),
    "302": (302, b"", RequestRefused),
    "JSON that says nothing": (500, b"[1, 2]", Unavailable),
    "an error of errors": (400, b'{"error": {"error": {"error": {"message": "deep"}}}}', RequestRefused),
    "nested for ever": (500, b'{"error":' * 20_000, Unavailable),
    "bytes": (500, bytes(range(256)), Unavailable),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_errors_have_their_class(case):
    """Whatever the body: the right class, a short message of one line, status kept."""
    status, body, kind = ERRORS[case]
    with pytest.raises(ModelError) as caught:
        await whole((status, body))
    error = caught.value
    assert type(error) is kind
    assert error.status == status
    assert len(str(error)) < 500
    assert "\n" not in str(error)


RETRYABLE = {RateLimited, Unavailable, MalformedResponse}


@pytest.mark.parametrize("case", ERRORS)
async def test_only_what_may_pass_is_tried_again(case):
    """Two retries for a failure that may pass, none for one that cannot."""
    status, body, kind = ERRORS[case]
    server = FakeServer((status, body, {"retry-after": "0"}))
    with pytest.raises(kind):
        await server.model(tools="native").call(request())
    assert len(server.requests) == (3 if kind in RETRYABLE else 1)


CODES = {
    "code": (openai("no", "a_type", "a_code"), "a_code"),
    "type": (openai("no", "a_type", None), "a_type"),
    "number": (cloudflare(3040, "busy"), "3040"),
    "the status again": (b'{"error":{"code":429,"message":"no"}}', None),
    "none": (b"no", None),
}


@pytest.mark.parametrize("case", CODES)
async def test_the_servers_own_code_is_kept(case):
    """As text."""
    body, code = CODES[case]
    assert error_of(429, {}, body).code == code


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "cf-ray"])
async def test_the_request_id_is_kept(name):
    """For support."""
    with pytest.raises(Unavailable) as caught:
        await whole((500, b"", {name: "req_1"}))
    assert caught.value.request_id == "req_1"


CONTEXTS = {
    "OpenAI": (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.",
        8192,
        10000,
    ),
    "OpenAI, parts": (
        "This model's maximum context length is 4097 tokens, however you requested 5000 tokens (4000 in your prompt; 1000 for the completion).",
        4097,
        5000,
    ),
    "vLLM": (
        "This model's maximum context length is 131072 tokens. However, you requested 140000 tokens (139000 in the messages, 1000 in the completion). Please reduce the length.",
        131072,
        140000,
    ),
    "vLLM, new": (
        "You passed 131073 input tokens and requested 100 output tokens. However, the model's context length is only 131072 tokens",
        131072,
        131173,
    ),
    "vLLM, max_tokens": (
        "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 1000 input tokens (5000 > 4096 - 1000).",
        4096,
        6000,
    ),
    "Workers AI": (
        "This model's maximum context length is 131072 tokens. However, you requested 4096 output tokens and your prompt contains at least 130000 input tokens",
        131072,
        134096,
    ),
    "llama.cpp": (
        "request (8290 tokens) exceeds the available context size (4096 tokens), try increasing it",
        4096,
        8290,
    ),
    "llama.cpp, old": (
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        None,
        None,
    ),
    "Anthropic": ("prompt is too long: 205000 tokens > 200000 maximum", 200000, 205000),
    "Anthropic, sum": (
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
        200000,
        210000,
    ),
    "Gemini": (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        1048576,
        1200000,
    ),
    "Mistral": (
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        32768,
        40000,
    ),
    "OpenRouter": (
        "This endpoint's maximum context length is 128000 tokens. However, you requested about 150000 tokens (149000 of text input, 1000 in the output).",
        128000,
        150000,
    ),
    "xAI": ("This model's maximum prompt length is 131072 but the request contains 150000 tokens.", 131072, 150000),
    "SGLang": ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096, 5000),
    "SGLang, total": (
        "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 6000 tokens: 5000 tokens from the input messages",
        4096,
        6000,
    ),
    "Together": (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`",
        8193,
        9000,
    ),
    "LM Studio": (
        "The number of tokens to keep from the initial prompt is greater than the context length",
        None,
        None,
    ),
    "Groq": ("Please reduce the length of the messages or completion.", None, None),
    "Bedrock": ("Input is too long for requested model.", None, None),
    "vLLM, embedded": (
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that it is not.",
        4096,
        5000,
    ),
    "Copilot": ("prompt token count of 140000 exceeds the limit of 128000", 128000, 140000),
    "Kimi": ("Your request exceeded model token limit: 262144 (requested: 300000)", 262144, 300000),
    "Azure": (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 509178 tokens.",
        272000,
        509178,
    ),
    "LM Studio, new": (
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
        4096,
        5000,
    ),
    "Cohere": ("too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.", 4081, 5000),
    "Cerebras": (
        "Please reduce the length of the messages or completion. Current length is 140000 while limit is 131072",
        131072,
        140000,
    ),
    "Qwen": ("Range of input length should be [1, 129024]", 129024, None),
    "Doubao": ("Input length 200000 exceeds the maximum length 131072", 131072, 200000),
    "llama-cpp-python": ("Requested tokens (5000) exceed context window of 2048", 2048, 5000),
    "SGLang, limit": ("The input (280000 tokens) exceeds the model's limit (262144 tokens)", 262144, 280000),
    "TGI": ("Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", 4096, 5000),
    "only the window": ("This model's maximum input length is 32768 tokens.", 32768, None),
    "with commas": (
        "This model's maximum context length is 128,000 tokens. However, you requested 150,000 tokens",
        128000,
        150000,
    ),
}


@pytest.mark.parametrize("case", CONTEXTS)
@pytest.mark.parametrize("status", [400, 500, 200])
async def test_a_conversation_that_does_not_fit_is_recognised_by_its_words(case, status):
    """In every server's wording, with the numbers that it gives."""
    text, limit, requested = CONTEXTS[case]
    error = error_of(status, {}, openai(text, "invalid_request_error", None))
    assert isinstance(error, ContextTooLong)
    assert (error.limit_tokens, error.requested_tokens) == (limit, requested)
    assert not error.retryable


async def test_tokens_a_minute_are_no_context():
    """A 429 that counts tokens is a rate limit."""
    error = error_of(
        429, {}, openai("Request too large on tokens per min (TPM): Limit 30000, Requested 35000. context length")
    )
    assert isinstance(error, RateLimited)


WAITS = {
    "seconds": ({"retry-after": "20"}, "", 20.0),
    "half seconds": ({"retry-after": "0.5"}, "", 0.5),
    "milliseconds": ({"retry-after-ms": "1500", "retry-after": "2"}, "", 1.5),
    "zero": ({"retry-after": "0"}, "", 0.0),
    "nonsense": ({"retry-after": "soon"}, "", None),
    "negative": ({"retry-after": "-1"}, "", None),
    "a past date": ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "", 0.0),
    "words, seconds": ({}, "Please try again in 20s.", 20.0),
    "words, parts of seconds": ({}, "Please try again in 7.66s.", 7.66),
    "words, minutes": ({}, "Please try again in 1m3.5s.", 63.5),
    "words, hours": ({}, "Please try again in 1h2m3s.", 3723.0),
    "words, milliseconds": ({}, "Please try again in 6ms.", 0.006),
    "words, whole minutes": ({}, "Please try again in 5 minutes.", 300.0),
    "words, an hour": ({}, "Please try again in 1 hour 3 minutes.", 3780.0),
    "words, wait": ({}, "Please wait 40 seconds before retrying.", 40.0),
    "words, a raw body": ({}, '{"retryDelay": "17s"}', 17.0),
    "a year that is none": ({"retry-after": "Wed, 21 Oct 99999 07:28:00 GMT"}, "", None),
    "words, retry in": ({}, "Please retry in 17.5s.", 17.5),
    "words without a number": ({}, "Please try again in a moment.", None),
    "none": ({}, "", None),
}


@pytest.mark.parametrize("case", WAITS)
async def test_what_a_server_asks_to_wait_is_read(case):
    """From its headers, else from its words."""
    headers, words, expected = WAITS[case]
    error = error_of(429, headers, openai(f"Rate limit reached. {words}", "requests", "rate_limit_exceeded"))
    assert error.retry_after_s == expected


async def test_what_a_server_asks_to_wait_may_stand_in_the_details():
    """Gemini says it apart from its words."""
    body = {"error": {"code": 429, "message": "Exhausted.", "details": [{"@type": "RetryInfo", "retryDelay": "17s"}]}}
    assert error_of(429, {}, json.dumps([body]).encode()).retry_after_s == 17.0


async def test_a_date_to_wait_for_is_seconds_from_now():
    """HTTP allows both."""
    error = error_of(503, {"retry-after": email.utils.formatdate(time.time() + 30, usegmt=True)}, b"")
    assert 25 < error.retry_after_s <= 30


async def test_a_server_that_asks_for_too_much_is_not_waited_for():
    """The error comes at once, with the wait in it: the caller may know another model."""
    server = FakeServer((429, b"", {"retry-after": "3600"}), message("Hello."))
    with pytest.raises(RateLimited) as caught:
        await server.model().call(request())
    assert caught.value.retry_after_s == 3600
    assert len(server.requests) == 1


@pytest.mark.parametrize(("said", "tries"), [("false", 1), ("true", 3)])
async def test_a_server_that_says_whether_to_retry_is_obeyed(said, tries):
    """OpenAI's `x-should-retry`, both ways."""
    server = FakeServer((500 if said == "false" else 400, b"", {"x-should-retry": said}))
    with pytest.raises(ModelError):
        await server.model().call(request())
    assert len(server.requests) == tries


async def test_failures_that_pass_are_not_seen():
    """429, then 500, then an answer."""
    server = FakeServer((429, b"", {"retry-after": "0"}), (500, b""), message("Hello."))
    assert (await server.model().call(request())).content == "Hello."


HINTS = {
    "no key": (401, b"", {}, "no API key was sent: pass api_key=..."),
    "wrong address": (
        404,
        b"<html>Not Found</html>",
        {},
        "is base_url right? the request went to http://server.test/v1/chat/completions",
    ),
    "wrong method": (405, b"", {}, "is base_url right?"),
    "moved": (
        301,
        b"",
        {"location": "https://new.test/v1?key=sk-secret"},
        "the server moved to https://new.test/v1; set base_url",
    ),
}


@pytest.mark.parametrize("case", HINTS)
async def test_what_the_caller_may_change_is_said(case):
    """A missing key, a wrong address."""
    status, body, headers, words = HINTS[case]
    with pytest.raises(ModelError) as caught:
        await whole((status, body, headers))
    assert words in str(caught.value)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("reply", [(401, b""), (400, openai("API key not valid. Please pass a valid API key."))])
@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        (None, "set OPENAI_API_KEY, or pass api_key="),
        ("https://generativelanguage.googleapis.com", "set GEMINI_API_KEY or GOOGLE_API_KEY, or pass api_key="),
        ("http://server.test", "(for another key: pass api_key=...)"),
    ],
)
async def test_a_refused_key_names_the_variables_that_may_hold_another(base_url, words, reply):
    """Those of the server that refused it."""
    with pytest.raises(AuthFailed) as caught:
        await FakeServer(reply).model(base_url=base_url, api_key="sk-1", retries=0).call(request())
    assert words in str(caught.value)


SEVERAL = {
    "a quota behind a bad request": (
        [(5006, "Bad input"), (3036, "Allocation used up")],
        QuotaExhausted,
        "3036: Allocation used up; Bad input",
    ),
    "a known code behind an unknown one": (
        [(1001, "Odd"), (3040, "No capacity"), (10000, "Authentication error")],
        AuthFailed,
        "10000: Authentication error; No capacity; Odd",
    ),
    "the same twice": ([(7003, "No route"), (7000, "No route")], ModelNotFound, "7003: No route"),
    "no known code": ([(1001, "Odd"), (1002, "Odder")], RequestRefused, "1001: Odd; Odder"),
}


@pytest.mark.parametrize("case", SEVERAL)
@pytest.mark.parametrize("read", [error_of, lambda *given: error_from_fault(fault_of(given[2]), *given[:2])])
def test_of_several_errors_the_most_telling_decides_and_all_are_shown(case, read):
    """On both wires of Cloudflare."""
    errors, kind, words = SEVERAL[case]
    body = {"success": False, "errors": [{"code": code, "message": text} for code, text in errors]}
    error = read(400, {}, json.dumps(body).encode())
    assert (type(error), error.code) == (kind, words.partition(":")[0])
    assert str(error).partition(" (")[0] == f"HTTP 400 {words}"


KEY = "sk-very-secret-key-123"


@pytest.mark.parametrize(
    "options", [{"api_key": KEY}, {"headers": {"X-Api-Key": KEY}}, {"headers": {"Authorization": f"Bearer {KEY}"}}]
)
@pytest.mark.parametrize("reply", [(401, f"wrong key {KEY}"), {"error": f"wrong key {KEY}"}, (500, f"<b>{KEY}</b>")])
async def test_a_key_never_shows(options, reply):
    """Not in an error, although the server repeats it; not in a repr."""
    model = FakeServer(reply).model(retries=0, **options)
    with pytest.raises(ModelError) as caught:
        await model.call(request())
    shown = [str(caught.value), repr(caught.value), repr(model), repr(vars(caught.value)), str(caught.value.__cause__)]
    assert not any(KEY in text for text in shown)


@pytest.mark.parametrize("before", range(MAX_SHOWN_CHARS - len(KEY) - 3, MAX_SHOWN_CHARS - 8, 4))
async def test_half_a_key_does_not_show_either(before):
    """What a server repeats may stand where a message is cut off."""
    model = FakeServer((401, "x" * before + f" {KEY} is wrong")).model(retries=0, api_key=KEY)
    with pytest.raises(ModelError) as caught:
        await model.call(request())
    assert KEY[:8] not in str(caught.value)
