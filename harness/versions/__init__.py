"""Releases of client libraries: which there are, what lock files pin, where their changes are told, their known bugs."""
