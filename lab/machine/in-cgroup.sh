#!/bin/sh
# in-cgroup.sh CGROUP PROGRAM [ARG…]: becomes PROGRAM inside the cgroup2 directory CGROUP.
set -eu
echo $$ >"$1/cgroup.procs"
shift
exec "$@"
