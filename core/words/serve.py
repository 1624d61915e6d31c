"""Words for `core.serve`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "serve.no_store": (
        "RKDeck does not know where models live on {board}.",
        "Run `rkdeck board probe {board}`, or choose a folder with `rkdeck board add` and `--store DIR`.",
    ),
    "serve.no_runtime": (
        "There is no runtime on {board} that can run {name}: RKDeck looked for programs in {folder}.",
        "Install a runtime on the board. A simulated file runs only with the simulated runtime, and no other "
        "file does.",
    ),
    "serve.runtime_abi": (
        "{runtime} {version} on {board} speaks form {abi} of the runtime protocol; this RKDeck speaks form {wanted}.",
        "Install a runtime of the same age as RKDeck, or bring RKDeck up to date.",
    ),
    "serve.already_serving": (
        "{board} already serves {model} (process {pid}), and the NPU has room for one model at a time.",
        "Stop it first with `rkdeck stop {board}`.",
    ),
    "serve.already_starting": (
        "Another program is starting a model on {board} right now, or one still holds the lock of its store.",
        "Wait a moment and try again, or see what runs with `rkdeck doctor {board}`.",
    ),
    "serve.npu_taken": (
        "The NPU of {board} is in use by {process} (process {pid}), which RKDeck did not start.",
        "End that program on the board first, for example with `kill {pid}`.",
    ),
    "serve.start_failed": (
        "{runtime} could not serve {name} on {board}. It says: {reason}",
        "Check the file with `rkdeck inspect`, and the board with `rkdeck doctor {board}`.",
    ),
    "serve.start_timeout": (
        "Serving {name} on {board} was given up after {seconds} s: the runtime had not finished loading.",
        "Large models on slow cards take long. See the board's free memory with `rkdeck monitor {board}`.",
    ),
    "serve.status_failed": (
        "RKDeck cannot see what runs on {board}: {reason}",
        "Check the board with `rkdeck doctor {board}`.",
    ),
    "serve.stop_failed": (
        "Process {pid} on {board} did not end, not even when it was killed.",
        "A process that hangs in the NPU driver goes only with a restart of the board.",
    ),
    "serve.not_running": (
        "{model} is not being served on {board} any more.",
        "Start it again with `rkdeck serve {board} NAME`; `rkdeck deployments {board}` lists the names.",
    ),
    "serve.unauthorized": (
        "The runtime on the board did not accept RKDeck's key.",
        "Stop the serving and start it again; a new key is made then.",
    ),
    "serve.busy": (
        "The runtime on the board is answering somebody else. It says: {reason}",
        "Try again when that answer is finished; it takes one question at a time.",
    ),
    "serve.request_refused": (
        "The runtime on the board refused the question: {reason}",
        "Shorten the prompt, or convert the model for a longer context.",
    ),
    "serve.runtime_error": (
        "The runtime on the board failed ({status}): {reason}",
        "Look at its log in the folder run/serving of the board's store, then stop and start it.",
    ),
    "serve.no_answer": (
        "The runtime on the board said nothing for {seconds} s.",
        "See with `rkdeck monitor` whether the board still works; stop and start the serving if not.",
    ),
    "serve.bad_answer": (
        "The runtime on the board sent an answer that cannot be read: {reason}.",
        "Try again; if it stays so, stop and start the serving.",
    ),
}
