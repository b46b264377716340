"""Records from an Arrow IPC stream, and decisions to one (https://arrow.apache.org/docs/format/Columnar.html).

A stream of a few kilobytes can stand for gigabytes: compressed buffers, dictionaries and views may name the same bytes
again and again. So what a record needs must be text columns, uncompressed and not encoded, and the text of views is
measured before it is unfolded. Columns that the contract does not know are ignored, whatever they are.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import polars as pl

from matching.runtime_input import ARROW_TYPE, FIELDS, LARGEST_BODY, MOST_RECORDS, RequestError, too_many

_RECORD_BATCH = 3  # the header type of a message, in Arrow's Message.fbs
_COMPRESSION = 3  # the field of a RecordBatch that says how its buffers are compressed


def arrow_rows(body: bytes) -> list[dict[str, str | None]]:
    """The rows of a stream. Raises RequestError when it is torn, compressed, too long, or a known column is no text."""
    import pyarrow as pa

    try:
        rows, messages = 0, pa.ipc.MessageReader.open_stream(body)
        for message in messages:
            rows += _rows(message.metadata)
            if rows > MOST_RECORDS:
                raise too_many(rows)
        with pa.ipc.open_stream(body, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
            known = [field for field in reader.schema.names if field in FIELDS]
            if len(set(known)) < len(known) or "name" not in known:
                raise RequestError("the stream has no column name, or one twice", f"Name columns once: {FIELDS}.")
            for field in known:
                if reader.schema.field(field).type not in (pa.string(), pa.large_string(), pa.string_view(), pa.null()):
                    raise RequestError(
                        f"{field} is a column of {reader.schema.field(field).type}",
                        "Send a column of text.",
                        field=field,
                    )
            table = reader.read_all().select(known)
        table.validate(full=True)
        if sum(_viewed(chunk) for field in known for chunk in table[field].chunks) > LARGEST_BODY:
            raise RequestError("the views name the same text again and again", "Send it as utf8.")
        rows_read: list[dict[str, str | None]] = table.to_pylist()
    except (pa.ArrowException, struct.error, UnicodeDecodeError, OSError) as problem:
        raise RequestError("the body is no Arrow IPC stream", f"Send a whole stream as {ARROW_TYPE}.") from problem
    return rows_read


def arrow_body(decisions: pl.DataFrame) -> bytes:
    """The decisions as a stream, uncompressed."""
    out = io.BytesIO()
    decisions.write_ipc_stream(out, compression="uncompressed")
    return out.getvalue()


def _viewed(chunk: Any) -> int:
    """How many bytes the views of a column stand for; 0 when it has none."""
    import numpy as np
    import pyarrow as pa

    if chunk.type != pa.string_view():
        return 0
    views = np.frombuffer(chunk.buffers()[1], np.int32).reshape(-1, 4)
    return int(views[chunk.offset : chunk.offset + len(chunk), 0].sum(dtype=np.int64))


def _rows(metadata: Any) -> int:
    """How many rows the message brings. Raises RequestError when its buffers are compressed."""
    data = memoryview(metadata)
    message = int(struct.unpack_from("<I", data)[0])
    kind = _field(data, message, 1)
    if kind is None or data[kind] != _RECORD_BATCH:
        return 0
    header = _field(data, message, 2)
    if header is None:
        return 0
    batch = header + int(struct.unpack_from("<I", data, header)[0])
    if _field(data, batch, _COMPRESSION) is not None:
        raise RequestError("the stream is compressed", "Write it without compression.")
    length = _field(data, batch, 0)
    return 0 if length is None else int(struct.unpack_from("<q", data, length)[0])


def _field(data: memoryview, table: int, number: int) -> int | None:
    """Where a field of a flatbuffers table stands; None when it was left out."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    place = 4 + 2 * number
    if place >= int(struct.unpack_from("<H", data, vtable)[0]):
        return None
    offset = int(struct.unpack_from("<H", data, vtable + place)[0])
    return table + offset if offset else None
