"""Files in parts are one model, by their names."""

from core.model.parts import ModelFiles, join_parts, siblings_of


def test_parts_are_one_model_and_other_files_stay_alone() -> None:
    names = ["b/M-00002-of-00002.gguf", "a.gguf", "b/M-00001-of-00002.gguf", "M_w8a8.rkllm"]
    assert join_parts(names) == (
        ModelFiles("M_w8a8.rkllm", ("M_w8a8.rkllm",)),
        ModelFiles("a.gguf", ("a.gguf",)),
        ModelFiles("b/M.gguf", ("b/M-00001-of-00002.gguf", "b/M-00002-of-00002.gguf")),
    )


def test_what_is_missing_of_a_set_is_named() -> None:
    (found,) = join_parts(["M-00002-of-00003.gguf"])
    assert found.missing == ("M-00001-of-00003.gguf", "M-00003-of-00003.gguf")
    assert found.first == "M-00002-of-00003.gguf"


def test_numbers_without_meaning_make_no_set() -> None:
    odd = ["M-00003-of-00002.gguf", "M-00000-of-00002.gguf", "M-00001-of-99999.gguf"]
    assert [files.paths for files in join_parts(odd)] == [(name,) for name in sorted(odd)]
    assert all(siblings_of(name) == (name,) for name in odd)


def test_the_siblings_of_a_part() -> None:
    assert siblings_of("x/M-00002-of-00002.GGUF") == ("x/M-00001-of-00002.GGUF", "x/M-00002-of-00002.GGUF")
