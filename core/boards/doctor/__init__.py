"""What a board can and cannot do, check by check: one round trip, then pure rules."""
