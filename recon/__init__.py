"""Cameras and pictures to splats and meshes. Speaks geometry only: no prompts, no run folders."""
