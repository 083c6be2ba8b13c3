"""Text encoders for tool search and routing: a small one as an extra, any GGUF, any OpenAI-compatible endpoint."""
