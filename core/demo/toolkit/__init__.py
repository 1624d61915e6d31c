"""Sources of the distribution `rkllm-toolkit-simulated`, module `rkllm`: a stand-in for Rockchip's toolkit.

`core.demo.toolkit_env` installs them, with the arithmetic they use, into an environment of their own. The
calls, their names and defaults, the return codes and the log lines are those of rkllm-toolkit 1.3.0 (SDK
manual tables 3-1 to 3-7 and the official export example); the weights are really quantized; the file is the
simulated one of `core.demo.container`.
"""
