"""The verbs, one module each with a `COMMANDS` tuple."""
