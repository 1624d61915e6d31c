"""Words for `core.convert`, and for what an inspection finds wrong with a file."""

_REPORT = "`rkdeck jobs log` shows everything the toolkit printed."

MESSAGES: dict[str, tuple[str, str]] = {
    "convert.unreadable": ("The file {file} cannot be read: {reason}.", "Check its name and permissions."),
    "convert.not_a_model": ("{file} is not an .rkllm file ({kind}).", "`rkdeck inspect` tells what it is."),
    "convert.bad_hub_file": (
        "{file} is not a file on the Hub.",
        "Write OWNER/NAME/FILE, or a path that starts with ./ or /.",
    ),
    "convert.python_unusable": (
        "The Python {python} cannot be used: {reason}.",
        "Give the interpreter of the environment.",
    ),
    "convert.python_gone": (
        "The toolkit's Python {python} cannot be started any more: {reason}.",
        "Add the environment again: rkdeck toolkit add PYTHON",
    ),
    "convert.toolkit_silent": (
        "The environment of {python} did not answer the check. Its last words: {last_line}",
        "Start that Python by hand and try `import rkllm.api`.",
    ),
    "convert.toolkit_unrelated": (
        "The `rkllm` in the environment of {python} is PyPI's unrelated project, not Rockchip's toolkit.",
        "Remove it (pip uninstall rkllm) and install Rockchip's rkllm_toolkit wheel.",
    ),
    "convert.toolkit_missing": (
        "The environment of {python} has no rkllm-toolkit.",
        "Install Rockchip's rkllm_toolkit wheel there (it is not on PyPI), or give another Python.",
    ),
    "convert.toolkit_broken": (
        "The rkllm-toolkit in the environment of {python} cannot be imported: {reason}",
        "Install the toolkit's requirements.txt of the same version, and setuptools below 81.",
    ),
    "convert.toolkit_unknown": (
        "No toolkit with the Python {python} was added.",
        "Add it: rkdeck toolkit add {python}",
    ),
    "convert.no_toolkit": (
        "No toolkit was added yet; converting needs Rockchip's rkllm-toolkit (Linux x86_64).",
        "Install the vendor's wheel in an environment of its own, then: rkdeck toolkit add PYTHON",
    ),
    "convert.unsupported": (
        "{dtype} for {platform} cannot be made of this model: {reason}.",
        "`rkdeck estimate` shows which levels can. --force tries it all the same.",
    ),
    "convert.toolkit_too_old": (
        "{architecture} needs rkllm-toolkit {since} or newer; this one is {version}.",
        "Add an environment with a newer toolkit.",
    ),
    "convert.no_dataset": (
        "No calibration data is given; quality suffers, strongly with some models.",
        "Give 20 to 64 samples in the model's language: --dataset FILE.",
    ),
    "convert.host_ram_short": (
        "The conversion takes about {needed_gib} GiB of memory, as users report; {available_gib} GiB are free now.",
        "Close programs or add swap; with too little memory the system ends the toolkit half-way.",
    ),
    "convert.disk_short": (
        "The file will have {needed_gib} GiB; {folder} has {free_gib} GiB free.",
        "Free some space, or take a disk with more of it.",
    ),
    "convert.bad_option": ("The option {option} cannot be {value}.", "See `rkdeck convert --help`."),
    "convert.algorithm_needs_gpu": (
        "The algorithm {algorithm} works for w4a16 kinds only, and on a GPU.",
        "Use --algorithm normal, or a w4a16 dtype with --device cuda.",
    ),
    "convert.input_missing": ("There is nothing at {path}.", "Check the path."),
    "convert.output_exists": (
        "{path} exists already.",
        "Choose another --output, or replace it with --force.",
    ),
    "convert.argument_unknown": (
        "Version {version} of rkllm-toolkit does not know {argument} yet.",
        "Use a newer toolkit, or leave that option out.",
    ),
    "convert.toolkit_failed": (
        "The toolkit gave up in {stage} (it returned {returned}): {said}",
        _REPORT,
    ),
    "convert.out_of_memory": (
        "The toolkit was killed in {stage} (signal 9): this computer very likely ran out of memory.",
        "Add swap, close programs or take a smaller model; users report 4 to 7 bytes of RAM a parameter.",
    ),
    "convert.toolkit_killed": (
        "The toolkit died in {stage} by signal {signal}. Its last words: {said}",
        _REPORT,
    ),
    "convert.toolkit_exited": (
        "The toolkit ended in {stage} with exit code {exit_code} before it was done. Its last words: {said}",
        _REPORT,
    ),
    "convert.no_file": ("The toolkit said it was done, but it made no file.", _REPORT),
    "convert.bad_file": (
        "The toolkit said it was done, but its file is not a usable model ({kind}: {problems}).",
        _REPORT,
    ),
    "convert.other_file": (
        "The toolkit made something else than asked: {field} is {found}, not {wanted}.",
        _REPORT,
    ),
    "inspect.too_old": (
        "The file is from rkllm-toolkit 1.0; current runtimes do not load it.",
        "Convert the model again with a current toolkit.",
    ),
    "inspect.truncated": (
        "The file does not end as a whole one does; it is cut off or from an unknown toolkit.",
        "Download or convert it again.",
    ),
    "inspect.lfs_pointer": (
        "This is a Git LFS pointer, a note of a few lines in the model's place.",
        "Download the model itself (rkdeck download), or run `git lfs pull`.",
    ),
    "inspect.html": ("This is a web page, not a model: a download that failed.", "Download it again."),
    "inspect.fake": (
        "This file was written by a script that only imitates .rkllm; no runtime loads it.",
        "Convert the model with Rockchip's rkllm-toolkit.",
    ),
    "inspect.empty": ("The file is empty.", "Download or convert it again."),
    "inspect.not_a_model": ("This is not an .rkllm file.", "Convert the model first: rkdeck convert"),
}
