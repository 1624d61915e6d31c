"""The shell scripts of the store; run through `sh -s` with quoted arguments, for coreutils and busybox.

Exit numbers are from sysexits.h, since 1, 2 and those above 125 are also what sh, its tools and sshd end with:
73 (cannot create): the store cannot be written, standard error says why; 75 (temporary failure): the file or version
that was asked for is not there, perhaps since somebody else tidied up, and asking the board anew shows what is.
"""

from core.deploy.layout import blob_endings
from core.remote.scripts import PLAIN
from core.vendor.kinds import model_kinds

_WHOLE = "".join(f'sizes whole "$1/blobs" {kind.ending}\n' for kind in model_kinds().values())
_NAMES = " -o ".join(f"-iname '*{kind.ending}'" for kind in model_kinds().values())

# $1 STORE. Prints "whole NAME SIZE" and "part NAME SIZE" of the model files that are there and that arrive, "current
# NAME VERSION" and "manifest NAME/VERSION JSON", separated by tabs. A deployment that was broken off may have versions
# and none in use: they are listed, so that somebody can use or remove them.
LIST = rf"""{PLAIN}
sizes() {{ # WORD FOLDER ENDING
 for f in "$2"/*"$3"; do
  [ -f "$f" ] && plain "$f" && ls -lnL "$f" | {{ read -r _ _ _ _ b _; printf '%s\t%s\t%s\n' "$1" "${{f##*/}}" "$b"; }}
 done
}}
{_WHOLE}sizes part "$1/incoming" .partial
case $(ls -d "$1/deployments" 2>&1) in *"No such file"*) exit 0;; esac # nothing there; anything else is no answer
cd "$1/deployments" && ls >/dev/null || exit 73
for d in *; do
 [ -d "$d" ] && [ ! -L "$d" ] && plain "$d" || continue
 [ -f "$d/current" ] && printf 'current\t%s\t%s\n' "$d" "$(head -c 100 "$d/current" | tr -d '\n\t')"
 for m in "$d"/*.json; do
  [ -f "$m" ] && plain "$m" || continue
  printf 'manifest\t%s\t' "${{m%.json}}"; head -c 16384 "$m" | tr '\n\t' '  '; echo
 done
done
"""

# $1 folder of the deployment, $2 version, $3 manifest ("" keeps the one that is there), then its blobs.
# 75: one of them is gone. Every file is written aside, flushed and renamed.
ACTIVATE = r"""
umask 022
flush() { sync "$1" 2>/dev/null || sync; }
put() { printf '%s\n' "$2" >"$t" && flush "$t" && mv -f "$t" "$1" && return 0; rm -f "$t"; return 1; }
d=$1 v=$2 m=$3; shift 3
there() { for b; do [ -f "$b" ] || return 1; done; }
there "$@" || exit 75
mkdir -p "$d" || exit 73
[ -L "$d" ] && { echo "it is a symbolic link" >&2; exit 73; }
t=$d/.new.$$
if [ -n "$m" ]; then put "$d/$v.json" "$m" || exit 73; fi
# Once more, now that the manifest protects them from whoever tidies up.
there "$@" || { [ -n "$m" ] && rm -f "$d/$v.json"; exit 75; }
[ -f "$d/$v.json" ] || { echo "there is no such version" >&2; exit 73; }
c=; { read -r c; } 2>/dev/null <"$d/current"
put "$d/current" "$v" || exit 73
flush "$d"
# Whoever tidies up takes a version or file aside, looks whether it is in use, and brings it back; so look here, too.
for w in 0 1 2; do
 [ "$w" = 0 ] || sleep 1
 there "$@" && [ -f "$d/$v.json" ] && exit 0
done
if [ -n "$c" ]; then put "$d/current" "$c"; else rm -f "$d/current"; fi
exit 75
"""

# For the next two; $s is the store. A file that may go is taken aside first and looked for once more: whoever makes a
# version current writes the manifest first and looks for the file then, so that one of the two sees the other.
_LET_GO = r"""
needed() { # whether a manifest names it, or one cannot be read
 grep -qsF "$1" "$s"/deployments/*/*.json
 case $? in 0) return 0;; 1) return 1;; esac
 for m in "$s"/deployments/*/*.json; do
  [ -f "$m" ] || continue
  grep -qF "$1" "$m" 2>/dev/null
  [ $? = 1 ] || return 0
 done
 return 1
}
there() { [ -f "$1" ] || [ -L "$1" ]; }
let_go() { # FILE DIGEST; 1: it stays, 73: it cannot be removed
 needed "$2" && return 1
 there "$1" || return 1
 e=$(mv -f "$1" "$1.gone.$$" 2>&1) || { there "$1" || return 1; echo "$e" >&2; return 73; }
 if needed "$2"; then mv -f "$1.gone.$$" "$1"; return 1; fi
 rm -f "$1.gone.$$" || return 73
}
for g in "$s"/blobs/*.gone.*; do # of somebody who was killed at it
 p=${g##*.}; f=${g%.gone.*}
 there "$g" && { [ "$p" = $$ ] || ! [ -d "/proc/$p" ]; } || continue
 if there "$f"; then rm -f "$g"; else mv -f "$g" "$f" 2>/dev/null; fi
done
"""

# $1 STORE, $2 folder of the deployment, then the digests its versions need.
REMOVE = f"""
s=$1; d=$2; shift 2
[ -L "$d" ] && exit 73
rm -f "$d/current" && rm -rf "$d" || exit 73
{_LET_GO}
for h; do
 for e in {" ".join(blob_endings())}; do
  f=$s/blobs/$h$e
  let_go "$f" "$h"
  [ $? != 73 ] || exit 73
 done
done
sync
"""

# $1 STORE. Prints NAME, SIZE, LINKS, "old" (nobody wrote it for an hour) or "new", "link" or "file", by tabs.
BLOBS = rf"""{PLAIN}
case $(ls -d "$1/blobs" 2>&1) in *"No such file"*) exit 0;; esac
cd "$1/blobs" && ls >/dev/null || exit 73
for f in *; do
 plain "$f" && {{ [ -f "$f" ] || [ -L "$f" ]; }} || continue
 ls -ln "./$f" | {{ read -r _ n _ _ b _; printf '%s\t%s\t%s' "$f" "$b" "$n"; }}
 if [ -n "$(find "./$f" -mmin +60 2>/dev/null)" ]; then printf '\told'; else printf '\tnew'; fi
 if [ -L "$f" ]; then printf '\tlink\n'; else printf '\tfile\n'; fi
done
"""

# $1 STORE. Prints NAME and SIZE of the parts that nobody wrote to for a week, by the board's own clock, with a tab.
OLD_PARTS = rf"""{PLAIN}
cd "$1/incoming" 2>/dev/null || exit 0
for f in *.partial; do
 plain "$f" && [ -f "$f" ] && [ ! -L "$f" ] && [ -n "$(find "./$f" -mmin +10080 2>/dev/null)" ] || continue
 ls -ln "./$f" | {{ read -r _ _ _ _ b _; printf '%s\t%s\n' "$f" "$b"; }}
done
"""

# $1 STORE, then v:NAME/VERSION for versions and b:FILE for blobs. What is current and what somebody needs stays,
# whatever is asked for: it may have changed meanwhile. Prints what was removed.
PRUNE = (
    f"s=$1; shift\n{_LET_GO}"
    r"""
for x; do
 p=${x#?:}
 case $x in
 v:*) d=$s/deployments/${p%%/*}; v=${p#*/}
  [ -L "$d" ] && continue
  c=; { read -r c; } 2>/dev/null <"$d/current"
  [ -n "$c" ] && [ "$c" != "$v" ] && [ -f "$d/$v.json" ] || continue
  mv -f "$d/$v.json" "$d/.$v.gone" || { [ -f "$d/$v.json" ] && exit 73; continue; }
  c=; { read -r c; } 2>/dev/null <"$d/current"
  [ "$c" = "$v" ] && { mv -f "$d/.$v.gone" "$d/$v.json"; continue; }
  rm -f "$d/.$v.gone" || exit 73;;
 b:*) let_go "$s/blobs/$p" "${p%%.*}"
  case $? in 1) continue;; 73) exit 73;; esac;;
 esac
 echo "$x"
done
sync
"""
)

# $1 folder. Prints SIZE, a tab and the path of every model file in it and in the two levels below.
FIND = rf"""{PLAIN}
[ -d "$1" ] && plain "$1" || exit 75
find "$1" -maxdepth 3 -name '*[[:cntrl:]]*' -prune -o -type f \( {_NAMES} \) -print 2>/dev/null |
while IFS= read -r f; do
 [ -f "$f" ] && ls -ln "$f" | {{ read -r _ _ _ _ b _; printf '%s\t%s\n' "$b" "$f"; }}
done
exit 0
"""

# $1 file. Prints its size and "file"; 75: it is not there, or no regular file.
SIZE_OF = r"""
[ -f "$1" ] && [ -r "$1" ] || exit 75
ls -lnL "$1" | { read -r _ _ _ _ b _; echo "$b"; }
"""

# $1 file, $2 its place in the store. A second name where the file system can, else a reference.
LINK = r"""
[ -f "$1" ] || exit 75
[ -f "$2" ] && exit 0
umask 022
mkdir -p "${2%/*}" || exit 73
t=$2.new.$$
ln "$1" "$t" 2>/dev/null && [ ! -L "$t" ] || { rm -f "$t"; ln -s "$1" "$t" || exit 73; }
mv -f "$t" "$2" || { rm -f "$t"; exit 73; }
sync
"""

# $1 file. Prints its SHA-256; 75: it is not there.
DIGEST_OF = r"""
[ -f "$1" ] || exit 75
case $(openssl dgst -sha256 -r </dev/null 2>/dev/null) in
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855*) exec openssl dgst -sha256 -r <"$1";;
esac
sha256sum <"$1"
"""
