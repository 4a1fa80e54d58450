"""Many assets from one list: the rows, who makes them, what came of each, and one page to look at."""
