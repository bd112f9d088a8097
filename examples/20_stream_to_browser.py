"""A page that shows an answer while it is written; nothing but the standard parts of agentkit.

    python examples/20_stream_to_browser.py            then open http://127.0.0.1:8765

The page reads `/ask?q=...` as server-sent events. In an app of yours a framework speaks HTTP, and one line is left:
`StreamingResponse(sse(agent.astream(q)), media_type="text/event-stream")`, or `EventStreamResponse(agent.astream(q))`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from agentkit import Agent, tool
from agentkit.web import sse

PAGE = """<!doctype html><meta charset="utf-8"><title>agentkit</title>
<form><input name="q" size="60" value="How many words are in 'to be or not to be'?"><button>Ask</button></form><p></p>
<script>
const out = document.querySelector("p"), form = document.querySelector("form");
form.onsubmit = (submitted) => {
  submitted.preventDefault();
  const source = new EventSource("/ask?" + new URLSearchParams(new FormData(form)));
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.kind === "step" || event.kind === "retry") out.textContent = "";
    if (event.kind === "text") out.textContent += event.text;
    if (event.kind === "tool_result") out.textContent = `${event.call.name}: ${event.content} `;
    if (event.kind === "finished" || event.kind === "error") source.close();  // or the browser would ask again
    if (event.kind === "error") out.textContent = event.message;
  };
};
</script>"""


@tool(idempotent=True)
def count_words(text: str) -> int:
    """Count the words of a text.

    Args:
        text: The text to count in.
    """
    return len(text.split())


def head(kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncache-control: no-cache\r\nconnection: close\r\n\r\n".encode()


async def serve(agent: Agent[Any, Any], port: int = 8765, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
    """Serve the page and the answers until cancelled."""

    async def answer(client: SocketStream) -> None:
        request = await BufferedByteReceiveStream(client).receive_until(b"\r\n\r\n", 65_536)
        url = urlsplit(request.split()[1].decode())
        if url.path != "/ask":
            await client.send(head("text/html") + PAGE.encode())
            return
        await client.send(head("text/event-stream"))
        async for chunk in sse(agent.astream(parse_qs(url.query)["q"][0])):
            await client.send(chunk)

    async def handle(client: SocketStream) -> None:
        async with client:
            try:
                await answer(client)
            except (anyio.BrokenResourceError, anyio.IncompleteRead, anyio.DelimiterNotFound, LookupError):
                print("a reader has gone, or never asked: its run is cancelled")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener:
        task_status.started(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - not Django
        await listener.serve(handle)


if __name__ == "__main__":
    anyio.run(serve, Agent(tools=[count_words], instructions="Answer in one sentence."))
