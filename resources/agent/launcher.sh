#!/bin/sh
# Keeps the supervisor of the Holdfast agent running, in the version that /opt/holdfast/current names.
# Goes back to /opt/holdfast/previous by itself when a new version does not come up (see agent/supervisor/versions.ts).
# Modules are processes of their own: they go on whatever happens here.
set -u
root=${HOLDFAST_ROOT:-}
opt=$root/opt/holdfast
run=$root/run/holdfast
logs=$root/var/log/holdfast
if [ -r "$root/etc/default/holdfast-agent" ]; then
  set -a
  . "$root/etc/default/holdfast-agent"
  set +a
fi
# glibc's default, eight arenas a core, is most of what a small Node costs beside its heap; see mallopt(3).
export MALLOC_ARENA_MAX=2
umask 027
mkdir -p "$run" "$logs"
chmod 700 "$run"

# One life of a process as {pid, startTicks}, the form that agent/runtime/process.ts reads.
identity() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  pid=$1
  # The name in parentheses may hold anything; field 22 (start time, proc(5)) is the 20th after it.
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [ "$1" != Z ] && printf '{"pid":%s,"startTicks":"%s"}' "$pid" "${20}"
}

other=$(cat "$run/launcher.pid" 2>/dev/null)
other_pid=$(printf '%s' "$other" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
if [ -n "$other_pid" ] && [ "$other_pid" != $$ ] && [ "$(identity "$other_pid")" = "$other" ]; then
  echo "The launcher of the Holdfast agent runs already (process $other_pid)." >&2
  exit 0
fi
identity $$ >"$run/launcher.pid"

child=
stop() {
  trap '' TERM INT
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null
    wait "$child"
  fi
  rm -f "$run/launcher.pid"
  exit 0
}
trap stop TERM INT

fall_back() {
  mv "$opt/pending" "$opt/failed"
  previous=$(readlink "$opt/previous") || return
  ln -s "$previous" "$opt/current.new"
  mv -T "$opt/current.new" "$opt/current"
}

while :; do
  if [ "$(stat -c %s "$logs/supervisor.log" 2>/dev/null || echo 0)" -gt 4194304 ]; then
    mv "$logs/supervisor.log" "$logs/supervisor.log.1"
  fi
  "$opt/current/bin/node" --max-old-space-size=256 --initial-old-space-size=16 --max-semi-space-size=1 \
    --optimize-for-size --v8-pool-size=1 "$opt/current/supervisor.mjs" run </dev/null >>"$logs/supervisor.log" 2>&1 &
  child=$!

  # A new version takes the mark away when it is up; it has ten seconds.
  tries=0
  while [ -e "$opt/pending" ] && [ "$tries" -lt 50 ] && identity "$child" >/dev/null; do
    sleep 0.2
    tries=$((tries + 1))
  done
  if [ -e "$opt/pending" ]; then
    kill -KILL "$child" 2>/dev/null
    wait "$child"
    child=
    fall_back
    continue
  fi

  wait "$child"
  status=$?
  child=
  # 75: it asks to be started again at once, in another version.
  [ "$status" -eq 75 ] || sleep 1
done
