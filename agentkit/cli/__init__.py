"""The command line: `agentkit run "question"`."""
