"""Nothing is resized."""
