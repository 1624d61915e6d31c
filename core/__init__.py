"""RKDeck's core: everything but the window.

Rooms, from the top of the house to the ground. A room may import the rooms above it, never those below:
base, jobs, quantization, remote, estimate, hub, library, convert, boards, serve, deploy, monitor, services, cli.
`demo` (the built-in stand-ins) knows only base and quantization and is known only to front ends and tests;
`workers` are programs that are started, never imported. Nothing here imports Qt.
"""
