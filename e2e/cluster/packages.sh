#!/bin/sh
# Installs the Debian packages that the test clusters run on, if one is missing.
# At once when all are there.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
need() { # program or file, package
	case $1 in
	/*) [ -e "$1" ] && return ;;
	*) command -v "$1" >/dev/null && return ;;
	esac
	missing="$missing $2"
}
need etcd etcd-server
need containerd containerd
need runc runc
need /usr/lib/cni/bridge containernetworking-plugins
need iptables iptables
need conntrack conntrack
need ip iproute2
need socat socat
need mkfs.xfs xfsprogs
need mkfs.ext4 e2fsprogs
# Rivals of make bench-job.
need zstd zstd
need rsync rsync
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "The test clusters need these Debian packages:$missing" >&2
	echo "Install them as root: $install" >&2
	exit 1
fi

# The packages' own etcd and containerd are not to be started: ours run beside them.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
$install || { apt-get update && $install; }
