"""The pure heart: what a transcript is, what it means, and what comes next. Standard library only."""
