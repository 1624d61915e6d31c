"""Words for `core.deploy`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "deploy.not_a_model": (
        "{file} is not an .rkllm file (found: {kind}).",
        "Look at it with `rkdeck inspect`; download the model again or convert it with `rkdeck convert`.",
    ),
    "deploy.offer_library": (
        "RKDeck can copy the runtime library that is missing on {board}.",
        "RKDeck can copy a library that takes it: rkdeck doctor {board} --fix library --library {release}",
    ),
    "deploy.offer_remedy": (
        "RKDeck can do something about that on {board}.",
        "RKDeck can do something about it: rkdeck doctor {board} --fix {remedy}",
    ),
    "deploy.not_a_file": ("{file} is not a file that can be sent: {kind}.", "Drop one .rkllm file."),
    "deploy.damaged_file": (
        "{file} looks damaged or too old ({problems}).",
        "Look at it with `rkdeck inspect`, then download or convert it again.",
    ),
    "deploy.simulated_file": (
        "{file} was made by RKDeck's stand-in toolkit and holds no real model; "
        "{board} ({model}) is a real board.",
        "Convert with the real rkllm-toolkit. This check cannot be overridden.",
    ),
    "deploy.real_file_to_simulated_board": (
        "{file} is a real .rkllm file; {board} is simulated and can only run simulated ones.",
        "Choose a real board.",
    ),
    "deploy.wrong_platform": (
        "{file} was converted for {platform}, but {board} has an {soc}: its runtime would refuse the file.",
        "Convert it for {soc}: rkdeck convert MODEL --platform {soc}",
    ),
    "deploy.file_too_large_for_fat": (
        "{file} is larger than 4 GiB, and {store} on {board} is on a FAT disk, "
        "which cannot hold such a file.",
        "Choose a folder on another disk with --store.",
    ),
    "deploy.unknown_deployment": (
        "Nothing called {name} is deployed on {board}. There is: {known}.",
        "`rkdeck deployments BOARD` lists what is there.",
    ),
    "deploy.no_older_version": (
        "There is no older version of {name} on {board} to go back to.",
        "Deploy the file you want: rkdeck deploy FILE {board} --name {name}",
    ),
    "deploy.list_failed": (
        "The deployments in {store} on {host} cannot be read: {reason}.",
        "Check the folder's permissions on the board.",
    ),
    "deploy.switch_failed": (
        "{name} could not be made current on {host} ({folder}): {reason}. What was current before still is.",
        "Check space and permissions on the board, then try again; the file itself is not sent again.",
    ),
    "deploy.blob_gone": (
        "The model file {path} is no longer on {host}.",
        "Deploy it again.",
    ),
    "deploy.remove_failed": (
        "{name} could not be removed from {store} on {host}: {reason}.",
        "Check the folder's permissions on the board.",
    ),
    "deploy.unknown_version": (
        "{name} on {board} has no version {version}. There is: {known}.",
        "`rkdeck deployments {board}` lists what is there.",
    ),
    "deploy.prune_failed": (
        "Old versions could not be removed from {store} on {host}: {reason}. What is in use was not touched.",
        "Check the folder's permissions on the board.",
    ),
    "deploy.bad_remote_path": (
        "{path} is not a path on a board: it must start with /.",
        "Give the whole path, as `ls` on the board shows it.",
    ),
    "deploy.no_such_folder": (
        "There is no folder {folder} on {host}, or it may not be read.",
        "Look for it with `ls` on the board.",
    ),
    "deploy.no_such_file": (
        "There is no file {path} on {host}, or it may not be read.",
        "`rkdeck adopt BOARD FOLDER` lists the model files in a folder.",
    ),
    "deploy.adopt_failed": (
        "{path} on {host} could not be taken into the store: {reason}. The file itself was not changed.",
        "Check space and permissions on the board.",
    ),
}
