"""Files with the outside of a librkllmrt.so: an ELF header and the vendor's version text, and nothing to run."""


def library_bytes(version: str | None, *, machine: int = 183, bits: int = 2) -> bytes:
    """An ELF header for a processor (183: aarch64, 40: ARM), then the text; None leaves the text out."""
    header = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9) + b"\x03\x00" + machine.to_bytes(2, "little")
    text = b"" if version is None else f"RKLLM SDK (version: {version} | target: Linux | build: x)".encode()
    return header + bytes(100) + text + b"\0" + bytes(4000)
