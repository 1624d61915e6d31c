"""Chat templates, which are programs of strangers, rendered within bounds; `_render` also runs under other Pythons."""
