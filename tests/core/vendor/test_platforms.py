import pytest

from core.base.errors import RefusedError, UsageError
from core.base.notes import note
from core.vendor.levels import load_levels
from core.vendor.platforms import context_limits, get_platform, load_platforms, platform_of_compatibles
from core.words import note_text


def test_the_four_platforms() -> None:
    cores = {name: platform.npu_cores_max for name, platform in load_platforms().items()}
    assert cores == {"rk3588": 3, "rk3576": 2, "rk3562": 1, "rv1126b": 1}


@pytest.mark.parametrize("name", load_platforms())
def test_every_rkllm_level_is_offered_or_refused_with_a_reason(name: str) -> None:
    platform = get_platform(name)
    assert set(platform.dtypes) | set(platform.refusals) == {
        level.name for level in load_levels() if level.kind == "rkllm"
    }
    assert not set(platform.dtypes) & set(platform.refusals)


def test_the_toolkits_matrix() -> None:
    assert "w4a16" in get_platform("rk3588").refusals
    refusal = get_platform("rk3588").refusals["w4a16"]
    assert refusal == note("toolkit_refuses", dtype="w4a16", platform="RK3588", toolkit="1.3.0")
    assert note_text(refusal) == "rkllm-toolkit refuses w4a16 on RK3588 (1.3.0)"
    assert "w4a16" in get_platform("rk3562").refusals
    assert "w4a8_g32" in get_platform("RK3562").dtypes
    assert all("w8a8" in platform.dtypes for platform in load_platforms().values())


def test_names_are_found_in_any_case() -> None:
    assert get_platform(" RV1126B ").name == "rv1126b"
    with pytest.raises(UsageError) as caught:
        get_platform("rk3399")
    assert caught.value.code == "estimate.unknown_platform"
    assert "rk3588" in str(caught.value.facts["known"])


@pytest.mark.parametrize(
    ("compatibles", "name"),
    [
        (("radxa,rock-5b", "rockchip,rk3588"), "rk3588"),
        (("xunlong,orangepi-5", "rockchip,rk3588s"), "rk3588"),
        (("radxa,rock-4d", "rockchip,rk3576"), "rk3576"),
        (("raspberrypi,5-model-b", "brcm,bcm2712"), None),
        ((), None),
    ],
)
def test_device_trees_name_the_soc(compatibles: tuple[str, ...], name: str | None) -> None:
    found = platform_of_compatibles(compatibles)
    assert (found.name if found else None) == name


@pytest.mark.parametrize("context", [-32, 0, 31, 33, 4095, 16385, 16416, 1 << 40])
def test_refuses_a_context_the_toolkit_refuses(context: int) -> None:
    with pytest.raises(RefusedError) as caught:
        context_limits().check(context)
    assert caught.value.code == "estimate.bad_context"


@pytest.mark.parametrize("context", [32, 64, 4096, 16384])
def test_takes_a_context_the_toolkit_takes(context: int) -> None:
    context_limits().check(context)


def test_cores_stay_within_the_platform() -> None:
    assert get_platform("rk3588").check_cores(None) == 3
    assert get_platform("rk3588").check_cores(1) == 1
    for wrong in (0, -1, 3):
        with pytest.raises(RefusedError, match="bad_cores"):
            get_platform("rk3576").check_cores(wrong)


def test_bandwidth_is_clock_times_width() -> None:
    assert get_platform("rk3588").memory_bandwidth_bytes_per_s == pytest.approx(33.792e9)
    assert get_platform("rk3576").memory_bandwidth_bytes_per_s == pytest.approx(16.896e9)
