"""A lightweight chat backend between mini-program frontends and any OpenAI-compatible API."""

__version__ = "0.1.0"
