#!/bin/sh
# run.sh NAME SECONDS PROGRAM CORPUS: runs one fuzzer in the current directory; says in one line what it did, or all of it
# when it found something.
name=$1 seconds=$2 program=$3 corpus=$4
mkdir -p "found/$name"
if "$program" -max_total_time="$seconds" -max_len=20000 -timeout=10 -print_final_stats=1 \
  -artifact_prefix="found/$name-" "found/$name" "$corpus" >"$name.log" 2>&1; then
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$name.log")
  echo "$name: $runs inputs in $seconds s, nothing found"
else
  tail -n 80 "$name.log"
  echo "$name: found something; the input is in $PWD/found"
  exit 1
fi
