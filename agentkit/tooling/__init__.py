"""From a Python function to a schema, to validated arguments, to a call, to a text."""
