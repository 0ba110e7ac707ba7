"""Summaries of texts of any length, from their most central sentences."""

from __future__ import annotations

from .summaries import language, summary

__all__ = ["language", "summary"]
