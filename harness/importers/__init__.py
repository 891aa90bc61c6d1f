"""Readers of other tools' histories: each makes the lines of a portable history of them, and judges nothing."""
