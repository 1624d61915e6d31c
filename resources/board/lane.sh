# A further connection that brings parts of a file: sh -c THIS rkdeck-lane PARTIAL PID
# receive.sh, process PID, has the file; it alone appends to it what is kept here. Needs sh and dd.
# After @ready come lines "NAME", each followed by a block of 1 MiB; @ok: it is kept.
# The names lie in a folder that goes with the lock of PID, so a lane left over from another sender ends by itself.
LC_ALL=C; export LC_ALL
umask 022
D=$1.lock/lanes.$2
echo @ready
while read -r k; do
 [ -d "$D" ] || { echo @gone; exit 1; }
 e=$(dd bs=65536 count=16 iflag=fullblock conv=notrunc of="$D/$k" 2>&1) || { echo "$e" >&2; echo "@failed 0"; exit 74; }
 echo @ok
done
