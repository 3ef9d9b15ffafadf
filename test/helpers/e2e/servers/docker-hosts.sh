#!/usr/bin/env bash
# Several Docker hosts on one machine, for tests: each has its own network, mount, PID and UTS namespace, so that
# dockerd and sshd find their default paths (/var/run/docker.sock, /var/lib/docker, port 22) and a killed "host" takes
# every process of it along. Needs root, iproute2, util-linux, docker.io, iptables, openssl; openssh-server for ssh://.
#
#   docker-hosts.sh N
#
# Starts N of them and says "ok" when all answer. Then it takes commands from its standard input, a line each, and says
# "ok" or "failed" after each:
#
#   kill I      takes the power from host I: no process of it gets to say a word
#   start I     switches it on again, with the disks that it had
#   empty I     forgets the disks of a host that is off, so that the next start is that of a new machine
#   run I CMD…  runs a command on host I, its words without spaces
#   cut I J     drops every packet between two hosts; join I J lets them pass again
#
# A host runs $HOSTS_DIR/hI/boot, where there is one, before its engine starts.
#
# It ends all hosts when its standard input ends: so they do not outlive whoever started them, however that ends. What a
# killed docker-hosts.sh left is removed by the next one.
#
# HOSTS_DIR: where their data, certificates and keys go. HOSTS_NET: host I is $HOSTS_NET.$((10+I)), this machine
# $HOSTS_NET.1. HOSTS_PREFIX: of namespaces, interfaces and cgroups, 10 characters at most. HOSTS_TEMPLATE: data root of
# an engine that was stopped, copied for each new host; default: an empty one.
set -euo pipefail
dir=${HOSTS_DIR:?}
net=${HOSTS_NET:?}
pre=${HOSTS_PREFIX:?}
template=${HOSTS_TEMPLATE:-}
notes=/run/ebs-docker-hosts
self=$(readlink -f "$0")

ip_of() { echo "$net.$((10 + $1))"; }
say() { echo "$*" >&2; }
hosts() { local f; for f in "$dir"/h*/; do [ -d "$f" ] && basename "$f" | tr -d h; done 2>/dev/null || true; }
# A process that we started, seen from outside: only believed while it has the start time of then.
started_at() { awk '{sub(/.*\) /,""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }
alive() { # FILE with pid and start time
  local pid at
  read -r pid at _ 2>/dev/null <"$1" || return 1
  [ "$(started_at "$pid")" = "$at" ] && echo "$pid"
}

certs() { # one CA, a certificate per host for tcp://, one client certificate, ssh keys
  mkdir -p "$dir/tls" "$dir/ssh"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj "/CN=$pre hosts CA" -keyout "$dir/tls/ca-key.pem" -out "$dir/tls/ca.pem" 2>/dev/null
  sign "$dir/tls/key.pem" "$dir/tls/cert.pem" client "extendedKeyUsage=clientAuth"
  ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/id"
}
sign() { # key certificate cn extensions
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" -keyout "$1" -out "$2.csr" 2>/dev/null
  openssl x509 -req -in "$2.csr" -CA "$dir/tls/ca.pem" -CAkey "$dir/tls/ca-key.pem" -CAcreateserial -days 30 \
    -extfile <(printf '%s\n' "$4") -out "$2" 2>/dev/null
  rm -f "$2.csr"
}

switch_up() { # the bridge lives in a namespace of its own: the root's FORWARD policy (DROP by dockerd) never sees it
  ip netns add "$pre-sw"
  ip -n "$pre-sw" link add br0 type bridge forward_delay 0
  ip -n "$pre-sw" link set br0 up
  ip link add "$pre-root" type veth peer name root netns "$pre-sw"
  ip -n "$pre-sw" link set root master br0 up
  ip addr add "$net.1/24" dev "$pre-root"
  ip link set "$pre-root" up
}

install_host() { # I: what a host keeps when it is off
  local i=$1 h="$dir/h$1" ip; ip=$(ip_of "$1")
  mkdir -p "$h/etc-docker" "$h/ssh"
  sign "$h/server-key.pem" "$h/server.pem" "h$i" \
    "$(printf 'extendedKeyUsage=serverAuth\nsubjectAltName=IP:%s,DNS:h%s' "$ip" "$i")"
  ssh-keygen -q -t ed25519 -N '' -f "$h/ssh/key"
  printf '127.0.0.1 localhost h%s\n' "$i" >"$h/hosts"
  cat >"$h/sshd_config" <<CONF
ListenAddress $ip
HostKey $h/ssh/key
AuthorizedKeysFile $dir/ssh/id.pub
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PidFile none
# every connection of a docker client is an ssh session of its own: the default 10:30:100 drops some at random
MaxStartups 200
MaxSessions 200
CONF
}

own_processors() { # I: what else runs on this machine must not starve its containers, as if it were a machine of its own
  local c=/sys/fs/cgroup/cpu/$pre-$1
  [ ! -d /sys/fs/cgroup/cpu ] || { mkdir -p "$c"; echo 20000 >"$c/cpu.shares"; }
}

boot() { # I: creates the namespace and starts its init in the background; `await` waits for it
  local i=$1 h="$dir/h$1" ip; ip=$(ip_of "$1")
  alive "$h/init" >/dev/null && { say "host $i is on already"; return 1; }
  if [ ! -d "$h/docker" ]; then
    if [ -n "$template" ]; then cp -a "$template" "$h/docker"; else mkdir "$h/docker"; fi
  fi
  ip netns add "$pre-$i"
  ip -n "$pre-$i" link set lo up
  # the address of the hardware stays when the power comes back: others have it in their tables
  ip link add eth0 netns "$pre-$i" address "$(printf '02:eb:50:00:00:%02x' "$i")" type veth peer name "h$i" netns "$pre-sw"
  ip -n "$pre-sw" link set "h$i" master br0 up
  ip -n "$pre-$i" addr add "$ip/24" dev eth0
  ip -n "$pre-$i" link set eth0 up
  own_processors "$i"
  # Not `ip netns exec`: it replaces /sys, and with it /sys/fs/cgroup.
  setsid nsenter --net="/run/netns/$pre-$i" unshare --mount --propagation private --uts --ipc --pid --fork --kill-child \
    --mount-proc "$self" _init "$i" "$ip" </dev/null >>"$h/log" 2>&1 &
  local outer=$! pid=
  for _ in $(seq 100); do
    read -r pid _ <"/proc/$outer/task/$outer/children" 2>/dev/null || true
    [ -n "$pid" ] && break
    sleep 0.02
  done
  [ -n "$pid" ] || { say "host $i: no init, see $h/log"; return 1; }
  echo "$pid $(started_at "$pid")" >"$h/init"
}

_init() { # PID 1 of a host
  local i=$1 ip=$2 h="$dir/h$1"
  hostname "h$i"
  mkdir -p "$h/cgroup"
  mount --rbind /sys/fs/cgroup "$h/cgroup"             # /sys of this network namespace, with the machine's cgroups
  mount -t sysfs sysfs /sys
  mount --rbind "$h/cgroup" /sys/fs/cgroup
  umount -R -l "$h/cgroup"
  mount -t tmpfs -o mode=755 tmpfs /run                # /var/run is a link to it
  mkdir -p /run/sshd /var/lib/docker /etc/docker
  mount --bind "$h/docker" /var/lib/docker
  mount --bind "$h/etc-docker" /etc/docker
  mount --bind "$h/hosts" /etc/hosts
  if [ -f "$h/boot" ]; then sh -e "$h/boot"; fi
  dockerd -H unix:///var/run/docker.sock -H "tcp://$ip:2376" \
    --tlsverify --tlscacert "$dir/tls/ca.pem" --tlscert "$h/server.pem" --tlskey "$h/server-key.pem" \
    --storage-driver overlay2 --cgroup-parent "/$pre-$i" --exec-opt native.cgroupdriver=cgroupfs \
    --shutdown-timeout 10 --log-level warn &
  /usr/sbin/sshd -D -e -f "$h/sshd_config" &
  # it is killed with all it started; where one ends by itself, `await` shows the log
  wait -n
  say "dockerd or sshd of host $i ended"
}

await() { # I: until dockerd answers over tcp, and sshd listens
  local i=$1
  for _ in $(seq 300); do
    client "$i" version >/dev/null 2>&1 && return
    alive "$dir/h$i/init" >/dev/null || break
    sleep 0.1
  done
  say "host $i does not answer:"
  tail -n 20 "$dir/h$i/log" >&2
  return 1
}
client() { local i=$1; shift; docker --host "tcp://$(ip_of "$i"):2376" --tlsverify --tlscacert "$dir/tls/ca.pem" \
  --tlscert "$dir/tls/cert.pem" --tlskey "$dir/tls/key.pem" "$@"; }

off() { # I: then removes what outlives the processes, as a reboot would
  local i=$1 pid c
  # the network goes first: a killed host closes no connection
  ip -n "$pre-sw" link del "h$i" 2>/dev/null || true
  if pid=$(alive "$dir/h$i/init"); then
    kill -KILL "$pid"
    for _ in $(seq 300); do alive "$dir/h$i/init" >/dev/null || break; sleep 0.1; done
  fi
  rm -f "$dir/h$i/init"
  ip netns del "$pre-$i" 2>/dev/null || true
  for c in /sys/fs/cgroup/"$pre-$i" /sys/fs/cgroup/*/"$pre-$i"; do
    [ -d "$c" ] || continue
    for _ in $(seq 10); do find "$c" -depth -type d -exec rmdir {} + 2>/dev/null && break; sleep 0.1; done
  done
}

between() { # add|del I J: packets from one to the other, and back, end where they are routed
  ip -n "$pre-$2" route "$1" blackhole "$(ip_of "$3")"
  ip -n "$pre-$3" route "$1" blackhole "$(ip_of "$2")"
}

command() { # a line of the standard input
  case $1 in
    kill) off "$2" ;;
    start) boot "$2"; await "$2" ;;
    empty) alive "$dir/h$2/init" >/dev/null && return 1; rm -rf --one-file-system "$dir/h$2/docker" ;;
    run) nsenter --target "$(alive "$dir/h$2/init")" --mount --net --uts --ipc --pid "${@:3}" >&2 ;;
    cut) between add "$2" "$3" ;;
    join) between del "$2" "$3" ;;
    *) say "no such command: $1"; return 1 ;;
  esac
}

down() {
  local i
  for i in $(hosts); do off "$i" & done
  wait
  ip link del "$pre-root" 2>/dev/null || true
  ip netns del "$pre-sw" 2>/dev/null || true
  rm -rf --one-file-system "$dir"
  rm -f "$notes/$pre"
}

sweep() { # what others left whose process is gone
  local note
  for note in "$notes"/*; do
    [ -f "$note" ] && ! alive "$note" >/dev/null || continue
    (pre=$(basename "$note"); read -r _ _ dir <"$note"; down)
  done
}

if [ "${1:-}" = _init ]; then
  shift
  _init "$@"
  exit
fi
# an interrupt at the terminal is for the tests: they say when it is over
trap '' INT
mkdir -p "$notes"
sweep
trap down EXIT
echo "$$ $(started_at $$) $dir" >"$notes/$pre"
certs
switch_up
for i in $(seq "$1"); do install_host "$i"; boot "$i"; done
for i in $(seq "$1"); do await "$i"; done
echo ok
set +e
while read -r -a words; do
  (set -e; command "${words[@]}")
  [ $? = 0 ] && echo ok || echo failed
done
