// Package sweep trains many units (runs.Unit), several at a time. Several machines that share
// the run directories can work on one sweep. Start with [Pool.Run].
//
// Each unit is trained in a process of its own, the worker process, which runs the same
// executable:
//
//   - A unit that panics, that the kernel kills for its memory use, or that a GPU driver brings
//     down is one failed unit. The sweep continues.
//   - Each worker process uses the number of cores in its GOMAXPROCS. A process has one pool of
//     goroutines for the parallel loops of its kernels (package parallel), and only one loop uses
//     it at a time. Two units in one process would wait for each other.
//   - The operating system gets the memory back when the process ends. Packed data files are
//     memory-mapped, so all processes share one copy of them.
//
// The cost is that each unit reads its data again. The results are bit-identical to those of
// "recap train", which does the same computations in the same order on any number of cores.
//
// The worker process holds the lock of its unit (package rundir), not the sweep that started
// it. So the lock is correct even after the sweep was killed. The standard input of a worker is a
// pipe from the sweep. When the pipe closes, because the sweep was interrupted or killed, the
// worker finishes the current epoch, saves its state, releases the lock and exits.
//
// # Reading order
//
// grid.go, shard.go, worker.go, queue.go, pool.go, tally.go.
package sweep
