"""From a socket to bars in order."""
