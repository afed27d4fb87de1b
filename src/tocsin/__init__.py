"""Tocsin: an alarm bell for business systems."""

__version__ = "0.1.0"
