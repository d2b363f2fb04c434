"""Speed and memory against the bars, with a local model and the sandbox Telegram in processes of their own."""
