# Receives one file: sh -c THIS rkdeck-receive PARTIAL TOTAL SHA256 TAKEOVER FINAL SENDER
# Needs sh, cat, dd, df, ls, mkdir, mv, rm, sha256sum, sleep, sync (coreutils or busybox); openssl, where there is one, is
# several times as fast as sha256sum.
# The digest is computed from the file while it arrives, so that it is ready when the last byte is.
# Lines starting with @ are for RKDeck:
#   @there                 FINAL is already this very file
#   @busy SIZE             somebody else is sending it (75); asked with TAKEOVER=1, or when it is the same SENDER, he is ended instead
#   @have SIZE SHA FREE_K PID  what is here already (FREE_K is - when df does not tell, PID when blocks are not understood);
#                          then one line "SIZE" or "0" is read, and the rest is data; with " b" after it, the rest is orders:
#     d N | p NAME         N times 64 KiB follow, the next of the file | 1 MiB follows, to be kept under that name for later
#     t NAME               what is kept under that name is the next of the file (lane.sh keeps what other connections bring)
#     c                    how long the server's processes of this connection have worked: "@cpu TICKS", 100 to the second
#     r                    the rest is data
#   @ok                    an order was carried out. The file only ever grows at its end, so what is there is a beginning
#   @wrote SIZE            all data was written
#   @sum SHA               of all of it after sync; a wrong file is removed, a right one renamed to FINAL if given
#   @readonly              the folder of PARTIAL or FINAL cannot be written
#   @full | @failed SIZE   writing failed; on a full disk the part is removed, so that the board stays usable
# A lock holds the pids and start times of shell and writer, so a dead or silent sender never blocks for ever.
LC_ALL=C; export LC_ALL
umask 022
P=$1; T=$2; H=$3; Z=$5; I=$6; L=$1.lock; G=$1.lock.steal
alive() { # PID START: whether exactly this process still runs; PID alone: print its start time
 s=; { read -r s; } 2>/dev/null <"/proc/$1/stat" || return 1
 w=$2; s=${s##*) }; set -- $s
 case $1 in Z|X) return 1;; esac
 [ -z "$w" ] && { echo "${20}"; return 0; }
 [ "$w" = "${20}" ]
}
size() { if [ -f "$P" ]; then ls -ln "$P" | { read -r _ _ _ _ b _; echo "$b"; }; else echo 0; fi; }
flush() { sync "$1" 2>/dev/null || sync; }
free() { df -Pk "${P%/*}" 2>/dev/null | { read -r _; read -r _ _ _ f _; case $f in *[!0-9]*|"") echo -;; *) echo "$f";; esac; }; }
offspring() { # kill what a stopped process has started: its dd must not go on writing
 for q in /proc/[0-9]*/stat; do
  s=; { read -r s; } 2>/dev/null <"$q"
  case ${s##*) } in [A-Z]" $1 "*) kill -9 "${s%% *}";; esac
 done
}
g=
spoilt() { # something could not be written
 [ -z "$g" ] || rmdir "$G"
 f=$(free)
 if [ "$f" != - ] && [ "$f" -lt 4096 ]; then rm -f "$P"; echo @full; else echo "@failed $(size)"; fi
 exit 74
}
drop() { rm -rf "$L" || rm -rf "$L"; } # a lane may put something there meanwhile
take() { # 1: somebody else has it, or the folder cannot be written
 mkdir "$L" 2>/dev/null || return 1
 { echo "$$ $(alive $$) $I" >"$L/owner"; } && return 0
 trap drop EXIT; spoilt
}
busy() { echo "@busy $(size)"; exit 75; }
steal() { # under a guard, so that two who find the same dead lock do not both take it
 [ "$1" = 1 ] && rmdir "$G" 2>/dev/null
 mkdir "$G" 2>/dev/null || busy
 for f in "$L/owner" "$L/writer"; do
  p=; a=; { read -r p a _; } 2>/dev/null <"$f"
  if [ -z "$p" ]; then [ "$1" = 1 ] || [ "$f" = "$L/writer" ] || { rmdir "$G"; busy; }
  elif alive "$p" "$a"; then
   [ "$1" = 1 ] && { kill -STOP "$p"; offspring "$p"; kill -9 "$p"; }
   [ "$1" = 1 ] && for _ in 1 2 3 4 5; do alive "$p" "$a" || break; sleep 1; done
   alive "$p" "$a" && { rmdir "$G"; busy; }
  fi
 done
 g=1; drop; take; r=$?; g=; rmdir "$G"; [ $r = 0 ] || busy
}
d=sha256sum
case $(openssl dgst -sha256 -r </dev/null 2>/dev/null) in
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855*) d="openssl dgst -sha256 -r";;
esac
for c in cat dd df ls ${d%% *}; do command -v $c >/dev/null || { echo "@missing $c"; exit 69; }; done
mkdir -p "${P%/*}" || { echo @readonly; exit 73; }
n=0
until take; do
 if [ -d "$L" ]; then
  x=$4; i=; { read -r _ _ i; } 2>/dev/null <"$L/owner"
  [ -n "$I" ] && [ "$i" = "$I" ] && x=1
  steal "$x"; break
 fi
 # Whoever had it may have ended just now: only what fails again and again is a folder that cannot be written.
 n=$((n+1)); [ $n -lt 5 ] || { mkdir "$L" && rmdir "$L"; echo @readonly; exit 73; }
done
trap drop EXIT
trap 'exit 1' HUP INT TERM PIPE
[ -L "$P" ] && rm -f "$P"
sum() { h=$($d <"$1"); h=${h%% *}; }
follow() { # print the file as it grows, until $L/going is gone; what is stored is read back in whole MiB
 o=0; f=0
 while :; do
  e=; [ -f "$L/going" ] && kill -0 $$ 2>/dev/null || e=1
  m=$(($(size)/1048576))
  if [ "$m" -gt $o ]; then
   dd if="$P" bs=1048576 skip=$o count=$((m-o)) 2>/dev/null || return
   o=$m
   [ $((o-f)) -ge 256 ] && { f=$o; wait; flush "$P" >/dev/null 2>&1 & }
  elif [ -n "$e" ]; then break
  else sleep 0.1 2>/dev/null || sleep 1
  fi
 done
 dd if="$P" bs=1048576 skip=$o 2>/dev/null
 wait
}
if [ -n "$Z" ] && [ -f "$Z" ] && sum "$Z" && [ "$h" = "$H" ]; then
 rm -f "$P"; drop; trap - EXIT; echo @there; exit 0
fi
true >>"$P" || { echo @readonly; exit 73; }
n=$(size); h=-
[ "$n" -gt 0 ] && [ "$n" -le "$T" ] && sum "$P"
b=-; dd iflag=fullblock count=0 </dev/null >/dev/null 2>&1 && b=$$
echo "@have $n $h $(free) $b"
read -r k b || exit 1
[ "$k" = "$n" ] || true >"$P"
cpu() { # of the two processes above this one: the server's for this connection is one of them
 q=$PPID; c=0
 for _ in 1 2; do
  s=; { read -r s; } 2>/dev/null <"/proc/$q/stat" || break
  s=${s##*) }; set -- $s
  c=$((c+${12}+${13})); q=$2
  [ "$q" -gt 1 ] || break
 done
 echo "@cpu $c"
}
orders() {
 D=$L/lanes.$$; mkdir "$D" || exit 74
 while read -r o k; do
  case $o in
  d) e=$(dd bs=65536 count="$k" iflag=fullblock 2>&1 >>"$P" <&3);;
  p) e=$(dd bs=65536 count=16 iflag=fullblock 2>&1 >"$D/$k" <&3);;
  t) cat "$D/$k" >>"$P";;
  c) cpu; continue;;
  r) return;;
  *) exit 1;;
  esac || { echo "$e" >&2; exit 74; }
  echo @ok
 done <&3
 exit 0
}
exec 3<&0
: >"$L/going"
follow 3<&- </dev/null | $d >"$L/sum" 3<&- &
j=$!
( { read -r m _; } </proc/self/stat; echo "$m $(alive "$m")" >"$L/writer"
[ "$b" = b ] && orders
exec cat <&3 >>"$P" ) &
wait $!
r=$?
n=$(size)
[ $r = 0 ] || spoilt
echo "@wrote $n"
[ "$n" = "$T" ] || exit 1
flush "$P"
rm -f "$L/going"; wait $j
h=; { read -r h _; } 2>/dev/null <"$L/sum"
[ -n "$h" ] || sum "$P"
if [ "$h" != "$H" ]; then rm -f "$P"
elif [ -n "$Z" ]; then
 mkdir -p "${Z%/*}" && mv -f "$P" "$Z" || { echo @readonly; exit 73; }
 flush "${Z%/*}"
fi
drop; trap - EXIT
echo "@sum $h"
