# Sampler of one board, for `sh -s` (POSIX sh; run with dash 0.5.12, busybox 1.35 and bash). The client sends
# this text once, then one line per tick: `I` identity, `P PID...` watch processes, `V FILE` watch one status
# file, `S N` fast tick, `L N` slow tick, `D` discover again. It ends at end of input, so it leaves nothing
# behind. R is empty on a board and `.` below a prefix. debugfs rknpu/freq and rknpu/volt are left alone: reading
# the first powers the NPU on, the second can oops a kernel without an NPU regulator (rknpu 0.9.8 source).
R=${R:-}; LC_ALL=C; export LC_ALL; PIDS=; W=
g() { grep -sH '' /dev/null "$@" 2>/dev/null; }
add() { for _f; do [ -r "$_f" ] && F="$F $_f"; done; }
slo() { for _f; do [ -r "$_f" ] && S="$S $_f"; done; }
D() { # discover once (and after a reboot or hot-plug)
 F=; S=; Q=$R/proc/interrupts # without the load, interrupts still tell which cores work
 add $R/proc/uptime $R/proc/stat $R/proc/meminfo $R/proc/loadavg $R/proc/pressure/cpu $R/proc/pressure/memory $R/proc/pressure/io $R/proc/net/dev $R/proc/diskstats
 for f in $R/sys/kernel/debug/rknpu/load $R/proc/rknpu/load; do [ -r $f ] && { F="$F $f"; Q=; break; }; done
 add $R/sys/kernel/debug/rknpu/power
 for d in $R/sys/class/devfreq/*; do add $d/cur_freq; case $d in *.npu) ;; *) add $d/load;; esac; done
 for d in $R/sys/devices/platform/*.npu/power; do add $d/runtime_status $d/runtime_active_time $d/runtime_suspended_time; done
 for d in $R/sys/devices/system/cpu/cpufreq/policy*; do add $d/scaling_cur_freq; slo $d/scaling_max_freq $d/scaling_governor; done
 for d in $R/sys/class/thermal/thermal_zone*; do add $d/temp; done
 for d in $R/sys/class/thermal/cooling_device*; do add $d/cur_state; done
 for d in $R/sys/class/hwmon/hwmon*; do n=; [ -r $d/name ] && read -r n <$d/name
  case $n in *_thermal|nvme|'') continue;; esac
  slo $d/in[0-9]*_input $d/curr[0-9]*_input $d/power[0-9]*_input $d/fan[0-9]*_input $d/pwm[0-9]; done
 for d in $R/sys/class/devfreq/*.npu; do slo $d/governor $d/min_freq $d/max_freq; done
 for d in $R/sys/block/zram*; do slo $d/mm_stat; done
 slo $R/proc/swaps $R/proc/mpp_service/load $R/proc/interrupts $R/proc/vmstat
}
P() { PIDS=; for p; do PIDS="$PIDS $R/proc/$p/status $R/proc/$p/stat"; done; }
V() { W=$1; }
S() { echo "@T $1"; g $F $PIDS ${W:+"$W"}; [ -z "$Q" ] || grep -sH '\.npu' $Q /dev/null; echo "@E $1"; }
L() { echo "@T $1"; g $F $PIDS ${W:+"$W"} $S; echo "@E $1"; }
I() { # identity, once
 echo @I; for f in $R/proc/device-tree/model $R/proc/device-tree/compatible $R/sys/class/devfreq/*/device/of_node/compatible; do [ -r $f ] && { echo "$f:"; tr '\0' '\n' <$f; echo; }; done
 g $R/proc/sys/kernel/osrelease $R/proc/sys/kernel/hostname $R/sys/module/rknpu/version $R/sys/kernel/debug/rknpu/version $R/proc/rknpu/version $R/sys/class/thermal/thermal_zone*/type $R/sys/class/thermal/cooling_device*/type $R/sys/class/thermal/cooling_device*/max_state $R/sys/class/hwmon/hwmon*/name $R/sys/devices/system/cpu/cpufreq/policy*/related_cpus $R/sys/devices/system/cpu/cpufreq/policy*/cpuinfo_max_freq $R/sys/class/devfreq/*/available_frequencies $R/sys/class/devfreq/*/available_governors $R/sys/class/thermal/thermal_zone*/trip_point_*_temp $R/sys/class/thermal/thermal_zone*/trip_point_*_type
 for f in $R/dev/rknpu $R/dev/dri/* $R/dev/accel/*; do [ -e $f ] && ls -ld $f; done; [ -d $R/sys/module/rocket ] && echo @K rocket; echo "@U $(id -u </dev/null)"; echo @J; }
D
