"""What RKDeck puts below a board's store and leaves there: which programs and libraries, where, and how."""
