"""The peak of a program's own memory, printed by itself as its last line."""

# In KiB. Not `ru_maxrss`, which begins with what the program's parent had when it was started.
PEAK = "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
