"""One module for each payment provider: what it must hear, and how to be sure that it is it who speaks."""
