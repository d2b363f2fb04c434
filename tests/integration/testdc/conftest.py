from tests.support.sandbox import dc, sandbox_process, server_key

__all__ = ["dc", "sandbox_process", "server_key"]
