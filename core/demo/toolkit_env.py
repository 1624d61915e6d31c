"""An environment for the stand-in toolkit, as a user would have one for the real toolkit.

A virtual environment without pip, with the distribution `rkllm-toolkit-simulated` and links to the few
packages it needs. RKDeck itself cannot be imported in it: the conversion runs under a Python that knows
nothing of us.
"""

import importlib.util
import shutil
import venv
from pathlib import Path

import core
from core.base.locks import FileLock
from core.demo.toolkit import offers

DISTRIBUTION = "rkllm_toolkit_simulated"
VERSION = "1.3.0+simulated"
_PACKAGES = ("numpy", "numpy.libs", "tqdm")
_MODULES = {
    "core.base.blot": "rkllm._blot",
    "core.base.errors": "rkllm._errors",
    "core.base.names": "rkllm._names",
    "core.base.foreign": "rkllm._foreign",
    "core.base.opening": "rkllm._opening",
    "core.base.templates": "rkllm._templates",
    "core.quantization.affine": "rkllm._affine",
    "core.quantization.forward": "rkllm._forward",
    "core.demo.container": "rkllm._container",
    "core.demo.toolkit.offers": "rkllm.offers",
    "core.demo.toolkit.checks": "rkllm.checks",
    "core.demo.toolkit.loading": "rkllm.loading",
    "core.demo.toolkit.stages": "rkllm.stages",
    "core.demo.toolkit.api": "rkllm.api",
}


def create_toolkit_env(folder: Path) -> Path:
    """Make the environment anew and return its interpreter; an old or half one is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if folder.exists():
            shutil.rmtree(folder)
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        site = next((folder / "lib").glob("python*/site-packages"))
        _install_package(site)
        _link_packages(site)
    return folder / "bin" / "python"


def _install_package(site: Path) -> None:
    sources, package = Path(core.__file__).parent.parent, site / "rkllm"
    package.mkdir()
    (package / "__init__.py").write_text('"""SIMULATED rkllm-toolkit, made by RKDeck."""\n')
    for name, installed in _MODULES.items():
        text = _tables() if name == offers.__name__ else _source(sources, name)
        for old, new in _MODULES.items():
            text = text.replace(f"from {old} import", f"from {new} import")
        (site / (installed.replace(".", "/") + ".py")).write_text(text, "utf-8")
    info = site / f"{DISTRIBUTION}-{VERSION}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: rkllm-toolkit-simulated\nVersion: {VERSION}\n"
        "Summary: RKDeck's stand-in for Rockchip's rkllm-toolkit; its files run on simulated boards only\n"
    )
    (info / "RECORD").write_text("".join(f"rkllm/{path.name},,\n" for path in sorted(package.iterdir())))
    (info / "top_level.txt").write_text("rkllm\n")


def _source(sources: Path, name: str) -> str:
    return (sources / (name.replace(".", "/") + ".py")).read_text("utf-8")


def _tables() -> str:
    """The tables of `core.demo.toolkit.offers` as they are now: the data files do not come along."""
    names = ("DTYPES", "PLATFORM_DTYPES", "PLATFORM_CORES", "CONTEXT")
    return "".join(f"{name} = {getattr(offers, name)!r}\n" for name in names)


def _link_packages(site: Path) -> None:
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name.split(".", maxsplit=1)[0])
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parents[1] / name
        if source.exists():
            (site / name).symlink_to(source, target_is_directory=True)
