"""Ready tools, one a file."""
