# What a board is, in one go. Runs as the text of `sh -s`; $1 is a prefix of /proc, /sys, /etc and /usr ("" on a board),
# $2 the folder for models ("" while there is none). `core.boards.probe` puts `plain` before it, which names are asked with,
# and behind it the line "end" that says it ran to its end.
# Needs a POSIX shell; every tool may be missing. Each line is "key:value"; a value's own line breaks repeat the key.
# Nothing is written, nothing is polled that could wake or upset the NPU (rknpu/freq and rknpu/volt are not read).
R=$1
f() { [ -r "$2" ] && [ -f "$2" ] && head -c "${3:-4096}" "$2" 2>/dev/null | tr '\0' '\n' | sed "s/^/$1:/" && echo; }
v() { # KEY VALUE
 case $2 in *"$nl"*) printf '%s\n' "$2" | sed "s/^/$1:/";; *) printf '%s:%s\n' "$1" "$2";; esac
}
nl='
'
v probe 1
f model "$R/proc/device-tree/model"
f compatible "$R/proc/device-tree/compatible"
f serial "$R/proc/device-tree/serial-number"
sed -n 's/^Serial[[:space:]]*:[[:space:]]*/cpuserial:/p' "$R/proc/cpuinfo" 2>/dev/null | head -n 1
v cpus "$(grep -c '^processor' "$R/proc/cpuinfo" 2>/dev/null)"
f cpuspresent "$R/sys/devices/system/cpu/present" 64
f kernel "$R/proc/sys/kernel/osrelease" 256
f hostname "$R/proc/sys/kernel/hostname" 256
sed -n 's/^PRETTY_NAME=/os:/p' "$R/etc/os-release" 2>/dev/null | head -n 1
sed -n 's/^\(BOARD\|BRANCH\|VERSION\)=/armbian:\1=/p' "$R/etc/armbian-release" 2>/dev/null | head -n 3
f machine "$R/proc/sys/kernel/arch" 64
v machine "$(uname -m)"
f rknpu "$R/sys/module/rknpu/version" 256
[ -d "$R/sys/module/rknpu" ] && v rknpumodule 1
f rknpudebug "$R/sys/kernel/debug/rknpu/version" 256
f rknpuproc "$R/proc/rknpu/version" 256
[ -d "$R/sys/module/rocket" ] && v rocket 1
for d in "$R"/dev/accel/accel* "$R"/dev/rknpu "$R"/dev/dri/renderD*; do
 [ -e "$d" ] && { a=; [ -r "$d" ] && [ -w "$d" ] && a=rw; v node "${a:--} ${d#"$R"}"; }
done
for d in "$R/sys/kernel/debug/rknpu/load" "$R/proc/rknpu/load"; do f npuload "$d" 512; done
grep '\.npu' "$R/proc/interrupts" 2>/dev/null | head -n 16 | sed 's/^/interrupt:/'
for d in "$R"/sys/class/devfreq/*.npu; do [ -d "$d" ] && v npufreq "${d##*/}"; done
grep -E '^(MemTotal|MemAvailable|SwapTotal):' "$R/proc/meminfo" 2>/dev/null | sed 's/^/mem:/'
if [ -z "$R" ] && ! [ -r /proc/rknpu/load ] && ! [ -r /sys/kernel/debug/rknpu/load ]; then
 sudo -n cat /sys/kernel/debug/rknpu/load 2>/dev/null </dev/null | head -n 2 | sed 's/^/npuload:/'
fi
f machineid "$R/etc/machine-id" 64
for d in "$R"/sys/class/net/*; do
 [ -e "$d/device" ] && [ "$(cat "$d/addr_assign_type" 2>/dev/null)" = 0 ] && v mac "$(cat "$d/address" 2>/dev/null)"
done
v user "$(id -un 2>/dev/null)"
v uid "$(id -u 2>/dev/null)"
v groups "$(id -Gn 2>/dev/null)"
if command -v sudo >/dev/null 2>&1; then sudo -n true >/dev/null 2>&1; v sudo $?; else v sudo none; fi
f simulated "$R/etc/rkdeck-simulated" 512
[ -e "$R/etc/rkdeck-simulated" ] && v simulatedmark 1
v home "$HOME"
[ -w "$HOME" ] && v homewritable 1
k() { df -Pk "$1" 2>/dev/null | sed -n '2,$p' | tr '\n' ' '; }
v homedisk "$(k "$HOME")"
n=0
while read -r dev dir type opts _ && [ $n -lt 40 ]; do
 case $type in ext2|ext3|ext4|btrfs|xfs|f2fs|bcachefs|zfs|overlay|vfat|exfat|ntfs|ntfs3|fuseblk|tmpfs|ramfs|ubifs|jffs2) ;; *) continue;; esac
 case $dir in /dev|/dev/*|/proc/*|/sys/*|/run|/run/*|/snap/*) continue;; esac
 d=$(printf '%b' "$dir"); [ -d "$d" ] || continue
 n=$((n+1)); w=-; [ -w "$d" ] && w=w
 v mount "$w $dev $type $opts $dir $(k "$d")"
done 2>/dev/null </proc/mounts
for d in /sys/block/mmcblk*; do [ -r "$d/device/type" ] && v mmc "${d##*/} $(cat "$d/device/type")"; done
for d in /sys/block/sd* /sys/block/nvme*; do [ -r "$d/queue/rotational" ] && v disk "${d##*/} $(cat "$d/queue/rotational")"; done
for d in sha256sum df cat mv sync tr wc head sed timeout python3; do command -v $d >/dev/null 2>&1 && v tool $d; done
for d in "$R"/usr/local/lib/rkdeck/runtimes/*; do
 [ -f "$d" ] && [ -x "$d" ] && plain "$d" || continue
 t=; command -v timeout >/dev/null 2>&1 && t='timeout 20'
 v runtime "$d	$($t "$d" describe 2>/dev/null </dev/null | head -c 4096 | tr '\n\t' '  ')"
done
for d in "$R"/usr/lib/librkllmrt.so "$R"/usr/lib/aarch64-linux-gnu/librkllmrt.so "$R"/usr/lib/arm-linux-gnueabihf/librkllmrt.so "$R"/usr/local/lib/librkllmrt.so \
 "$R"/lib/librkllmrt.so "$R"/opt/*/lib/librkllmrt.so ${2:+"$2"/lib/*/librkllmrt.so}; do
 [ ! -L "${d%/*}" ] && [ -f "$d" ] && [ -r "$d" ] && plain "$d" && v rkllm "$d	$(head -c 67108864 "$d" 2>/dev/null | grep -ao 'RKLLM SDK (version: [^ )|]*' | head -n 1)"
done
