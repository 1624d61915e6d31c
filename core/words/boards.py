"""Words for `core.boards`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "boards.bad_name": (
        "{name} cannot be the name of a board.",
        "Use letters, digits, dot, dash and underscore, starting with a letter or digit, at most 63.",
    ),
    "boards.bad_address": (
        "{address} is not an address RKDeck understands.",
        "Write [USER@]HOST[:PORT], for example orangepi@192.168.1.50 or root@[fe80::1]:2222.",
    ),
    "boards.exists": (
        "There is already a board called {name}.",
        "Choose another name, or remove it first: rkdeck board remove {name}",
    ),
    "boards.unknown": (
        "There is no board called {name}. Known: {known}.",
        "Add it: rkdeck board add {name} USER@HOST",
    ),
    "boards.bad_store": (
        "{store} cannot be the folder for models on a board: {reason}.",
        "Give an absolute path of plain letters, for example --store /mnt/nvme/rkdeck-store.",
    ),
    "boards.no_store": (
        "RKDeck found no folder on {name} that {user} may write and that is a real disk.",
        "Make one on the board and name it: rkdeck board add ... --store DIR",
    ),
    "boards.no_answer": (
        "{host} let RKDeck in but did not answer its questions (exit status {status}): {reason}",
        "The account needs an ordinary shell. Look what `ssh {host} echo hello` prints.",
    ),
    "boards.other_hardware": (
        "At the address of {name} ({host}) another board answers now: {model}.",
        "Addresses may have changed: look which board is which (`rkdeck board discover`), then `rkdeck board move "
        "{name} ADDRESS`. If you replaced the hardware: `rkdeck board probe {name} --replaced`.",
    ),
    "boards.unclear_hardware": (
        "At the address of {name} ({host}) a board answers ({model}) with the same network card but another system, "
        "and it shows no serial number: it is the same board with a new card, or a clone.",
        "Look at the board itself. If it is {name}: `rkdeck board probe {name} --replaced`.",
    ),
    "boards.no_discovery": (
        "This computer cannot listen for boards on the local network: {reason}.",
        "Add the board by its address; your router lists the addresses it gave out.",
    ),
}
