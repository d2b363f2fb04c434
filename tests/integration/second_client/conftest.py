from tests.support.sandbox import dc, server_key

__all__ = ["dc", "server_key"]
