#!/usr/bin/env python3
"""Measures the training steps of recap and of PyTorch alternately, and writes a line of JSON for each measurement. table.py prints them as a table.

A comparison is a step, a precision and a formulation. For each comparison, the program starts the PyTorch processes of peer_step.py, called peers. Then, in
each of --rounds rounds, it runs recap's benchmark once and each mode of each peer once. On the processor a peer starts in each round and ends in it, so that
only one program is in memory; memory is then the largest resident memory. On a GPU, memory is measured with nvidia-smi. For recap it is the maximum
during the run minus the value before. For a peer it is the memory that the end of the process frees, minus PyTorch's reserved memory at that time, plus
PyTorch's reserved memory after the mode was ready.

usage: alternate.py --recap TEST_BINARY --out FILE [--rounds 3] [--seconds 400] [--only REGEXP] [--precision float32 --precision tf32]
                    [--benchtime 20x] [--steps 10] [--reps 3] [--device cpu] [--batch 64] [--modes eager,compile] [--openblas LIBRARY] [--quick]
  --recap      the test binary of package recap, for a GPU with -tags cuda
  --seconds    time limit; no comparison starts after it, and a running comparison ends soon after
  --only       runs only comparisons whose names match, such as "stage 2, same algebra, tf32"
  --device     cpu: measures on all cores, with --steps 1 --benchtime 2x
  --modes      eager, compile; on the processor also openblas and openblas+compile, which need --openblas
  --openblas   what openblas.c compiles to: replaces oneMKL, which does not use AVX-512 on AMD
  --quick      a test of this program: one round, and batches of 4
"""
import argparse, json, os, queue, re, subprocess, sys, threading, time

ap = argparse.ArgumentParser()
ap.add_argument("--recap", required=True)
ap.add_argument("--out", required=True)
ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("--seconds", type=float, default=400)
ap.add_argument("--only", default="")
ap.add_argument("--precision", action="append")
ap.add_argument("--benchtime")
ap.add_argument("--steps", type=int)
ap.add_argument("--reps", type=int, default=3)
ap.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
ap.add_argument("--batch", type=int, default=64)
ap.add_argument("--modes", default="eager,compile", help="the peers to start; on a GPU each is measured with and without CUDA graphs")
ap.add_argument("--openblas")
ap.add_argument("--quick", action="store_true")
A = ap.parse_args()
GPU, START = A.device == "cuda", time.monotonic()
A.benchtime, A.steps = A.benchtime or ("20x" if GPU else "2x"), A.steps or (10 if GPU else 1)
if A.quick:
    A.batch, A.rounds, A.reps, A.benchtime = 4, 1, 1, "1x"
if "openblas" in A.modes and not A.openblas:
    ap.error("--modes openblas needs --openblas")
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_step.py")

# Step, recap's benchmark, the peer's options, and its further options for the same algebra as in recap.
STEPS = [
    ("stage 1, one hidden layer", "Step/stage1/hidden=0$", ["--stage", "1", "--critic-layers", "0"], ["--same"]),
    ("stage 1, two hidden layers", "Step/stage1/hidden=1$", ["--stage", "1", "--critic-layers", "1"], ["--same"]),
    ("stage 2", "Step/stage2$", ["--stage", "2"], []),
    ("BERT-base", "BERT$", ["--stage", "bert"], []),
]
FORMULATIONS = {"same algebra": ["--trim", "--sdpa", "--factorised"], "plain": ["--both"]}


# Names of a peer's modes in the table: the plain step, and its CUDA graph.
NAMES = {"eager": {"eager": "eager", "graphs": "graphs"}, "compile": {"eager": "compile", "graphs": "compile+graphs"}}


def comparisons():
    """The comparisons, the most important first, since the time limit may end the list."""
    for formulation in FORMULATIONS:
        for precision in ["float32", "tf32"] if GPU else ["float32"]:
            for step, bench, flags, same in STEPS:
                if formulation == "plain" and step == "BERT-base":
                    continue  # BERT has only one formulation
                name = ", ".join([step, formulation, precision])
                if precision in (A.precision or ["float32", "tf32"]) and (re.search(A.only, name) if A.only else formulation != "plain" or precision == "float32"):
                    flags = flags + FORMULATIONS[formulation] + (same if formulation == "same algebra" else [])
                    yield {"step": step, "formulation": formulation, "precision": precision}, bench, flags


def used():
    """MiB of the GPU in use."""
    if not GPU:
        return 0
    return int(subprocess.check_output(["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], text=True))


def settled():
    """MiB in use after the driver has finished freeing memory."""
    value = used()
    for _ in range(10 if GPU else 0):
        time.sleep(0.2)
        value, before = used(), value
        if value == before:
            break
    return value


class Sampler:
    """Records the maximum of memory.used."""

    def __enter__(self):
        self.peak, self.process = 0, None
        if GPU:
            command = ["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-lms", "50"]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self.thread = threading.Thread(target=self.read)
            self.thread.start()
        return self

    def read(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.peak = max(self.peak, int(line))

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.thread.join()
            self.process.wait()


class Peer:
    """A PyTorch process that runs a mode on request."""

    def __init__(self, name, flags, log):
        command = [sys.executable, PEER, "--serve", "--fused", "--device", A.device, "--batch", str(A.batch), "--steps", str(A.steps), "--reps", str(A.reps), "--threads", str(threads())]
        self.name, self.lines, self.last = name, queue.Queue(), {}
        command += flags + (["--graphs"] if GPU else ["--strong", "--malloc"]) + (["--compile"] if "compile" in name else [])
        environment = dict(os.environ)
        environment.pop("OPENBLAS_L2_SIZE", None)
        if "openblas" in name:
            environment["LD_PRELOAD"] = os.path.abspath(A.openblas)
        print("peer:", " ".join(command[1:]), file=log, flush=True)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.lines.put(json.loads(line))
        self.lines.put(None)

    def answer(self, seconds):
        try:
            got = self.lines.get(timeout=max(1, seconds))
        except queue.Empty:
            raise RuntimeError(f"{self.name}: no answer in {seconds:.0f} s")
        if got is None:
            raise RuntimeError(f"{self.name}: ended with code {self.process.wait()}")
        return got

    def ask(self, mode, seconds):
        self.process.stdin.write(mode + "\n")
        self.process.stdin.flush()
        self.last = self.answer(seconds)
        return self.last

    def end(self):
        """Ends the process and returns the MiB that this freed."""
        before = settled()
        self.process.kill()
        self.process.wait()
        return before - settled()


def threads():
    return len(os.sched_getaffinity(0))


def recap(bench, precision, log, limit):
    """Runs recap's benchmark once."""
    device = A.device if not GPU else "cuda:0" + (",tf32" if precision == "tf32" else "")
    command = [A.recap, "-test.run", "xxx", "-test.bench", bench, "-test.benchtime", A.benchtime, "-test.timeout", "600s", "-batch", str(A.batch)]
    before = settled()
    with Sampler() as sampler:
        child = subprocess.Popen(command, env=dict(os.environ, RECAP_DEVICE=device), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        timer = threading.Timer(max(1, limit), child.kill)
        timer.start()
        output = child.stdout.read()
        status, usage = os.wait4(child.pid, 0)[1:]
        timer.cancel()
    log.write(f"recap: RECAP_DEVICE={device} {' '.join(command)}\n{output}")
    log.flush()
    found = re.search(r"^Benchmark\S+\s+\d+\s+([\d.]+) ns/op(.*)$", output, re.M)
    if status != 0 or not found:
        raise RuntimeError("recap: " + (output.strip().splitlines() or ["no output"])[-1][:300])
    result = {"ms": [float(found[1]) / 1e6], "memory_mib": sampler.peak - before if GPU else usage.ru_maxrss / 1024}
    for value, unit in re.findall(r"([\d.e+]+) (GF/\S+)", found[2]):
        result[unit] = float(value)
    return result


def left():
    return A.seconds - (time.monotonic() - START)


def compare(what, bench, flags, out, log):
    """Runs one comparison and returns the errors."""
    errors, peers, ready = [], {}, {}

    def write(program, **fields):
        out.write(json.dumps({**what, "program": program, **fields}) + "\n")
        out.flush()

    def failed(name, error):
        errors.append(f"{', '.join(what.values())}: {error}")
        write(name, error=str(error))

    def start(mode):
        peers[mode] = Peer(mode, flags + (["--tf32"] if what["precision"] == "tf32" else []), log)

    def finish(mode):
        """Ends a peer. On a GPU it writes the memory of its modes."""
        peer = peers.pop(mode)
        freed = peer.end()
        if GPU and peer.last:
            context = freed - peer.last["reserved_gib"] * 1024
            for part, name in NAMES[mode].items():
                if "reserved_gib" in ready[mode].get(part, {}):
                    write(name, memory_mib=ready[mode][part]["reserved_gib"] * 1024 + context, allocated_mib=ready[mode][part]["allocated_gib"] * 1024)

    def ask(mode):
        """Measures the modes of a peer and returns whether this succeeded."""
        for part in ("eager", "graphs") if GPU else ("eager",):
            if part in ready[mode] and "error" not in ready[mode][part]:
                try:
                    got = peers[mode].ask(part, 120 if GPU else 360)
                except (RuntimeError, OSError) as error:
                    failed(NAMES.get(mode, {}).get(part, mode), error)
                    return False
                memory = {} if GPU else {"memory_mib": got["rss_gib"] * 1024}
                write(NAMES[mode][part] if GPU else mode, ms=[s * 1e3 for s in got["seconds"]], **memory)
        return True

    def await_ready(mode):
        try:
            ready[mode] = peers[mode].answer(min(240 if GPU else 360, left()))
        except RuntimeError as error:
            failed(mode, error)
            peers.pop(mode).end()
            return
        for part in ("eager", "graphs"):
            if "error" in ready[mode].get(part, {}):
                failed(NAMES[mode][part], f"{NAMES[mode][part]}: {ready[mode][part]['error']}")

    try:
        modes = A.modes.split(",")
        if GPU:
            for mode in modes:  # start all at the same time, since starting takes long
                start(mode)
            for mode in modes:
                await_ready(mode)
        for _ in range(A.rounds):
            if left() < 0:
                break
            try:
                write("recap", **recap(bench, what["precision"], log, left() + 60))
            except RuntimeError as error:
                failed("recap", error)
                break
            for mode in list(peers) if GPU else list(modes):
                if not GPU:
                    start(mode)
                    await_ready(mode)
                if mode in peers and not ask(mode):
                    peers.pop(mode).end()
                if mode not in peers:
                    modes.remove(mode)
                elif not GPU:
                    finish(mode)
        for mode in list(peers):
            finish(mode)
    finally:
        for peer in peers.values():
            peer.end()
    return errors


def main():
    errors = []
    with open(A.out, "w") as out, open(os.path.splitext(A.out)[0] + ".log", "w") as log:
        for what, bench, flags in comparisons():
            name = ", ".join(what.values())
            if left() < 30:
                errors.append(f"{name}: not started: the time limit is reached")
                continue
            begin = time.monotonic()
            errors += compare(what, bench, flags, out, log)
            print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    for e in errors:
        print("FAILED", e)
    sys.exit(1 if errors else 0)


main()
