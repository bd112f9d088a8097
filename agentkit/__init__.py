"""agentkit: decorated functions become the tools of a chat-completions model."""
