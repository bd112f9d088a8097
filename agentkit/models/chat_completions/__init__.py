"""Servers that speak OpenAI's chat completions, and what each of them makes of it."""
