"""A local page to look at masks, at a data set's worst images, and at where interlaced attention looks."""
