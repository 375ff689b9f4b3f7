"""Bodies that schemathesis has no serializer for: bytes as they are."""

import schemathesis


@schemathesis.serializer(
    "application/vnd.automerge",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
def as_bytes(_context, value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return str(value).encode("utf-8", "surrogatepass")
