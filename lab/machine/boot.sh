#!/bin/sh
# boot.sh DIR BASE [NAME=MAJOR:MINOR…]: first process of a lab machine, run by unshare as process 1 of new namespaces.
# Builds the machine's file system, then becomes tini, which runs the machine's own /etc/lab/init.
# DIR   the machine's directory: its system disk (root, usr) lies there and outlives this boot
# BASE  the base layer (see lab/base.ts)
# NAME=MAJOR:MINOR  block devices to show as /dev/NAME
# Talks to the lab: says "pid N" (seen from outside) on stdout, then waits for a line on stdin: its NICs are plugged in.
set -eu
dir=$1 base=$2
shift 2

# /proc is still the outer one here: it shows this process under the number that the outside knows.
read -r pid rest </proc/self/stat
echo "pid $pid"

root=$dir/mnt
mount -t overlay lab -o "lowerdir=$base/root,upperdir=$dir/root/upper,workdir=$dir/root/work" "$root"
mount -t overlay lab -o "lowerdir=$base/usr:/usr,upperdir=$dir/usr/upper,workdir=$dir/usr/work" "$root/usr"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf "$root/sys/fs/bpf"
mount -t tmpfs -o nosuid,nodev,mode=755 run "$root/run"
mount -t tmpfs -o nosuid,mode=755 dev "$root/dev"

cd "$root/dev"
mkdir pts shm net
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm shm
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
ln -s fd/0 stdin
ln -s fd/1 stdout
ln -s fd/2 stderr
umask 0
mknod -m 666 null c 1 3
mknod -m 666 zero c 1 5
mknod -m 666 full c 1 7
mknod -m 666 random c 1 8
mknod -m 666 urandom c 1 9
mknod -m 666 tty c 5 0
mknod -m 666 net/tun c 10 200
if [ -e /dev/fuse ]; then mknod -m 666 fuse c 10 229; fi
if [ -e /dev/kvm ]; then mknod -m 660 kvm c 10 232; fi
umask 022

# Only this machine's disks appear among the block devices, under their own names.
mount -t tmpfs -o nosuid,nodev,noexec,mode=755 block "$root/sys/block"
for disk; do
  name=${disk%%=*} number=${disk#*=}
  mknod -m 660 "$name" b "${number%:*}" "${number#*:}"
  ln -s "../devices/virtual/block/$(basename "$(readlink "/sys/dev/block/$number")")" "$root/sys/block/$name"
done

cd "$root"
mkdir -p run/lock run/sshd
pivot_root . mnt
cd /
umount -l /mnt

read -r go
exec /usr/bin/tini -- /bin/sh /etc/lab/init </dev/null >&2
