"""What is deployed on a board: list, find, switch back, remove, verify."""

from dataclasses import replace

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.foreign import MAX_BYTES, digits
from core.base.names import printable
from core.deploy import scripts
from core.deploy.layout import (
    DIGEST,
    NAME,
    VERSION,
    Deployment,
    StoreListing,
    UnreadableManifest,
    deployment_folder,
    read_manifest,
)
from core.fitness.candidate import Holdings
from core.remote.scripts import rows
from core.remote.session import SshSession

_GONE = 75
_MAX_LIST_BYTES = 8 << 20
_SLOWEST_DIGEST_BYTES_PER_S = 10 << 20
_TIMEOUT_S = 60.0


def list_versions(session: SshSession, store: str) -> list[Deployment]:
    """Every version of every deployment in a store whose manifest can be read; as `read_store`."""
    return list(read_store(session, store).versions)


def read_store(session: SshSession, store: str) -> StoreListing:
    """Everything in a store. One damaged manifest hides none of the others.

    Files under names RKDeck would never give are left out.

    Raises:
        RKDeckError: `deploy.list_failed`, and what `SshSession.run` raises.
    """
    result = session.run(scripts.LIST, [store], timeout_s=_TIMEOUT_S, max_output_bytes=_MAX_LIST_BYTES)
    if result.exit_status:
        raise RKDeckError("deploy.list_failed", host=session.target.host, store=store, reason=result.why)
    current: dict[str, str] = {}
    found: list[Deployment] = []
    damaged: list[UnreadableManifest] = []
    sizes: dict[str, dict[str, int]] = {"whole": {}, "part": {}}
    for kind, label, value in rows(result.text, 3):
        digest, size = label.partition(".")[0], digits(value, high=MAX_BYTES)
        if kind in sizes and DIGEST.fullmatch(digest) and size is not None:
            sizes[kind][digest] = size
        if kind == "current" and NAME.fullmatch(label):
            current[label] = value
        name, _, version = label.partition("/")
        if kind == "manifest" and NAME.fullmatch(name) and VERSION.fullmatch(version):
            deployment = read_manifest(value, store, name, version, current=current.get(name) == version)
            if deployment is not None:
                found.append(deployment)
            else:
                path = f"{deployment_folder(store, name)}/{version}.json"
                damaged.append(UnreadableManifest(name, version, path))
    return StoreListing(
        tuple(sorted(found, key=lambda deployment: (deployment.name, deployment.version))),
        tuple(sorted(damaged, key=lambda manifest: (manifest.name, manifest.version))),
        Holdings(sizes["whole"], sizes["part"]),
    )


def read_held(session: SshSession, store: str | None) -> Holdings | None:
    """The model files on a board, for what need not be sent; None where the store cannot be listed, as the doctor says.

    Raises:
        RKDeckError: what `SshSession.run` raises.
    """
    if store is None:
        return Holdings()
    try:
        return read_store(session, store).held
    except RKDeckError as error:
        if error.code != "deploy.list_failed":
            raise
        return None


def list_deployments(session: SshSession, store: str) -> list[Deployment]:
    """The deployments of a store, each in the version in use.

    Raises:
        RKDeckError: as `list_versions`.
    """
    return [deployment for deployment in list_versions(session, store) if deployment.current]


def resolve(session: SshSession, store: str, name: str, *, board: str = "the board") -> Deployment:
    """The deployment of that name, in the version in use.

    Raises:
        UsageError: `deploy.unknown_deployment`.
        RKDeckError: `deploy.unreadable_manifest`, and as `read_store`.
    """
    listing = read_store(session, store)
    for deployment in listing.versions:
        if deployment.current and deployment.name == name:
            return deployment
    raise _unknown(session, name, board, listing)


def _versions(
    session: SshSession, store: str, name: str, board: str
) -> tuple[list[Deployment], Deployment | None]:
    """The versions of a deployment, at least one, the oldest first, and the one in use."""
    listing = read_store(session, store)
    versions = [deployment for deployment in listing.versions if deployment.name == name]
    if not versions:
        raise _unknown(session, name, board, listing)
    return versions, next((deployment for deployment in versions if deployment.current), None)


def _unknown(session: SshSession, name: str, board: str, listing: StoreListing) -> RKDeckError:
    for manifest in listing.unreadable:
        if manifest.name == name:
            return RKDeckError(
                "deploy.unreadable_manifest",
                name=name,
                host=session.target.host,
                path=printable(manifest.path),
            )
    known = ", ".join(dict.fromkeys(deployment.name for deployment in listing.versions)) or "nothing yet"
    return UsageError("deploy.unknown_deployment", name=printable(name), board=board, known=known)


def rollback(
    session: SshSession, store: str, name: str, version: str | None = None, *, board: str = "the board"
) -> Deployment:
    """Go back to the version before the one in use, or to a named one; its file must still be there.

    Where none is in use (the first deployment was broken off at its last step) the newest one is taken.

    Raises:
        UsageError: `deploy.unknown_deployment`, `deploy.unknown_version`.
        RefusedError: `deploy.no_older_version`.
        RKDeckError: `deploy.switch_failed`, `deploy.blob_gone`.
    """
    versions, now = _versions(session, store, name, board)
    if version is None:
        wanted = [deployment for deployment in versions if now is None or deployment.version < now.version]
        if not wanted:
            raise RefusedError("deploy.no_older_version", name=name, board=board)
    else:
        wanted = [deployment for deployment in versions if deployment.version == version]
        if not wanted:
            known = ", ".join(deployment.version for deployment in versions)
            raise UsageError(
                "deploy.unknown_version", version=printable(version), name=name, board=board, known=known
            )
    switch(session, deployment_folder(store, name), wanted[-1], manifest="")
    return replace(wanted[-1], current=True)


def undeploy(session: SshSession, store: str, name: str, *, board: str = "the board") -> Deployment:
    """Remove a deployment with all versions, and the files no other deployment needs.

    Returns:
        The version that was in use, else the newest.

    Raises:
        UsageError: `deploy.unknown_deployment`.
        RKDeckError: `deploy.remove_failed`.
    """
    versions, now = _versions(session, store, name, board)
    digests = sorted({digest for version in versions for digest in version.digests})
    result = session.run(
        scripts.REMOVE, [store, deployment_folder(store, name), *digests], timeout_s=_TIMEOUT_S
    )
    if result.exit_status:
        raise RKDeckError(
            "deploy.remove_failed", name=name, host=session.target.host, store=store, reason=result.why
        )
    return now or versions[-1]


def switch(session: SshSession, folder: str, deployment: Deployment, manifest: str) -> None:
    """Make one version the current one; the last step is a rename.

    Raises:
        RKDeckError: `deploy.blob_gone`, `deploy.switch_failed`; the old version stays current.
    """
    arguments = [folder, deployment.version, manifest, *deployment.model_paths]
    result = session.run(scripts.ACTIVATE, arguments, timeout_s=_TIMEOUT_S)
    if result.exit_status == _GONE:
        raise RKDeckError("deploy.blob_gone", path=deployment.path, host=session.target.host)
    if result.exit_status:
        raise RKDeckError(
            "deploy.switch_failed",
            name=deployment.name,
            host=session.target.host,
            folder=folder,
            reason=result.why,
        )


def verify_blob(session: SshSession, deployment: Deployment) -> bool:
    """Whether the deployed file, or each part of it, still has its digest.

    Raises:
        RKDeckError: `deploy.blob_gone` when one is not there.
    """
    timeout_s = _TIMEOUT_S + deployment.size_bytes / _SLOWEST_DIGEST_BYTES_PER_S
    for path, digest in zip(deployment.model_paths, deployment.model_digests, strict=True):
        result = session.run(scripts.DIGEST_OF, [path], timeout_s=timeout_s)
        if result.exit_status == _GONE:
            raise RKDeckError("deploy.blob_gone", path=path, host=session.target.host)
        if result.exit_status or result.text.split()[:1] != [digest]:
            return False
    return True
