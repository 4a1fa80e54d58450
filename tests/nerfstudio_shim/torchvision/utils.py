"""Nothing is saved."""
