"""A small HTTP endpoint that makes assets for programs on this machine."""
