"""A true llama.cpp serving one file: `llamacpp_child.py OPTIONS` (JSON); says on stdout when it began and where it is.

It imports nothing of RKDeck, so that its memory is that of a small server.
"""

import json
import sys

import xllamacpp


def main() -> None:
    options = json.loads(sys.argv[1])
    params = xllamacpp.CommonParams()
    params.model.path = options["path"]
    params.n_ctx, params.n_batch, params.n_ubatch = options["context"], options["batch"], options["ubatch"]
    params.n_parallel, params.cache_ram_mib = 1, 0
    params.no_extra_bufts = not options["repack"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.hostnames, params.port = ["127.0.0.1"], 0
    print("imported", flush=True)
    sys.stdin.readline()
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
