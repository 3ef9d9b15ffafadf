#!/usr/bin/env bash
# A machine that is really fresh, for the two commands of the README. See docs/fresh-machine.md.
set -euo pipefail

usage() {
  cat <<'END'
Usage: test/fresh-machine.sh [OPTION…] [COMMAND…]

Runs commands as on a new machine: its own root file system (this one, copy on write), processes, network, Docker Engine,
an empty home, and a fresh clone of the commit that is checked out, in a path with a space. Nothing of it reaches this
machine, and all of it is removed at the end. COMMAND is a line for bash, run in the clone. Default: ./scripts/up and
./scripts/test. Their environment has PATH and HOME, and nothing else.

  --clone NAME         the folder of the clone, below the home (default: a clone/encrypted-backup-storage)
  --without PACKAGE    a Debian package that is purged first; may be given again
  --without-path PATH  a file or folder that is removed first; may be given again
  --pass NAME[=VALUE]  a variable for the commands, as this machine has it or with that value; may be given again
  --home-file FILE     a file copied into the home, such as ~/.npmrc; may be given again
  --share PATH         a folder of this machine that is there, writable, such as a Go module cache; may be given again
  --disk FOLDER        where the home and Docker's data are until the end (default: a new folder in TMPDIR)
  --keep               leave that folder there
  -h, --help           this text

Needs root, util-linux 2.36, iproute2, slirp4netns, git, and 5 GB of memory beside what the commands need. The exit code is
that of the first command that fails; the others do not run then.
END
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 64
}

PATH_OF_A_LOGIN=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
NAME=fresh-$$
HOME_THERE=/home/fresh

# The shell that becomes process 1 of the machine calls this file again, with what it needs in FRESH_* variables.
machine() {
  local root=$FRESH_DISK/root entry
  mount -t tmpfs -o size=4g,mode=755 tmpfs "$root"
  mkdir "$root/upper" "$root/work" "$root/machine"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/machine"
  local there=$root/machine
  mount -t proc proc "$there/proc"
  mount --rbind /dev "$there/dev"
  # /sys of this network namespace, with the cgroups of the machine below
  mount -t sysfs sysfs "$there/sys"
  mount --rbind /sys/fs/cgroup "$there/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$there/run"
  mkdir -p "$there$HOME_THERE" "$there/var/lib/docker" "$there/etc/docker"
  # the home of whoever calls, and the clone that this is run from, are not there
  for entry in "$FRESH_CALLER_HOME" "$FRESH_REPOSITORY"; do mount -t tmpfs tmpfs "$there$entry"; done
  mount --bind "$FRESH_DISK/home" "$there$HOME_THERE"
  mount --bind "$FRESH_DISK/docker" "$there/var/lib/docker"
  mount --bind "$FRESH_DISK/tmp" "$there/tmp"
  while read -r entry; do
    [ -n "$entry" ] || continue
    mkdir -p "$there$entry"
    mount --bind "$entry" "$there$entry"
  done <<<"$FRESH_SHARED"
  cd "$there"
  mkdir -p .before
  pivot_root . .before
  umount -l /.before
  rmdir /.before

  hostname "$FRESH_NAME"
  ip link set lo up
  echo 'nameserver 10.0.2.3' >/etc/resolv.conf
  printf '127.0.0.1 localhost\n' >/etc/hosts
  # which of the machine's cgroups are this Docker's, to be removed at the end
  printf '{"cgroup-parent": "/%s"}\n' "$FRESH_NAME" >/etc/docker/daemon.json
  # the script waits for this, then gives the network
  touch "$HOME_THERE/.started"
  until ip -o addr show dev tap0 2>/dev/null | grep -q 'inet '; do sleep 0.05; done
  rm "$HOME_THERE/.started"

  while read -r entry; do [ -z "$entry" ] || rm -rf --one-file-system "$entry"; done <<<"$FRESH_WITHOUT_PATHS"
  if [ -n "$FRESH_WITHOUT" ]; then
    local present
    # shellcheck disable=SC2086
    present=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $FRESH_WITHOUT 2>/dev/null | sed -n 's/^ii *//p' || true)
    # shellcheck disable=SC2086
    [ -z "$present" ] || DEBIAN_FRONTEND=noninteractive apt-get purge -y --auto-remove $present >/tmp/purge.log 2>&1 ||
      { cat /tmp/purge.log >&2; return 1; }
  fi

  cd "$HOME_THERE/$FRESH_CLONE"
  local code=0 started
  for entry in "$@"; do
    started=$SECONDS
    printf '\n$ %s\n' "$entry"
    env -i PATH="$PATH_OF_A_LOGIN" HOME="$HOME_THERE" "${FRESH_PASSED[@]}" bash -c "$entry" || code=$?
    printf '= exit code %s after %s s\n' "$code" "$((SECONDS - started))"
    [ "$code" -eq 0 ] || break
  done
  return "$code"
}

if [ "${1:-}" = --as-process-1 ]; then
  shift
  FRESH_PASSED=()
  while [ "$1" != -- ]; do
    FRESH_PASSED+=("$1")
    shift
  done
  shift
  # not as its last command: the shell has to live on as process 1
  code=0
  machine "$@" || code=$?
  exit "$code"
fi

clone='a clone/encrypted-backup-storage' disk='' keep=no
without=() without_paths=() passed=() home_files=() shared=()
while [ $# -gt 0 ]; do
  case $1 in
    --clone) clone=$2; shift ;;
    --without) without+=("$2"); shift ;;
    --without-path) without_paths+=("$2"); shift ;;
    --pass)
      case $2 in
        *=*) passed+=("$2") ;;
        *) passed+=("$2=${!2?is not set here}") ;;
      esac
      shift ;;
    --home-file) home_files+=("$2"); shift ;;
    --share) shared+=("$(readlink -f -- "$2")"); shift ;;
    --disk) disk=$2; shift ;;
    --keep) keep=yes ;;
    -h | --help) usage; exit ;;
    --) shift; break ;;
    -*) fail "$1 is no option, see --help" ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || set -- ./scripts/up ./scripts/test
[ "$(id -u)" = 0 ] || fail 'only root can make a machine'
for program in unshare ip slirp4netns git; do
  command -v "$program" >/dev/null || fail "$program is needed: apt-get install util-linux iproute2 slirp4netns git"
done

self=$(readlink -f -- "$0")
repository=$(git -C "$(dirname -- "$self")" rev-parse --show-toplevel)
[ -n "$disk" ] || disk=$(mktemp -d "${TMPDIR:-/tmp}/$NAME.XXXXXX")
mkdir -p "$disk"/{home,docker,tmp,root}
disk=$(readlink -f -- "$disk")
chmod 1777 "$disk/tmp"
outer='' network=''

# What outlives the processes, as a reboot would end it.
finish() {
  trap - EXIT INT TERM HUP
  [ -z "$outer" ] || kill -KILL "$outer" 2>/dev/null || true
  [ -z "$network" ] || kill "$network" 2>/dev/null || true
  wait 2>/dev/null || true
  local cgroup turn
  for cgroup in /sys/fs/cgroup/"$NAME" /sys/fs/cgroup/*/"$NAME"; do
    [ -d "$cgroup" ] || continue
    for turn in $(seq 50); do
      find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
      [ "$turn" -lt 50 ] && sleep 0.1
    done
  done
  if [ "$keep" = yes ]; then printf 'kept: %s\n' "$disk" >&2; else rm -rf --one-file-system "$disk"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

git clone -q --no-hardlinks "$repository" "$disk/home/$clone"
git -C "$disk/home/$clone" checkout -q --detach "$(git -C "$repository" rev-parse HEAD)"
for file in "${home_files[@]}"; do cp -- "$file" "$disk/home/"; done

export FRESH_DISK=$disk FRESH_NAME=$NAME FRESH_CLONE=$clone FRESH_REPOSITORY=$repository FRESH_CALLER_HOME=$HOME
FRESH_WITHOUT=${without[*]-} FRESH_WITHOUT_PATHS=$(printf '%s\n' "${without_paths[@]}") FRESH_SHARED=$(printf '%s\n' "${shared[@]}")
export FRESH_WITHOUT FRESH_WITHOUT_PATHS FRESH_SHARED
unshare --mount --propagation private --net --uts --ipc --pid --fork --kill-child \
  bash "$self" --as-process-1 "${passed[@]}" -- "$@" </dev/null &
outer=$!
until [ -e "$disk/home/.started" ]; do
  kill -0 "$outer" 2>/dev/null || { wait "$outer"; exit; }
  sleep 0.05
done
# of its children the first is process 1 of the machine
read -r inner _ <"/proc/$outer/task/$outer/children" || true
slirp4netns --configure --mtu=65520 --disable-host-loopback "$inner" tap0 >"$disk/slirp4netns.log" 2>&1 &
network=$!
code=0
wait "$outer" || code=$?
outer=''
exit "$code"
