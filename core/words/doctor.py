"""Words for the doctor's findings (`core.boards.doctor`, `core.fitness`), its remedies and their failures."""

_IMAGE = (
    "Install an image with the vendor's kernel (Armbian calls it \"vendor\"; the board maker's own images have it). "
    "RKDeck cannot change a kernel."
)
_CONVERT = "Convert the model again for this board; its quantization level and context are chosen there."

MESSAGES: dict[str, tuple[str, str]] = {
    "doctor.simulated": ("This is a simulated board: nothing here is hardware. {text}", ""),
    "doctor.soc_ok": ("{model}: {soc} with {cores} NPU cores and {cpus} CPUs.", ""),
    "doctor.soc_ok_uncounted": ("{model}: {soc}; how many NPU cores it has cannot be seen.", ""),
    "doctor.soc_fewer_cores": (
        "{model} says it is an {soc}, but shows {cores} of {most} NPU cores: probably a cut-down chip such as RK3582.",
        "Convert models for {cores} NPU cores; figures for {most} cores do not hold here.",
    ),
    "doctor.soc_unsupported": (
        "RKLLM does not know the chip of this board ({compatibles}).",
        "Language models run on the NPUs of RK3588, RK3576, RK3562 and RV1126B only.",
    ),
    "doctor.soc_unreadable": (
        "The board does not tell which chip it has: its device tree cannot be read.",
        "Images that start through UEFI with ACPI hide it; start the board with its device tree.",
    ),
    "doctor.driver_ok": ("Kernel {kernel} ({flavour}) with NPU driver rknpu {version}.", ""),
    "doctor.driver_old": (
        "The NPU driver is rknpu {version}; Rockchip asks for {wanted}. Small models may run, those of about 4 billion "
        "parameters fail when they are loaded. Kernel {kernel} ({flavour}).",
        "A newer image of the board's maker brings a newer driver. RKDeck cannot change a kernel.",
    ),
    "doctor.driver_fails": (
        "The NPU driver is rknpu {version}, too old: models load and then fail. Rockchip asks for {wanted}. "
        "Kernel {kernel} ({flavour}).",
        "A newer image of the board's maker brings a newer driver. RKDeck cannot change a kernel.",
    ),
    "doctor.driver_version_unknown": (
        "Kernel {kernel} ({flavour}) has the NPU driver rknpu; its version cannot be seen.",
        "As root, the file /sys/kernel/debug/rknpu/version tells it; it should be 0.9.8.",
    ),
    "doctor.driver_rocket": (
        "Kernel {kernel} is a mainline kernel: its NPU driver, rocket, cannot run RKLLM.",
        _IMAGE,
    ),
    "doctor.driver_none": ("Kernel {kernel} is a mainline kernel without an NPU driver for RKLLM.", _IMAGE),
    "doctor.driver_unseen": (
        "Kernel {kernel} looks like a vendor's, but no NPU driver shows.",
        "As root, look for rknpu in the kernel's messages; some images switch the NPU off in the device tree.",
    ),
    "doctor.kernel_unknown": ("Neither the kernel nor an NPU driver can be seen.", _IMAGE),
    "doctor.access_ok": ("{user} may use the NPU ({node}).", ""),
    "doctor.access_denied": (
        "{user} may not use the NPU: {nodes} is for other groups.",
        "Add {user} to {groups}; it counts from the next login on.",
    ),
    "doctor.access_root_only": (
        "{user} may not use the NPU: {nodes} is for root alone.",
        "Log in as root, or let a udev rule give the device to a group of yours.",
    ),
    "doctor.access_no_node": (
        "The NPU driver is there, but its device does not show.",
        "As root, look below /dev/dri and for /dev/rknpu.",
    ),
    "doctor.npu_load_ok": ("The NPU's load can be read.", ""),
    "doctor.npu_load_needs_root": (
        "The NPU's load needs root; as {user} RKDeck shows which cores work, but no percentages.",
        "Nothing depends on it. A sudo without password, or root's own login, would show it.",
    ),
    "doctor.runtime_simulated": ("Stand-in runtime {name} {version}: it serves simulated models only.", ""),
    "doctor.library_ok": ("Runtime library {version} ({path}), recognised by its exact bytes.", ""),
    "doctor.library_by_text": (
        "Runtime library {version} ({path}), by its own word: its bytes are none of the releases RKDeck knows.",
        "",
    ),
    "doctor.library_unknown": (
        "{path} tells no version.",
        "Copy a release of Rockchip's library beside your models.",
    ),
    "doctor.library_none": (
        "There is no librkllmrt.so where programs look for it: nothing can run a model.",
        "Copy one beside your models; Rockchip's repository rknn-llm has it below rkllm-runtime.",
    ),
    "doctor.library_several": (
        "There are different runtime libraries: {libraries}. Which one is loaded depends on the program.",
        "Remove those that no program needs; RKDeck leaves them alone.",
    ),
    "doctor.library_wrong_bits": (
        "{path} is a {bits}-bit library, this system is {machine}: no program here can load it.",
        "Copy the right one beside your models.",
    ),
    "doctor.tenants_none": ("Nobody uses the NPU.", ""),
    "doctor.tenants_none_seen": (
        "Nobody uses the NPU, as far as {user} can see: what others' programs have loaded only root sees.",
        "",
    ),
    "doctor.tenants_ours": ("RKDeck serves {model} here.", ""),
    "doctor.tenants_other": (
        "{process} (process {pid}, {memory}) uses the NPU. Two at a time slow or hang each other.",
        "Stop it before you serve a model. RKDeck does not stop programs it did not start.",
    ),
    "doctor.tenants_maybe": (
        "{process} (process {pid}, {memory}) looks like a server of models; it may hold the NPU.",
        "Stop it before you serve a model. RKDeck does not stop programs it did not start.",
    ),
    "doctor.memory_ok": ("{free} of {total} memory free, swap {swap}.", ""),
    "doctor.memory_low": (
        "Only {free} of {total} memory is free, swap {swap}.",
        "Stop what uses it, a desktop for example; swap does not help the NPU.",
    ),
    "doctor.memory_unknown": ("How much memory the board has cannot be read.", ""),
    "doctor.memory_kills": (
        "Since it started, the board has ended {count} processes for want of memory.",
        "Choose smaller models or levels, or stop other programs.",
    ),
    "doctor.store_ok": ("Models live in {store} ({medium}), {free} free.", ""),
    "doctor.store_none": (
        "There is no folder that {user} may write and that lies on a real disk.",
        "Make one on the board, and choose it as this board's folder for models.",
    ),
    "doctor.store_in_memory": (
        "{store} lies in memory: models would use it twice and be gone after a restart.",
        "Choose a folder on a disk for this board.",
    ),
    "doctor.store_read_only": (
        "{user} cannot write to {store} ({medium}).",
        "Give the folder to {user}, or choose another one for this board. A card that turned read-only is worn out.",
    ),
    "doctor.store_overlay": (
        "{store} lies on an overlay, {free} free: some images forget it at the next restart.",
        "Choose a folder on a disk of its own, or switch the overlay off.",
    ),
    "doctor.store_full": (
        "{store} ({medium}) has {free} free: too little for most models.",
        "Free some space, or choose a folder on a larger disk for this board.",
    ),
    "doctor.clocks_full": ("NPU, CPU and memory stand at full speed (governor performance).", ""),
    "doctor.clocks_follow": (
        "The clocks follow the load: {governors}.",
        "For steady figures let them stand at full speed; the board then grows warmer. It lasts until a restart.",
    ),
    "doctor.clock_npu_low": (
        "The NPU stands at {now} of {most} MHz: models run that much slower.",
        "Let the clocks stand at full speed until the next restart.",
    ),
    "doctor.clock_saving": (
        "These clocks stand at their lowest to save power: {clocks}.",
        "Let them stand at full speed until the next restart.",
    ),
    "doctor.clock_capped": (
        "Somebody has limited {clocks} to {now} of {most} MHz.",
        "The system's power settings (cpufrequtils, armbian-config) hold the limit.",
    ),
    "doctor.memory_clock_ok": ("Memory at {now} of {most} MHz; it rises with the load.", ""),
    "doctor.memory_clock_hidden": (
        "The memory's clock cannot be seen: this image does not control it. Models may run at half speed or less.",
        'Newer boot firmware of the board\'s maker brings it (devfreq "dmc").',
    ),
    "doctor.heat_ok": ("Hottest at {temp_c} °C ({zone}).", ""),
    "doctor.heat_high": (
        "{zone} is at {temp_c} °C: the board will slow down.",
        "Give it a heat sink or a fan, or let it rest.",
    ),
    "doctor.heat_throttled": (
        "The board slows itself down because of heat ({devices}); hottest at {temp_c} °C.",
        "Give it a heat sink or a fan, or let it rest.",
    ),
    "doctor.open_files_ok": ("A program may open {limit} files.", ""),
    "doctor.open_files_low": (
        "A program may open {limit} files; large models want {wanted}.",
        "Raise the limit of this account; it counts from the next login on.",
    ),
    "doctor.programs_missing": (
        "Programs that RKDeck needs to send models are missing: {tools}.",
        "Install coreutils (or a fuller busybox) on the board.",
    ),
    "doctor.python_ok": ("Python {version} is there.", ""),
    "doctor.python_none": (
        "There is no Python 3; serving a model needs {wanted} or newer.",
        "Install python3 on the board.",
    ),
    "doctor.python_old": (
        "Python {version}; serving a model needs {wanted} or newer.",
        "Install a newer python3 on the board, or a newer image.",
    ),
    "doctor.system": ("{os} on {machine}, {init}; account {user}, sudo: {sudo}.", ""),
    "doctor.model_board_unseen": (
        "{board} was not visited yet: the file is checked on arrival.",
        "Look at the board first to know more.",
    ),
    "doctor.model_platform_ok": ("The file is made for {soc}, as this board is.", ""),
    "doctor.model_platform_unknown": (
        "The file does not tell for which chip it was made.",
        "If it is not for this board's, it will not load.",
    ),
    "doctor.model_dtype_ok": ("{dtype} runs on {soc}.", ""),
    "doctor.model_dtype_unknown": ("The file does not tell its quantization level.", ""),
    "doctor.model_dtype_refused": (
        "{dtype} does not run on {soc}; it offers {offered}.",
        _CONVERT,
    ),
    "doctor.model_runtime_ok": (
        "Made by toolkit {toolkit}, and the board's library is {runtime}: they fit.",
        "",
    ),
    "doctor.model_runtime_old": (
        "The file was made by toolkit {toolkit}, the board's library is {runtime}: it refuses newer files.",
        "Copy librkllmrt.so {toolkit} or newer beside your models.",
    ),
    "doctor.model_runtime_pair": (
        "Library {runtime} loads files of toolkit {toolkit}, but often does not find the end of an answer.",
        "Use a library newer than {runtime}, or convert the model again with a newer toolkit.",
    ),
    "doctor.model_runtime_unknown": (
        "Whether library {runtime} loads a file of toolkit {toolkit} is not known.",
        "The library must be as new as the toolkit or newer.",
    ),
    "doctor.model_no_library": (
        "The file needs a runtime library as new as toolkit {toolkit}; the board has none.",
        "Copy librkllmrt.so {toolkit} or newer beside your models.",
    ),
    "doctor.model_no_stand_in": (
        "The file needs RKDeck's stand-in runtime; this simulated board has none.",
        "`rkdeck demo` starts a board that has one.",
    ),
    "doctor.model_context_ok": ("Context {context} tokens; the file was built for {built}.", ""),
    "doctor.model_context_large": (
        "The file was built for a context of {built} tokens, {wanted} are wanted.",
        "Use at most {built}, or convert the model again with a larger context.",
    ),
    "doctor.model_context_unknown": ("The file does not tell for which context it was built.", ""),
    "doctor.model_cores_ok": ("Built for {built} NPU cores; the board has {have}.", ""),
    "doctor.model_cores_more": (
        "The file was built for {built} NPU cores, the board has {have}.",
        "Convert the model again for {have} NPU cores.",
    ),
    "doctor.model_npu_ok": (
        "At most {most} on the NPU (expected {need}): one address space of 4 GiB holds it.",
        "",
    ),
    "doctor.model_npu_several": (
        "Up to {most} on the NPU (expected {need}), more than one address space of 4 GiB; driver {driver} has several.",
        "",
    ),
    "doctor.model_npu_large": (
        "Up to {most} on the NPU (expected {need}), more than one address space of 4 GiB; with driver {driver} that "
        "may fail. Rockchip asks for {wanted}.",
        "A newer image of the board's maker brings a newer driver, or choose a smaller model.",
    ),
    "doctor.model_npu_old_driver": (
        "Up to {most} on the NPU (expected {need}): driver {driver} fails to allocate models of this size.",
        "Choose a smaller model, or a newer image with driver 0.9.8.",
    ),
    "doctor.model_memory_ok": ("It will use {need} of memory: {reason}.", ""),
    "doctor.model_memory_tight": (
        "It will use {need} of memory, and that is tight: {reason}.",
        "Stop other programs first, or choose a smaller level or context.",
    ),
    "doctor.model_memory_no": (
        "It would use {need} of memory, too much for this board: {reason}.",
        "Choose a smaller model, a smaller level or a shorter context.",
    ),
    "doctor.model_memory_guess_ok": (
        "It will use about {need} of memory (a guess from its size): {reason}.",
        "",
    ),
    "doctor.model_memory_guess_tight": (
        "It will use about {need} of memory (a guess from its size), and that is tight: {reason}.",
        "Stop other programs first, or choose a smaller level or context.",
    ),
    "doctor.model_memory_guess_no": (
        "It would use about {need} of memory (a guess from its size), too much for this board: {reason}.",
        "Choose a smaller model, a smaller level or a shorter context.",
    ),
    "doctor.model_disk_ok": ("Sending {file} takes {need} of {free} on the board's disk.", ""),
    "doctor.model_disk_tight": (
        "Sending {file} takes {need} of {free} on the board's disk: only {left} would be left.",
        "Remove old versions on the board, or choose a folder on a larger disk.",
    ),
    "doctor.model_disk_full": (
        "Sending {file} takes {need}, the board's disk has {free} free.",
        "Remove old versions on the board, or choose a folder on a larger disk.",
    ),
    "doctor.model_disk_there": ("{file} is on the board already: nothing has to be sent.", ""),
    "doctor.fix_groups": (
        "Add {user} to {groups}",
        "Counts from the next login on; RKDeck logs in anew when it looks again.",
    ),
    "doctor.fix_open_files": (
        "Let {user} open {wanted} files",
        "Stays after a restart. Counts from the next login on.",
    ),
    "doctor.fix_performance": (
        "Full speed until the next restart",
        "The clocks of {clocks} no longer fall when the board is idle, and it grows warmer.",
    ),
    "doctor.fix_library": (
        "Copy a runtime library beside the models",
        "You choose the file; RKDeck checks that it is librkllmrt.so for this processor and which release it is.",
    ),
    "doctor.fix_failed": (
        "The board refused (exit status {status}): {reason}",
        "What had been done before stays as it is; look again to see where things stand.",
    ),
    "doctor.fix_unknown": (
        "There is no remedy {fix} for what was found on {board}. There are: {known}.",
        "Look at the findings first: rkdeck doctor {board}",
    ),
    "doctor.sudo_password_needed": (
        "On {host}, sudo asks for the password of {user}.",
        "Give it; RKDeck uses it once and keeps it nowhere.",
    ),
    "doctor.sudo_password_wrong": (
        "On {host}, sudo did not accept the password, or {user} may not use it.",
        "Try again, or run the commands on the board yourself as root.",
    ),
    "doctor.no_sudo": (
        "{user} cannot become root on {host}: there is no sudo.",
        "Run the commands on the board yourself as root.",
    ),
    "doctor.not_a_library": (
        "{file} is no librkllmrt.so.",
        "Rockchip's repository rknn-llm has it below rkllm-runtime/Linux/librkllm_api/aarch64.",
    ),
    "doctor.library_for_other_cpu": (
        "{file} is built for {built}, the board's system is {machine}.",
        "Take the file from the folder of the right processor (aarch64 or armhf).",
    ),
    "doctor.library_unreadable": ("{file} cannot be read: {reason}", "Choose a file you may read."),
    "doctor.library_not_fetched": (
        "Runtime library {version} could not be fetched from {url}: {reason}",
        "Check the connection, or download the file yourself and choose it.",
    ),
    "doctor.library_other_bytes": (
        "What came from {url} is not runtime library {version} as Rockchip published it; nothing was kept.",
        "A proxy may have answered in its place. Download the file in another way and choose it.",
    ),
    "doctor.library_not_kept": (
        "The runtime library could not be written to {folder}: {reason}",
        "Make room there, then try again.",
    ),
    "doctor.library_no_release": (
        "No release of the runtime library is known for toolkit {toolkit} on {machine}. Known: {known}.",
        "Choose one of these, or the file of a newer one.",
    ),
}
