"""Server-sent events, from bytes as they arrive to the payload of each event.

The rules of the HTML standard (section 9.2), and what servers make of them:

* Lines end with LF, CRLF or CR; bytes may be cut anywhere, also inside a UTF-8 character; a BOM may stand in front.
* An event is over at a blank line; its `data:` lines (one blank after the colon is dropped) are joined with LF.
* Some servers put no blank line between events: a data line after one that is already whole begins a new event.
* Some write a JSON error or `[DONE]` into the stream as a bare line: it counts as data.
* Whatever stands complete when the stream ends is an event too: the last blank line is often missing.
"""

from __future__ import annotations

from agentkit.errors import MalformedResponse

_BOM = b"\xef\xbb\xbf"
_DONE = b"[DONE]"


class ErrorEvent(bytes):
    """The payload of an event that the server itself named `error`."""

    __slots__ = ()


class EventReader:
    """Turns the bytes of an event stream into payloads, holding back only what is not complete.

    Args:
        max_event_bytes: The longest event that is waited for.
    """

    __slots__ = ("_data", "_data_bytes", "_max", "_name", "_pending", "_pending_bytes")

    def __init__(self, *, max_event_bytes: int = 64_000_000) -> None:
        self._pending: list[bytes] = []  # pieces of a line that has no end yet
        self._pending_bytes = 0
        self._data: list[bytes] = []  # data lines of the event that has no end yet
        self._data_bytes = 0
        self._name = b""
        self._max = max_event_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the events that these bytes complete.

        Raises:
            MalformedResponse: An event is longer than `max_event_bytes`.
        """
        begun = self._pending or self._data or self._name
        body = data[6:-2]
        if not begun and b"\r" not in body and b"data: " + body + b"\n\n" == data:
            if b"\n" not in body:
                return [body]  # one event in one read, as most servers send them
            payloads = body.split(b"\n\ndata: ")
            if body.count(b"\n") == 2 * len(payloads) - 2:
                return payloads
        if self._pending:
            if b"\n" not in data and b"\r" not in data:
                self._hold(data)
                return []
            data = b"".join([*self._pending, data])
            self._pending.clear()
            self._pending_bytes = 0
        if 1 < (cut := data.rfind(b"\n\n") + 2) < len(data):
            return self.feed(data[:cut]) + self.feed(data[cut:])
        held = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # it may be the first half of CRLF
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        if rest := lines.pop() + held:
            self._hold(rest)
        return self._events(lines)

    def close(self) -> list[bytes]:
        """The payloads that stand complete at the end of the stream."""
        rest = b"".join(self._pending).replace(b"\r", b"\n")
        self._pending.clear()
        return self._events([*rest.split(b"\n"), b""])

    def _hold(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        self._check()

    def _check(self) -> None:
        if self._pending_bytes + self._data_bytes > self._max:
            raise MalformedResponse(f"an event of the stream is longer than {self._max} bytes", retryable=False)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line[:6] == b"data: ":
                self._add(line[6:], events)
            elif not line:
                if self._data:
                    events.append(self._take())
                self._name = b""
            elif line[:5] == b"data:":
                self._add(line[5:], events)
            else:
                self._other(line, events)
        return events

    def _add(self, value: bytes, events: list[bytes]) -> None:
        data = self._data
        if len(data) == 1 and _is_whole(data[0]):
            events.append(self._take())
        data.append(value)
        if len(data) > 1:
            self._data_bytes = sum(map(len, data)) if len(data) == 2 else self._data_bytes + len(value)
            self._check()

    def _other(self, line: bytes, events: list[bytes]) -> None:
        if line.startswith(_BOM):
            events += self._events([line[len(_BOM) :]])
        elif line[:6] == b"event:":
            self._name = line[6:].strip()
        elif line[:1] == b"{" or line == _DONE:
            self._add(line, events)

    def _take(self) -> bytes:
        data = self._data
        payload = data.pop() if len(data) == 1 else b"\n".join(data)
        data.clear()
        self._data_bytes = 0
        return ErrorEvent(payload) if self._name == b"error" else payload


def _is_whole(line: bytes) -> bool:
    """Whether a data line is an event by itself: no JSON goes on after a line `{...}` with another data line."""
    return line == _DONE or (line[:1] == b"{" and line[-1:] == b"}")
