"""Reads what somebody answers over HTTP, and never more than there ought to be."""

from aiohttp import StreamReader


async def beginning(content: StreamReader, most: int) -> bytes:
    """At most so many bytes of a body."""
    body = b""
    while len(body) < most and (chunk := await content.readany()):
        body += chunk
    return body[:most]
