"""PocketQA: answers questions from an organisation's own knowledge base, on its own machine."""

__version__ = "0.1.0"
