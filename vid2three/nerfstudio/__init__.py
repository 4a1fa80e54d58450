"""nerfstudio as another backend: its own environment, its own processes, and the way back into our world.

`environment` looks at what the user named, `process` runs a command there, `training` says what ns-train is told and
where it goes on, `world` undoes nerfstudio's change of the world, `stages` joins them; `render` runs over there.
"""
