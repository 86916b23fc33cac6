"""How one HTTP request leaves the house: whereto it may go, signed with what, and what came back."""
