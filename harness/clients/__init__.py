"""Clients under test: which there are, their environments, their processes."""
