"""Words for the command line itself."""

MESSAGES: dict[str, tuple[str, str]] = {
    "cli.may_force": ("Add --force to go on all the same.", ""),
    "cli.interval": (
        "A sample every {interval_s} s is not possible.",
        "Give an interval from {least_s} to {most_s} seconds.",
    ),
    "cli.interrupted": ("Cancelled.", ""),
    "cli.fault": (
        "RKDeck met an unexpected {fault}: {text}",
        "This is a fault in RKDeck; the file logs/rkdeck.log in its home folder has the details for a report.",
    ),
    "cli.usage": ("The command is not understood: {text}.", "Usage: {usage}"),
    "cli.no_services": ("This command was called without its services.", "This is a fault in RKDeck."),
    "cli.job_required": ("`jobs {action}` needs the id of a job.", "`rkdeck jobs` lists them."),
    "cli.library_what": (
        "`library {action}` needs to know what.",
        "Give a path to add, or an id from `rkdeck library`.",
    ),
    "cli.toolkit_python": (
        "`toolkit {action}` needs the Python of the environment.",
        "For example: rkdeck toolkit add /opt/rkllm-env/bin/python",
    ),
    "serve.nothing_served": (
        "{board} serves no model.",
        "`rkdeck deployments {board}` lists what it has; `rkdeck serve {board} NAME` starts one.",
    ),
    "cli.board_name": ("`board {action}` needs the board's name.", "`rkdeck board` lists them."),
    "cli.board_address": (
        "`board add` and `board move` need a name and an address.",
        "For example: rkdeck board add desk orangepi@192.168.1.40",
    ),
    "cli.model_not_local": (
        "{model} is not in the library.",
        "Download it first: rkdeck download {model}",
    ),
    "cli.path_missing": (
        "There is nothing at {path}.",
        "Check the path; a Hub id is written without ./ or /.",
    ),
    "cli.no_window": (
        "This RKDeck has no window yet.",
        "Use `rkdeck demo --headless` to see the whole path on the built-in parts.",
    ),
    "cli.password_missing": (
        "No password came: the first line of standard input is empty.",
        "Write the password into standard input, for example: pass show board | rkdeck board add ...",
    ),
    "cli.selftest_failed": (
        "The self-test failed at: {failed}.",
        "Run `rkdeck selftest` and read the lines above.",
    ),
    "cli.needs_yes": (
        "Nothing was changed: this asks before it changes a board, and nobody is there to answer.",
        "Add --yes once you have read the commands.",
    ),
}
