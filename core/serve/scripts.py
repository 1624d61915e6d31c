"""The few lines of POSIX sh that serving runs on a board. Arguments come as `$1`, `$2`, ...; never as text.

Exit numbers are ours (sh, its tools and sshd end with 1, 2 or more than 125): 40 the run folder cannot be made or
written, 41 the input ended too early, 42 another runtime holds the lock, 43 it did not end.

`/proc/<pid>/stat` gives state and start time: fields 3 and 22, the 1st and the 20th after the name.

A state file is a file: others may have written it, and name any process of the account. A process is taken for a
runtime of ours only when it was started with that state file, which stands in its command line and in nobody else's.
"""

from core.remote.scripts import PLAIN

_OURS = """
ours() { # PID FOLDER
 tr '\\0' '\\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qxF -e "$2/state.json" -e "$(cd "$2" && pwd -P)/state.json"
}
"""

# $1: runtimes folder. Prints `PATH<tab>JSON` for each program that describes itself.
RUNTIMES = f"""{PLAIN}
for f in "$1"/*; do
 [ -f "$f" ] && [ -x "$f" ] && plain "$f" || continue
 d=$("$f" describe </dev/null 2>/dev/null | head -n 1 | head -c 4096 | tr '\\t' ' ') || continue
 printf '%s\\t%s\\n' "$f" "$d"
done
"""

# $1: proc folder. Prints `PID NAME` of whoever has a Rockchip NPU library mapped; others' need root to see.
TENANTS = """
for m in $(grep -lsE 'librkllmrt|librknnrt' "$1"/[0-9]*/maps); do
 d=${m%/maps}; n=; read -r n 2>/dev/null <"$d/comm"
 printf '%s %s\\n' "${d##*/}" "$n"
done
exit 0
"""

# Run as `sh -c`; $1 run folder, $2 runtime, $3 model, $4 title. Input: the token, the deployment as JSON.
# The lock goes on to the runtime, so it lasts exactly as long as that lives. Prints the runtime's pid.
START = """
umask 077
mkdir -p "$1" && cd "$1" || exit 40
IFS= read -r token && IFS= read -r deployment || exit 41
exec 9>lock || exit 40
if command -v flock >/dev/null 2>&1; then flock -n 9 || exit 42; fi
rm -f state.json
printf '%s\\n' "$token" >token && printf '%s\\n' "$deployment" >deployment.json || exit 40
ulimit -n 102400 2>/dev/null || ulimit -n "$(ulimit -H -n)" 2>/dev/null
if command -v setsid >/dev/null 2>&1; then first=setsid; else first=nohup; fi
set -- "$2" serve --model "$3" --token-stdin --state-file "$1/state.json" "--title=$4"
printf '%s\\n' "$token" | $first "$@" >log.txt 2>&1 &
echo $!
"""

# $1 run folder, $2 pid to ask about when there is no state file, $3 non-empty: the token, too.
STATUS = (
    f"""{_OURS}"""
    """
cd "$1" 2>/dev/null || exit 0
one() { [ -f "$2" ] && { printf '%s ' "$1"; head -c 65536 "$2" | tr -d '\\n'; echo; }; }
one state state.json
one deployment deployment.json
[ -n "$3" ] && one token token
p=$(sed -n 's/.*"pid": *\\([0-9][0-9]*\\).*/\\1/p' state.json 2>/dev/null | head -n 1)
p=${p:-$2}
[ -n "$p" ] && one stat "/proc/$p/stat"
[ -n "$p" ] && ours "$p" "$1" && echo "ours $p"
[ -n "$2" ] && [ -f log.txt ] && tail -n 30 log.txt | tail -c 8192 | sed 's/^/log /'
exit 0
"""
)

# $1 run folder, $2 pid, $3 start ticks, $4 tenths of a second to wait after SIGTERM, $5 non-empty: the pid is no file's
# word but the shell's that started it. Status 43: still alive.
# Files that belong to a runtime somebody else has started meanwhile (it holds the lock) are left alone.
STOP = (
    f"""{_OURS}"""
    """
alive() {
 [ -r "/proc/$1/stat" ] || return 1
 ticks=$2; set -- $(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null)
 [ "${20}" = "$ticks" ] && [ "$1" != Z ]
}
waited() {
 n=$3
 while alive "$1" "$2"; do
  [ "$n" -gt 0 ] || return 1
  n=$((n - 1)); sleep 0.1 2>/dev/null || { sleep 1; n=$((n - 9)); }
 done
}
if alive "$2" "$3" && { [ -n "$5" ] || ours "$2" "$1"; }; then
 kill -TERM "$2" 2>/dev/null
 waited "$2" "$3" "$4" || { kill -KILL "$2" 2>/dev/null; waited "$2" "$3" 50; } || exit 43
fi
cd "$1" 2>/dev/null && exec 9>lock || exit 0
if command -v flock >/dev/null 2>&1; then flock -n 9 || exit 0; fi
rm -f state.json token deployment.json
"""
)
