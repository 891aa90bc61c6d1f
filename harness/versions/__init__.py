"""Releases of client libraries: which there are, what lock files pin, where changes are told, and known bugs."""
