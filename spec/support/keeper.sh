#!/bin/sh
# keeper.sh FOLDER: keeps the daemons of one test process and its folder, and ends both when the process is gone,
# however it went. Standard input is the process's end of a pipe. Each line is one of the commands below; end of file
# means that the process has closed it or has died, so everything is ended and FOLDER is removed.
#
#   spawn NAME PROGRAM [ARGUMENT...]   starts a daemon, in the foreground of a process group of its own
#   end NAME...                        ends daemons: SIGTERM, after 5 seconds SIGKILL to all that is left of the group
#
# In FOLDER, NAME.pid says that the daemon was started and not yet ended, NAME.out has what it wrote.
set -u
folder=$1
names=
trap '' HUP INT TERM PIPE
unset LD_PRELOAD
umask 022

spawn() {
  name=$1
  shift
  (trap - HUP INT TERM PIPE; exec setsid "$@") </dev/null >"$folder/$name.out" 2>&1 &
  echo $! >"$folder/$name.new" && mv "$folder/$name.new" "$folder/$name.pid"
  names="$name $names"
}

pid_of() {
  cat "$folder/$1.pid" 2>/dev/null
}

end() {
  for name; do
    kill -TERM "$(pid_of "$name")" 2>/dev/null
  done
  tries=500
  for name; do
    pid=$(pid_of "$name") || continue
    while kill -0 "$pid" 2>/dev/null && [ $tries -gt 0 ]; do
      tries=$((tries - 1))
      sleep 0.01
    done
    kill -KILL "-$pid" 2>/dev/null
    rm -f "$folder/$name.pid"
  done
}

while IFS= read -r line; do
  eval "$line"
done
# Unquoted: the names are words.
end $names
rm -rf "$folder"
