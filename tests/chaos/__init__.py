"""People write while services are killed; a judge reads from the sandbox Telegram's record what became of it."""
