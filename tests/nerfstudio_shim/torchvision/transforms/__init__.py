"""Nothing is transformed."""
