// Package sweep trains many units (experiment.Unit), several at a time, here and on other machines
// that share the run directories.
//
// Each unit is trained by a process of its own, this program started again:
//
//   - a unit that panics, that the kernel kills for its memory, or that a GPU's driver takes down, is one failed unit and not the end of all;
//   - each has the cores that it is given, as GOMAXPROCS. A process has one pool of helpers for the loops of its kernels, which one loop at a time
//     uses while those beside it run on one core (package parallel): two units in one process would get in each other's way;
//   - its memory is the system's again when it ends; packed data are mapped, and so in memory once for all processes.
//
// The price is reading the data once a unit. The bits are those of recap train, which does the
// same work in the same order on any number of cores.
//
// The process that trains has the unit's lock (package experiment), not the sweep that started it,
// so that a lock says the truth even when the sweep was killed. Its standard input is a pipe from
// the sweep: when that closes, because the sweep was interrupted or is no more, it finishes the
// epoch under way, saves, releases the unit and ends.
//
// # Reading order
//
// shard.go, work.go, queue.go, pool.go.
package sweep
