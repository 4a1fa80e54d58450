"""The extension for Blender: `package` zips it; `extension` is what Blender runs, and imports nothing of vid2three."""
