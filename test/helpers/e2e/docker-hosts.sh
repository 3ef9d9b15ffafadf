#!/usr/bin/env bash
# Several Docker hosts on one machine, for tests: each has its own network, mount, PID and UTS namespace, so that
# dockerd and sshd find their default paths (/var/run/docker.sock, /var/lib/docker, port 22) and a killed "host" takes
# every process of it along. Needs root, iproute2, util-linux, docker.io, iptables, openssl; openssh-server for ssh://.
#
#   docker-hosts.sh N
#
# Starts N of them, prints a line when all answer, and ends all of them when its standard input ends: so they do not outlive
# whoever started them, however that ends.
#
# HOSTS_DIR: where their data, certificates and keys go. HOSTS_NET: host I is $HOSTS_NET.$((10+I)), this machine
# $HOSTS_NET.1. HOSTS_PREFIX: of namespaces, interfaces and cgroups, 10 characters at most.
set -euo pipefail
dir=${HOSTS_DIR:?}
net=${HOSTS_NET:?}
pre=${HOSTS_PREFIX:?}
self=$(readlink -f "$0")

ip_of() { echo "$net.$((10 + $1))"; }
say() { echo "$*" >&2; }
hosts() { local f; for f in "$dir"/h*/; do [ -d "$f" ] && basename "$f" | tr -d h; done 2>/dev/null || true; }
# The PID namespace's init, seen from outside: only believed while it is a process that we started, by its start time.
started_at() { awk '{sub(/.*\) /,""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }
init_pid() {
  local pid at
  read -r pid at 2>/dev/null <"$dir/h$1/init" || return 1
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

start() { # I: creates the namespace and starts its init in the background; `await` waits for it
  local i=$1 h="$dir/h$1" ip; ip=$(ip_of "$1")
  mkdir -p "$h/etc-docker" "$h/ssh" "$h/docker"
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
  ip netns add "$pre-$i"
  ip -n "$pre-$i" link set lo up
  ip link add eth0 netns "$pre-$i" type veth peer name "h$i" netns "$pre-sw"
  ip -n "$pre-sw" link set "h$i" master br0 up
  ip -n "$pre-$i" addr add "$ip/24" dev eth0
  ip -n "$pre-$i" link set eth0 up
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
  local i=$1 n
  for n in $(seq 300); do
    client "$i" version >/dev/null 2>&1 && return
    init_pid "$i" >/dev/null || break
    sleep 0.1
  done
  say "host $i does not answer:"
  tail -n 20 "$dir/h$i/log" >&2
  return 1
}
client() { local i=$1; shift; docker --host "tcp://$(ip_of "$i"):2376" --tlsverify --tlscacert "$dir/tls/ca.pem" \
  --tlscert "$dir/tls/cert.pem" --tlskey "$dir/tls/key.pem" "$@"; }

end() { # I: then removes what outlives the processes, as a reboot would
  local i=$1 pid n c
  if pid=$(init_pid "$i"); then
    kill -KILL "$pid"
    for n in $(seq 300); do init_pid "$i" >/dev/null || break; sleep 0.1; done
  fi
  ip -n "$pre-sw" link del "h$i" 2>/dev/null || true
  ip netns del "$pre-$i" 2>/dev/null || true
  for c in /sys/fs/cgroup/"$pre-$i" /sys/fs/cgroup/*/"$pre-$i"; do
    [ -d "$c" ] || continue
    for n in $(seq 10); do find "$c" -depth -type d -exec rmdir {} + 2>/dev/null && break; sleep 0.1; done
  done
}

down() {
  for i in $(hosts); do end "$i" & done
  wait
  ip link del "$pre-root" 2>/dev/null || true
  ip netns del "$pre-sw" 2>/dev/null || true
  rm -rf --one-file-system "$dir"
}

if [ "${1:-}" = _init ]; then
  shift
  _init "$@"
  exit
fi
# an interrupt at the terminal is for the tests: they say when it is over
trap '' INT
trap down EXIT
certs
switch_up
for i in $(seq "$1"); do start "$i"; done
for i in $(seq "$1"); do await "$i"; done
echo ready
cat >/dev/null
