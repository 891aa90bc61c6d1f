"""Pure: what became of every message, by proof."""
