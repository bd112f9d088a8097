"""How long the dialects take on hostile text, at 10 KB, 100 KB and 1 MB: `python tests/benchmarks/bench_dialects.py`.

Each text is parsed whole, and fed to a `Splitter` in chunks of 20 characters. Time must grow like the text.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects import Splitter, parse
from agentkit.models.dialects.grammar import grammar

SIZES = (10_000, 100_000, 1_000_000)
CHUNK = 20
SPECS = (
    ToolSpec(
        "get_weather",
        "The weather.",
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ),
    ToolSpec("get_time", "The time.", {"type": "object", "properties": {}}),
)


def _repeated(unit: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda size: before + unit * ((size - len(before) - len(after)) // len(unit)) + after


HOSTILE: dict[str, Callable[[int], str]] = {
    "prose": _repeated("The quick brown fox jumps over the lazy dog, and so on.\n"),
    "almost-markers": _repeated("<tool_cal <thin [TOOL_CALL ```` <|tool_call <function get_weath "),
    "openers": _repeated("<tool_call>"),
    "openers and braces": _repeated('<tool_call>{"name":'),
    "openers in strings": _repeated('<tool_call>{"a": "'),
    "openers and comments": _repeated("<tool_call>{/*"),
    "openers in comments": _repeated("<tool_call>[/*", after="*/ }"),
    "odd quotes": _repeated("<tool_call>{„"),
    "endless string": _repeated("a</tool_call>", '<tool_call>{"name": "get_weather", "arguments": {"city": "'),
    "brackets": _repeated("["),
    "braces": _repeated('{"a":'),
    "brackets in a call": _repeated("[", '<tool_call>{"name": "get_weather", "arguments": {"city": '),
    "many calls": _repeated('<tool_call>{"name": "get_time", "arguments": {}}</tool_call>\n'),
    "many unknown calls": _repeated('<tool_call>{"name": "nobody", "arguments": {}}</tool_call>\n'),
    "one long call": _repeated(
        "é\\n}]", '<tool_call>{"name": "get_weather", "arguments": {"city": "', '"}}</tool_call>'
    ),
    "bare json": _repeated('{"name": "get_time", "arguments": {}}; '),
    "json answer": _repeated('{"a": [1, "x]"]}, ', "[", "1]"),
    "one long element": _repeated(
        "</parameter> </function> <parameter=x>\n", "<tool_call><function=get_weather><parameter=city>"
    ),
    "elements, prose between": _repeated("<function=get_weather><parameter=city>\nx\n</parameter></function> and "),
    "glm pairs": _repeated("</arg_value> </tool_call> x", "<tool_call>get_weather<arg_key>city</arg_key><arg_value>"),
    "pythonic": _repeated('get_weather(city="a"), ', "[", "get_time()]"),
    "pythonic, bad values": _repeated("get_weather(city=x(1, '\")[')), ", "<|tool_call_start|>[", "get_time()]"),
    "gemma nested": _repeated("{a:[", "<|tool_call>call:get_weather"),
    "react": _repeated("\nAction: get_weather\n", "Thought: x"),
    "harmony": _repeated("<|start|>assistant<|channel|>analysis<|message|>x<|end|>"),
    "kimi noise": _repeated("<|tool_call_begin|>functions.x:0 ", "<|tool_calls_section_begin|>"),
    "blanks": _repeated(" \n"),
    "endless thought": _repeated("hm </thin <think> ", "<think>"),
    "lone closers": _repeated("x </think>"),
    "stop tokens": _repeated("<|im_end|>"),
    "fences": _repeated("```\n"),
    "surrogates": _repeated("\ud83d\ude00\ud83dx<tool_call>\udc00"),
    "quotes": _repeated("\"'`“”„"),
    "angle brackets": _repeated("<"),
    "names": _repeated('{"name":'),
    "backticks": _repeated("`"),
    "backticks in a call": _repeated("`", "<tool_call>"),
    "all marks": _repeated("".join(sorted(grammar().openers))),
    "namespaces": _repeated("]<]minimax[>[<a>", ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="get_weather">'),
}


def whole(text: str) -> None:
    """Parse at once."""
    parse(text, SPECS)


def streamed(text: str) -> None:
    """Parse in chunks."""
    splitter = Splitter(SPECS)
    for start in range(0, len(text), CHUNK):
        splitter.feed(text[start : start + CHUNK])
    splitter.finish()


def seconds(run: Callable[[str], None], text: str) -> float:
    """CPU seconds of one run."""
    start = time.process_time()
    run(text)
    return time.process_time() - start


def peak_mb(text: str) -> float:
    """Memory that a parse needs at most, beside the text, in MB."""
    tracemalloc.start()
    try:
        parse(text, SPECS)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def main() -> None:
    """Print the table."""
    parse("x", SPECS)
    heads = [f"{kind} {size // 1000} KB" for kind in ("whole", "streamed") for size in SIZES]
    print(f"{'milliseconds':26}", *(f"{head:>16}" for head in heads), f"{'peak MB':>9}")
    for name, make in HOSTILE.items():
        times = [seconds(run, make(size)) * 1000 for run in (whole, streamed) for size in SIZES]
        print(f"{name:26}", *(f"{ms:16.1f}" for ms in times), f"{peak_mb(make(SIZES[-1])):9.1f}", flush=True)


if __name__ == "__main__":
    main()
