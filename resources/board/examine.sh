# What the doctor wants to know beyond probe.sh: runs behind it, in the same function, with its $R, f, v and k.
# $2 the folder for models, $3 where serving keeps its state below that. Reads only; polls nothing that wakes the NPU.
S=$2 N=$3
g() { grep -sH '' /dev/null "$@" 2>/dev/null | head -n 400 | cut -c 1-1000 | sed 's/^/file:/'; }
o() { set -- $(ls -ld "$1" 2>/dev/null); echo "${1:--} ${3:--} ${4:--}"; }
for d in "$R"/dev/rknpu "$R"/dev/dri/renderD* "$R"/dev/dri/card* "$R"/dev/accel/accel*; do
 [ -e "$d" ] || continue
 a=-; [ -r "$d" ] && [ -w "$d" ] && a=rw
 v devnode "$a $(o "$d") ${d#"$R"}"
done
sed -n 's/^\(render\|video\):.*/group:\1/p' "$R/etc/group" 2>/dev/null
g "$R"/sys/class/devfreq/*/governor "$R"/sys/class/devfreq/*/available_governors "$R"/sys/class/devfreq/*/cur_freq \
 "$R"/sys/class/devfreq/*/min_freq "$R"/sys/class/devfreq/*/max_freq "$R"/sys/class/devfreq/*/available_frequencies
g "$R"/sys/devices/system/cpu/cpufreq/policy*/related_cpus "$R"/sys/devices/system/cpu/cpufreq/policy*/scaling_governor \
 "$R"/sys/devices/system/cpu/cpufreq/policy*/scaling_available_governors "$R"/sys/devices/system/cpu/cpufreq/policy*/scaling_cur_freq \
 "$R"/sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq "$R"/sys/devices/system/cpu/cpufreq/policy*/cpuinfo_max_freq
for d in "$R"/sys/class/devfreq/*/governor "$R"/sys/devices/system/cpu/cpufreq/policy*/scaling_governor; do
 [ -w "$d" ] && v writable "${d#"$R"}"
done
g "$R"/sys/class/thermal/thermal_zone*/type "$R"/sys/class/thermal/thermal_zone*/temp \
 "$R"/sys/class/thermal/thermal_zone*/trip_point_*_type "$R"/sys/class/thermal/thermal_zone*/trip_point_*_temp
g "$R"/sys/class/thermal/cooling_device*/type "$R"/sys/class/thermal/cooling_device*/cur_state
g "$R"/proc/swaps
sed -n 's/^oom_kill /oomkill:/p' "$R/proc/vmstat" 2>/dev/null
v nofile "$(ulimit -n) $(ulimit -Hn)"
v python "$(python3 -V 2>&1 | head -n 1)"
[ -d "$R/run/systemd/system" ] && v systemd 1
[ -e "$R/proc/mpp_service" ] && v mpp 1
{ [ -z "$R" ] && dmesg; cat "$R/var/log/dmesg"; } 2>/dev/null |
 grep -E 'Initialized (rknpu|rocket)|RKNPU driver: v' | tail -n 2 | cut -c 1-500 | sed 's/^/dmesg:/'
# llama.cpp: a server that is there, and what a ready-made one needs.
p=; [ -z "$R" ] && p=$(command -v llama-server 2>/dev/null)
for d in "$p" "$R"/usr/local/bin/llama-server "$R"/usr/bin/llama-server; do
 [ -f "$d" ] && [ -x "$d" ] && { v llamaserver "${d#"$R"}"; break; }
done
p=-; for d in "$R"/usr/lib "$R"/usr/lib/*-linux-gnu* "$R"/usr/lib64 "$R"/lib "$R"/lib64; do [ -e "$d/libgomp.so.1" ] && p=1; done
v libgomp "$p"
# Libraries: where loaders look, RKDeck's own, and what running programs have loaded. Git's blob id names a release exactly.
lib() {
 [ -f "$1" ] && [ -r "$1" ] || return 0
 n=$(wc -c <"$1") && [ "$n" -lt 67108864 ] || return 0
 b=$({ printf 'blob %d\0' "$n"; cat "$1"; } 2>/dev/null | sha1sum 2>/dev/null | cut -c 1-40)
 c=$(head -c 5 "$1" 2>/dev/null | tail -c 1 | tr '\001\002' '12')
 case $c in 1|2) ;; *) c=-;; esac
 v library "$c ${b:--} $n $1	$(grep -aoE 'RKLLM SDK \(version: [^ )|]*|librknnrt version: [^ )]*' "$1" 2>/dev/null | head -n 1)"
}
{
 for d in "$R"/usr/lib "$R"/usr/lib/aarch64-linux-gnu "$R"/usr/lib/arm-linux-gnueabihf "$R"/usr/local/lib "$R"/lib "$R"/opt/*/lib "$S"/lib/*; do
  [ -L "$d" ] && continue
  for l in "$d/librkllmrt.so" "$d/librknnrt.so"; do [ -f "$l" ] && [ -r "$l" ] && plain "$l" && printf '%s\n' "$l"; done
 done
 grep -hsoE '/[^ ].*/lib(rkllm|rknn)rt\.so' "$R"/proc/[0-9]*/maps 2>/dev/null
} | sort -u | head -n 12 | while IFS= read -r l; do lib "$l"; done
# Who has an NPU library mapped (root sees all, others their own), and whose command line looks like a server of models.
t() {
 p=${1%/*}; s=$p/status
 u=$(sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "$s" 2>/dev/null | head -n 1)
 m=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "$s" 2>/dev/null | head -n 1)
 n=$(head -n 1 "$p/comm" 2>/dev/null)
 v tenant "${p##*/} $2 ${u:--} ${m:--} ${n:-$(sed -n 's/^Name:[[:space:]]*//p' "$s" 2>/dev/null | head -n 1)}"
}
grep -lsE 'librkllmrt|librknnrt' "$R"/proc/[0-9]*/maps 2>/dev/null | head -n 16 | while IFS= read -r m; do t "$m" maps; done
grep -lsaE '[r]kllama|[r]kllm_server|[r]kllm-server|[l]lm_demo|[f]lask_server' "$R"/proc/[0-9]*/cmdline 2>/dev/null | head -n 16 |
 while IFS= read -r m; do t "$m" name; done
if [ -n "$S" ]; then
 d=$S; while [ ! -e "$d" ] && [ "$d" != / ] && [ -n "$d" ]; do d=${d%/*}; done
 a=-; [ -w "${d:-/}" ] && a=w
 v store "$a $(k "${d:-/}")"
 p=$(sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p' "$N/state.json" 2>/dev/null | head -n 1)
 [ -n "$p" ] && [ -d "/proc/$p" ] && v serving "$p" && f deployment "$N/deployment.json" 2048
fi
