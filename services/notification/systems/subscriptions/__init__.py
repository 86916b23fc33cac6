"""Who wants to hear what, and where it goes."""
