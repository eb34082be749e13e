#!/usr/bin/env python3
"""Measures recap's training steps and PyTorch's in turns, and writes a line of JSON for each measurement; table.py makes the table of them.

For each comparison (a step, a precision, a formulation) the peers of peer_step.py are started and stay, and then, --rounds times over, recap's benchmark runs
once and each peer's modes run once. Memory is what the GPU's nvidia-smi reports: of recap the highest value during its run less the one before it; of a
peer what its end gives back, less what PyTorch then holds, plus what it held after the mode at hand was ready.

usage: alternate.py --recap TEST_BINARY --out FILE [--rounds 3] [--seconds 400] [--only REGEXP] [--precision float32 --precision tf32]
                    [--benchtime 20x] [--steps 10] [--reps 3] [--device cpu] [--batch 64] [--modes eager,compile]
  --recap      the test binary of package recap, with -tags cuda
  --seconds    no comparison is begun after that time, and none goes on much longer
  --only       comparisons whose names, such as "stage 2, same algebra, tf32", match
  --device     cpu tries the program without a GPU, at most with --modes eager
"""
import argparse, json, os, queue, re, subprocess, sys, threading, time

ap = argparse.ArgumentParser()
ap.add_argument("--recap", required=True)
ap.add_argument("--out", required=True)
ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("--seconds", type=float, default=400)
ap.add_argument("--only", default="")
ap.add_argument("--precision", action="append")
ap.add_argument("--benchtime", default="20x")
ap.add_argument("--steps", type=int, default=10)
ap.add_argument("--reps", type=int, default=3)
ap.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
ap.add_argument("--batch", type=int, default=64)
ap.add_argument("--modes", default="eager,compile", help="the peers that are started; on a GPU each is measured with and without graphs")
A = ap.parse_args()
GPU, START = A.device == "cuda", time.monotonic()
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_step.py")

# step, recap's benchmark, the peer's flags, and its flags for the same algebra as recap's
STEPS = [
    ("stage 1, one hidden layer", "Step/stage1/hidden=0$", ["--stage", "1", "--critic-layers", "0"], ["--same"]),
    ("stage 1, two hidden layers", "Step/stage1/hidden=1$", ["--stage", "1", "--critic-layers", "1"], ["--same"]),
    ("stage 2", "Step/stage2$", ["--stage", "2"], []),
    ("BERT-base", "BERT$", ["--stage", "bert"], []),
]
FORMULATIONS = {"same algebra": ["--trim", "--sdpa", "--factorised"], "plain": ["--both"]}


# What a peer's modes are called in the table: the step as it is, and its graph.
NAMES = {"eager": {"eager": "eager", "graphs": "graphs"}, "compile": {"eager": "compile", "graphs": "compile+graphs"}}


def comparisons():
    """What is asked for most first: time may run out."""
    for formulation, precisions in (("same algebra", ["float32", "tf32"]), ("plain", ["float32", "tf32"])):
        for precision in precisions:
            for step, bench, flags, same in STEPS:
                if formulation == "plain" and step == "BERT-base":
                    continue  # there is one formulation of it
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
    """MiB in use once the driver is done with giving back."""
    value = used()
    for _ in range(10 if GPU else 0):
        time.sleep(0.2)
        value, before = used(), value
        if value == before:
            break
    return value


class Sampler:
    """The highest memory.used while it runs."""

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
    """A peer that waits for orders."""

    def __init__(self, name, flags, log):
        command = [sys.executable, PEER, "--serve", "--fused", "--device", A.device, "--batch", str(A.batch), "--steps", str(A.steps), "--reps", str(A.reps), "--threads", str(threads())]
        self.name, self.lines, self.last = name, queue.Queue(), {}
        command += flags + (["--graphs"] if GPU else [])
        print("peer:", " ".join(command[1:]), file=log, flush=True)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
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
        """Ends the process and returns the MiB that this gave back."""
        before = settled()
        self.process.kill()
        self.process.wait()
        return before - settled()


def threads():
    return len(os.sched_getaffinity(0))


def recap(bench, precision, log, limit):
    """One run of recap's benchmark."""
    device = A.device if not GPU else "cuda:0" + (",tf32" if precision == "tf32" else "")
    command = [A.recap, "-test.run", "xxx", "-test.bench", bench, "-test.benchtime", A.benchtime, "-test.timeout", "600s"]
    before = settled()
    with Sampler() as sampler:
        done = subprocess.run(command, env=dict(os.environ, RECAP_DEVICE=device), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=max(1, limit))
    log.write(f"recap: RECAP_DEVICE={device} {' '.join(command)}\n{done.stdout}")
    log.flush()
    found = re.search(r"^Benchmark\S+\s+\d+\s+([\d.]+) ns/op(.*)$", done.stdout, re.M)
    if done.returncode != 0 or not found:
        raise RuntimeError("recap: " + (done.stdout.strip().splitlines() or ["no output"])[-1][:300])
    result = {"ms": [float(found[1]) / 1e6], "memory_mib": sampler.peak - before if GPU else None}
    for value, unit in re.findall(r"([\d.e+]+) (GF/\S+)", found[2]):
        result[unit] = float(value)
    return result


def left():
    return A.seconds - (time.monotonic() - START)


def compare(what, bench, flags, out, log):
    """One comparison. Returns what went wrong."""
    wrong, peers, ready = [], {}, {}

    def write(program, **fields):
        out.write(json.dumps({**what, "program": program, **fields}) + "\n")
        out.flush()

    def failed(name, error):
        wrong.append(f"{', '.join(what.values())}: {error}")
        write(name, error=str(error))

    try:
        tf32 = ["--tf32"] if what["precision"] == "tf32" and GPU else []
        for mode in A.modes.split(","):  # at the same time, for they take long to start
            peers[mode] = Peer(mode, flags + tf32 + (["--compile"] if mode == "compile" else []), log)
        for mode, peer in list(peers.items()):
            try:
                ready[mode] = peer.answer(min(240, left()))
                for part in ("eager", "graphs"):
                    if "error" in ready[mode].get(part, {}):
                        failed(NAMES[mode][part], f"{NAMES[mode][part]}: {ready[mode][part]['error']}")
            except RuntimeError as error:
                failed(mode, error)
                peer.end()
                del peers[mode]
        for _ in range(A.rounds):
            if left() < 0:
                break
            try:
                write("recap", **recap(bench, what["precision"], log, left() + 60))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                failed("recap", error)
                break
            for mode, peer in list(peers.items()):
                for part in ("eager", "graphs"):
                    if part in ready[mode] and "error" not in ready[mode][part]:
                        try:
                            write(NAMES[mode][part], ms=[s * 1e3 for s in peer.ask(part, 120)["seconds"]])
                        except (RuntimeError, OSError) as error:
                            failed(NAMES[mode][part], error)
                            peers.pop(mode).end()
                            break
        for mode in list(peers):
            peer = peers.pop(mode)
            freed = peer.end()
            if GPU and peer.last:
                context = freed - peer.last["reserved_gib"] * 1024
                for part, name in NAMES[mode].items():
                    if "reserved_gib" in ready[mode].get(part, {}):
                        write(name, memory_mib=ready[mode][part]["reserved_gib"] * 1024 + context, allocated_mib=ready[mode][part]["allocated_gib"] * 1024)
    finally:
        for peer in peers.values():
            peer.end()
    return wrong


def main():
    wrong = []
    with open(A.out, "w") as out, open(os.path.splitext(A.out)[0] + ".log", "w") as log:
        for what, bench, flags in comparisons():
            name = ", ".join(what.values())
            if left() < 30:
                wrong.append(f"{name}: not begun, the time is used up")
                continue
            begin = time.monotonic()
            wrong += compare(what, bench, flags, out, log)
            print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    for w in wrong:
        print("FAILED", w)
    sys.exit(1 if wrong else 0)


main()
