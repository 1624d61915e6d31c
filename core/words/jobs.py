"""Words for `core.jobs`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "jobs.wrong_move": (
        "A job cannot go from {old} to {new}.",
        "This is a fault in RKDeck; please report it.",
    ),
    "jobs.bad_spec": (
        "The job's file spec.json cannot be used: {member} is missing, or is not what it should be.",
        "It is damaged or from another version of RKDeck; start the work again.",
    ),
    "jobs.order_lacks": (
        "The order of this job does not say {member}.",
        "It is damaged or from another version of RKDeck; start the work again.",
    ),
    "jobs.bad_order": (
        "The order of this job says {found} for {member}, which makes no sense there.",
        "It is damaged or from another version of RKDeck; start the work again.",
    ),
    "jobs.unknown_kind": (
        "This RKDeck does not know jobs of the kind {kind}.",
        "It is from a newer version: run it there, or start the work again here.",
    ),
    "jobs.bad_secrets": (
        "The worker could not read the secrets it was given.",
        "RKDeck was probably updated while it ran: close it, start it again, then run the job again.",
    ),
    "jobs.unknown": ("There is no job {job}.", "`rkdeck jobs` lists them."),
    "jobs.ambiguous": ("More than one job begins with {job}: {jobs}.", "Give more of its id."),
    "jobs.leftovers": (
        "Processes of job {job} could not be ended: {pids}.",
        "End them by hand (kill -9), then look at `rkdeck jobs` again.",
    ),
    "jobs.wait_timeout": ("Job {job} was still {state} after {seconds} s.", "It goes on; see `rkdeck jobs`."),
    "jobs.interrupted": (
        "Job {job} was interrupted ({reason}).",
        "Nothing is lost: `rkdeck jobs resume {job}` goes on where that is possible.",
    ),
    "jobs.cancelled": ("Job {job} was cancelled.", "`rkdeck jobs retry {job}` starts it again."),
    "jobs.not_resumable_now": (
        "Job {job} is {state}.",
        "Only an interrupted job is resumed; `retry` also takes failed and cancelled ones.",
    ),
    "jobs.supervisor_not_started": (
        "Job {job} did not start: its supervisor gave no sign.",
        "Its log in the job's folder may say why; is the computer very busy or out of memory?",
    ),
    "jobs.worker_not_started": (
        "The worker program could not be started: {reason}.",
        "Check that the Python it needs still exists.",
    ),
    "jobs.worker_killed": (
        "The worker was killed by signal {signal}. Its last words: {last_lines}",
        "Signal 9 mostly means that the computer ran out of memory: add swap or take a smaller model.",
    ),
    "jobs.worker_exited": (
        "The worker ended with exit code {exit_code}. Its last words: {last_lines}",
        "`rkdeck jobs log` shows everything it printed.",
    ),
    "jobs.no_result": (
        "The worker ended without a result. Its last words: {last_lines}",
        "`rkdeck jobs log` shows everything it printed.",
    ),
    "jobs.result_unreadable": (
        "Job {job} succeeded, but its result cannot be read: its file events.jsonl is damaged.",
        "What it made is still there (`rkdeck library`); `rkdeck jobs log {job}` tells more.",
    ),
    "jobs.worker_fault": (
        "The worker met an unexpected {fault}: {text}",
        "This is a fault in RKDeck; the job's log has the details for a report.",
    ),
}
