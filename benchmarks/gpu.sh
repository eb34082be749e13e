#!/usr/bin/env bash
# Tests and measures the CUDA backend on a machine that has a GPU and PyTorch, but neither Go nor a
# network:
#
#   benchmarks/gpu.sh build DIR    on a machine with Go: writes the programs, their files and this
#                                  script to DIR
#   DIR/gpu.sh run DIR [OUT]       on the machine with the GPU: runs them, prints a table, and writes
#                                  all output to OUT (default DIR/out)
#
# Variables of "run":
#
#   PARTS            the parts to run; default "doctor tests sanitizer bench". Run bench separately.
#   SECONDS_IN_ALL   time limit in seconds for all parts; default 570. Each part has its own limit too.
#   BENCH            options of alternate.py, for example '--only stage.2 --rounds 5'
#   KERNELS          options of the benchmark of the kernels
#
# If a part fails, the others still run. The script lists the failures at the end and exits with
# code 1. Without a GPU the tests run on the emulator, which needs gcc.
set -uo pipefail

# Packages whose tests run; build writes the list of those that have tests to DIR/packages.
patterns=(./internal/cuda ./autograd ./nn/... ./optim ./recap ./internal/train ./internal/runs)

# build DIR
build() {
  local dir file packages
  mkdir -p "$1" && dir=$(cd "$1" && pwd) || return 1
  cd "$(dirname "${BASH_SOURCE[0]}")/.." || return 1
  mapfile -t packages < <(go list -tags cuda -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "${patterns[@]}" | sed "s|^$PWD/||")
  printf '%s\n' "${packages[@]}" >"$dir/packages"
  for file in "${packages[@]}"; do
    mkdir -p "$dir/$file" || return 1
    CGO_ENABLED=1 go test -c -tags cuda -ldflags='-s -w' -o "$dir/$file/test" "./$file" || return 1
    gzip -9 -f "$dir/$file/test" || return 1
  done
  CGO_ENABLED=1 go build -tags cuda -ldflags='-s -w' -o "$dir/recap/recap" ./cmd/recap && gzip -9 -f "$dir/recap/recap" || return 1
  find autograd nn optim -type d -name testdata | while read -r file; do
    rm -rf "${dir:?}/$file" && mkdir -p "$dir/${file%/*}" && cp -R "$file" "$dir/$file" || return 1
  done || return 1
  cp benchmarks/{gpu.sh,peer_step.py,alternate.py,table.py} "$dir" || return 1
  (cd "$dir" && find . -name '*.gz' -exec du -h --apparent-size {} + && du -sh --apparent-size .)
}

failures=()

# try LOG LIMIT NAME COMMAND...: runs the command for at most LIMIT seconds and within the limit
# for all parts, and appends its output to LOG.
try() {
  local log=$1 limit=$2 name=$3 begin=$SECONDS code=0 left=$((SECONDS_IN_ALL - SECONDS)) from
  shift 3
  if [ "$left" -lt 5 ]; then
    echo "FAILED   $name: not started: the time limit is reached"
    failures+=("$name: not started")
    return 1
  fi
  [ "$limit" -le "$left" ] || limit=$left
  touch "$log"
  printf '\n== %s: %s\n' "$name" "$*" >>"$log"
  from=$(wc -l <"$log")
  timeout --kill-after=5 "$limit" "$@" >>"$log" 2>&1 || code=$?
  if [ "$code" = 0 ]; then
    echo "ok       $name ($((SECONDS - begin)) s)"
    return 0
  fi
  [ "$code" != 124 ] && [ "$code" != 137 ] || code="$code, at the limit of $limit s"
  echo "FAILED   $name ($((SECONDS - begin)) s), code $code; the end of its output:"
  tail -n "+$((from + 1))" "$log" | grep -v -e '^=== ' -e '^ *--- PASS' | tail -n 15 | cut -c -300 | sed 's/^/    /'
  failures+=("$name: code $code")
  return 1
}

# library_folders prints the folders of cuBLAS and NVRTC, separated by colons. It prefers those
# that PyTorch uses to those in other Python packages and in CUDA's own folders.
library_folders() {
  python3 - <<'EOF'
import glob, os, site, sys
roots = [p for p in sys.path + site.getsitepackages() + [site.getusersitepackages()] if p]
folders = [f for r in roots for f in sorted(glob.glob(r + "/nvidia/*/lib"), reverse=True) + [r + "/torch/lib"]]
folders += sorted(glob.glob("/usr/local/cuda*/lib64"), reverse=True) + sorted(glob.glob("/usr/local/cuda*/targets/*/lib"), reverse=True)
found = []
for name in ("libcublas.so.*", "libnvrtc.so.*"):
    here = next((f for f in folders if glob.glob(os.path.join(f, name))), None)
    if here is None:
        print("no folder with", name, "among Python's packages", file=sys.stderr)
    elif here not in found:
        found.append(here)
print(":".join(found))
EOF
}

# doctor prints what the machine has, and whether the device opens.
doctor() {
  local log=$out/doctor.log
  if command -v nvidia-smi >/dev/null; then
    try "$log" 30 nvidia-smi nvidia-smi
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem --format=csv,noheader
  fi
  echo "RECAP_CUDA=${RECAP_CUDA:-}"
  try "$log" 60 'recap doctor' "$dir/recap/recap" doctor && tail -n 20 "$log"
  # The first run compiles the kernels. If a library does not find the libraries in its own folder,
  # the second run sets LD_LIBRARY_PATH, and the name of the step shows it.
  if ! try "$log" 120 'device opens' env -C "$dir/internal/cuda" ./test -test.run '^TestDevice$/^Buffers$' && [ -n "${RECAP_CUDA:-}" ]; then
    export LD_LIBRARY_PATH=$RECAP_CUDA:${LD_LIBRARY_PATH:-}
    try "$log" 120 "device opens, with LD_LIBRARY_PATH=$LD_LIBRARY_PATH" env -C "$dir/internal/cuda" ./test -test.run '^TestDevice$/^Buffers$'
  fi
}

tests() {
  local p short
  for p in "${packages[@]}"; do
    short=(-test.short)
    [ "$p" != internal/cuda ] || short=()
    try "$out/tests.log" 150 "tests of $p" env -C "$dir/$p" ./test -test.v -test.timeout 145s "${short[@]}"
  done
}

sanitizer() {
  local tool
  for tool in "$(command -v compute-sanitizer)" /usr/local/cuda*/bin/compute-sanitizer /opt/nvidia/*/compute-sanitizer ""; do
    [ ! -x "$tool" ] || break
  done
  if [ -z "$tool" ]; then
    echo "skipped  sanitizer: compute-sanitizer is not installed"
    return
  fi
  try "$out/sanitizer.log" "${MEMCHECK_SECONDS:-150}" memcheck env -C "$dir/internal/cuda" "$tool" --tool memcheck --error-exitcode 9 --print-limit 20 ./test -test.v -test.run '^TestDevice$'
  try "$out/sanitizer.log" "${RACECHECK_SECONDS:-120}" racecheck env -C "$dir/internal/cuda" "$tool" --tool racecheck --error-exitcode 9 --print-limit 20 ./test -test.v \
    -test.run '^TestDevice$/^(ScatterAdd|Reduce|ReduceSpecial|Dot|Softmax|SoftmaxSpecial|LayerNorm|CausalConv|SelectiveScan|PairScores|Attention)$'
}

bench() {
  local kernels=$out/kernels.log left options
  rm -f "$kernels" "$out"/steps.*
  # shellcheck disable=SC2086 # BENCH and KERNELS are lists of options
  try "$kernels" 150 'benchmark of kernels' env -C "$dir/internal/cuda" ./test -test.run xxx -test.bench Kernels ${KERNELS:--test.benchtime 10x -test.count 3}
  left=$((SECONDS_IN_ALL - SECONDS - 45)) # 45 s to finish the last comparison and to print the table
  options=${BENCH:-}
  # shellcheck disable=SC2086
  try "$out/bench.log" "$((left + 40))" 'benchmark of steps' python3 -u "$dir/alternate.py" --recap "$dir/recap/test" --out "$out/steps.json" --seconds "$left" $options
  touch "$out/steps.json" "$kernels"
  python3 "$dir/table.py" "$out/steps.json" "$kernels" >"$out/table.md" || failures+=("table")
  cat "$out/table.md"
}

# run DIR [OUT]
run() {
  local file part
  dir=$(cd "$1" && pwd) || return 1
  out=${2:-$dir/out}
  mkdir -p "$out" && out=$(cd "$out" && pwd) || return 1
  mapfile -t packages <"$dir/packages"
  SECONDS=0
  SECONDS_IN_ALL=${SECONDS_IN_ALL:-570}
  for file in "${packages[@]/%//test}" recap/recap; do
    [ ! -e "$dir/$file.gz" ] || { gunzip -c "$dir/$file.gz" >"$dir/$file" && chmod +x "$dir/$file"; } || return 1
  done
  if [ -z "${RECAP_CUDA:-}" ]; then
    RECAP_CUDA=$(library_folders)
    export RECAP_CUDA
  fi
  for part in ${PARTS:-doctor tests sanitizer bench}; do
    case $part in
    doctor | tests | sanitizer | bench) printf '\n== %s\n' "$part" && "$part" ;;
    *) failures+=("$part: no such part") ;;
    esac
  done
  printf '\n%s s in all; output in %s\n' "$SECONDS" "$out"
  [ "${#failures[@]}" = 0 ] && return 0
  printf 'FAILED   %s\n' "${failures[@]}"
  return 1
}

case "${1:-} $#" in
"build 2") build "$2" ;;
"run 2" | "run 3") run "${@:2}" ;;
*)
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
