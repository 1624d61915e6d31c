"""The shell scripts of the store; run through `sh -s` with quoted arguments, for coreutils and busybox."""

# $1 STORE. Prints "current NAME VERSION" and "manifest NAME/VERSION JSON", separated by tabs.
LIST = r"""
cd "$1/deployments" 2>/dev/null || exit 0
for d in *; do
 [ -d "$d" ] && [ ! -L "$d" ] && [ -f "$d/current" ] || continue
 printf 'current\t%s\t%s\n' "$d" "$(head -c 100 "$d/current" | tr -d '\n\t')"
 for m in "$d"/*.json; do
  [ -f "$m" ] || continue
  printf 'manifest\t%s\t' "${m%.json}"; head -c 16384 "$m" | tr '\n\t' '  '; echo
 done
done
"""

# $1 folder of the deployment, $2 version, $3 manifest ("" keeps the one that is there), $4 its blob.
# 75: the blob is gone. Every file is written aside, flushed and renamed.
ACTIVATE = r"""
umask 022
flush() { sync "$1" 2>/dev/null || sync; }
put() { printf '%s\n' "$2" >"$t" && flush "$t" && mv -f "$t" "$1" && return 0; rm -f "$t"; return 1; }
[ -f "$4" ] || exit 75
mkdir -p "$1" || exit 73
[ -L "$1" ] && { echo "it is a symbolic link" >&2; exit 73; }
t=$1/.new.$$
if [ -n "$3" ]; then put "$1/$2.json" "$3" || exit 73; fi
[ -f "$1/$2.json" ] || { echo "there is no such version" >&2; exit 73; }
put "$1/current" "$2" || exit 73
flush "$1"
"""

# $1 STORE, $2 folder of the deployment, then the digests of blobs nobody else needs.
REMOVE = r"""
s=$1; d=$2; shift 2
[ -L "$d" ] && exit 73
rm -f "$d/current" && rm -rf "$d" || exit 73
for h; do rm -f "$s/blobs/$h.rkllm" || exit 73; done
sync
"""

# $1 file. Prints its SHA-256; 75: it is not there.
DIGEST_OF = r"""
[ -f "$1" ] || exit 75
sha256sum <"$1"
"""
