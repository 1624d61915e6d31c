"""Making a model that lies in the store the current version of its name.

This is also where the health gate will stand: the version in use before stays on the board, and stays current
until `activate` is called, so that serving can try the new blob first and go back without sending anything.
"""

import json
from datetime import UTC, datetime

from core.deploy.deployments import list_versions, switch
from core.deploy.layout import Deployment, Origin, next_version
from core.deploy.plan import DeployPlan
from core.remote.session import SshSession


def activate(session: SshSession, plan: DeployPlan, origin: Origin) -> Deployment:
    """Make the plan's blobs the current version of its name; the same set again stays the version it is.

    Raises:
        RKDeckError: `deploy.list_failed`, `deploy.blob_gone`, `deploy.switch_failed`.
    """
    known = [version for version in list_versions(session, plan.store) if version.name == plan.name]
    for version in known:
        if (
            version.current
            and version.sha256 == plan.model.sha256
            and version.parts == plan.parts
            and version.origin == origin
        ):
            return version
    now = datetime.now(UTC)
    deployment = Deployment(
        name=plan.name,
        version=next_version(now, plan.model.sha256, (version.version for version in known)),
        kind=plan.kind,
        path=plan.blob,
        sha256=plan.model.sha256,
        size_bytes=plan.size_bytes,
        dtype=plan.inspection.dtype,
        platform=plan.inspection.platform,
        simulated=plan.inspection.simulated,
        title=plan.title,
        toolkit_version=plan.inspection.toolkit_version,
        max_context=plan.inspection.max_context,
        deployed_unix_s=now.timestamp(),
        origin=origin,
        parts=plan.parts,
    )
    switch(session, plan.folder, deployment, json.dumps(deployment.manifest(), ensure_ascii=True))
    return deployment
