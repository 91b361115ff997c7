#!/bin/sh
# tally.sh: adds up what several test programs passed and failed, in a file of lines "passed failed".
#
#   tally.sh run FILE COMMAND [ARGUMENT...]   runs a test program, which finds FILE's path in SMTPSEC_TALLY and may
#                                             append its counts; one that does not counts as one test
#   tally.sh sum FILE                         prints "N passed, N failed"; fails if any failed or nothing was run
#
# A program that fails, or crashes, without having counted a failure has failed one test. `run` always succeeds, so
# that the programs behind it are run too; `sum` tells.
set -u
action=${1-} file=${2-}
[ $# -lt 2 ] || shift 2

failures() {
  awk '{ failed += $2 } END { print failed + 0 }' "$file"
}

case $action in
run)
  touch "$file"
  lines=$(wc -l <"$file") before=$(failures)
  SMTPSEC_TALLY=$file "$@"
  status=$?
  if [ $status -ne 0 ] && [ "$(failures)" -eq "$before" ]; then
    echo "$*: exit status $status" >&2
    echo "0 1" >>"$file"
  elif [ "$(wc -l <"$file")" -eq "$lines" ]; then
    echo "1 0" >>"$file"
  fi
  ;;
sum)
  [ -e "$file" ] || : >"$file"
  awk '{ passed += $1; failed += $2 }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }' "$file"
  ;;
*)
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
