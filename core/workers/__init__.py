"""Programs that RKDeck starts as processes. Thin mains; no room imports them."""
