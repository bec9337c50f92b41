"""The body of an answer as it comes off the wire: unpacked, and never more of it than can be of use."""

import zlib

from .errors import ErrorKind, FireworksError

# A full page of 200 deployments is below 1 MiB; what is larger than this is an accident or an attack.
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
# An error is told in 500 characters; of a longer page nothing but the beginning is looked at.
MAX_ERROR_BYTES = 256 * 1024

_GZIP = 31  # zlib's number for its header and checksum


class Body:
    """Takes in the chunks of one body.

    The limit holds for what is unpacked, and while it is unpacked: a few kilobytes may hold gigabytes.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        """Begin.

        Args:
            encoding: header `Content-Encoding`, empty if there is none.
            limit: bytes to keep at most.

        Raises:
            FireworksError: NO_ANSWER, for an encoding that was not asked for.
        """
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip"}:
            raise FireworksError(ErrorKind.NO_ANSWER, "the response has an unexpected content encoding")
        self._unpacker = zlib.decompressobj(_GZIP) if name == "gzip" else None
        self._limit = limit
        self._content = bytearray()
        self.cut = False

    def add(self, chunk: bytes) -> None:
        """Take in a chunk; what exceeds the limit is dropped, and `cut` tells.

        Raises:
            FireworksError: NO_ANSWER, if it cannot be unpacked.
        """
        room = self._limit - len(self._content)
        unpacked = chunk[: room + 1] if self._unpacker is None else self._unpack(self._unpacker, chunk, room + 1)
        self._content += unpacked[:room]
        self.cut = self.cut or len(unpacked) > room

    def finish(self) -> bytes:
        """Return the content.

        Raises:
            FireworksError: NO_ANSWER, if the end of what was packed is missing.
        """
        if self._unpacker is not None and not self.cut and not self._unpacker.eof:
            raise FireworksError(ErrorKind.NO_ANSWER, "the response is truncated")
        return bytes(self._content)

    @staticmethod
    def _unpack(unpacker: "zlib._Decompress", chunk: bytes, most: int) -> bytes:
        try:
            return unpacker.decompress(chunk, most)
        except zlib.error:
            raise FireworksError(ErrorKind.NO_ANSWER, "the response cannot be decompressed") from None
