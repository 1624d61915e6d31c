"""RKDeck's core: everything but the window. Nothing here imports Qt.

The rooms from the ground up, as the import contract in pyproject.toml has them. A room may import those named before
it, never one named after it:

    base          errors, notes, files, locks, paths, settings, database, log: what every house needs
    jobs          a job is a folder: intent, events, supervisor, worker
    vendor        the maker's facts: platforms, dtypes, toolkit and runtime releases, architectures, boards
    quantization  rounding weights and a forward pass over them: pure arithmetic
    words         codes become sentences, for both front ends
    remote        SSH: connections, host keys, commands
    transfer      files onto a board: fast, resumed, checked
    programs      what lies below a board's store, and how it gets there
    boards        which boards there are, what they are, what is wrong with them
    serve         the runtime on a board: start, stop, chat
    monitor       what a board does now and did before
    model         what a model is: which files hold it, headers, configuration, shape, .rkllm inspection
    estimate      memory, speed and fit of a model on a platform
    hub           find and fetch models
    library       the models on this computer
    lab           what fewer bits do to a model
    convert       from a model and a recipe to a .rkllm file
    fitness       whether a file will run on a board
    deploy        a file onto a board: plan, send, switch, roll back
    plans         several steps as one job
    services      puts the parts together
    usecases      what a front end can do
    showcase      what the demo shows
    cli           the command line, a front end like the window

Beside the house: `demo` (the built-in hub, board, toolkit and runtime) knows only base, vendor and quantization, and
only front ends know it; `workers` are programs that are started, never imported.
"""
