"""Built-in stand-ins: a hub, a board, a toolkit and a runtime, each marked as simulated.

They speak the true protocols (the Hub's HTTP API, SSH, the toolkit's Python API, the chat API), so that
everything outside this room works as it does with real ones. Imports only `core.base` and
`core.quantization`; imported only by front ends and tests.
"""
