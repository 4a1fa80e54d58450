"""Whether the frames of a clip show one and the same solid: figures, a verdict, and which frames to do without."""
