"""The embedded model: llama.cpp in process, on a GGUF file."""
