"""What other systems may hear, kept once, in the order in which it goes out."""
