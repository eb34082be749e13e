// Package rundir reads and writes run directories.
//
//	runs/<dataset>/<model>/<name>/        a run: one configuration, any number of seeds
//	    seed<S>/config.yaml               the resolved configuration
//	    seed<S>/metrics.jsonl             one line per epoch: terms of the loss, validation scores
//	    seed<S>/stage1.safetensors        the snapshot of a phase: parameters that figures need
//	    seed<S>/best.safetensors          the selected parameters
//	    seed<S>/stage2-start.safetensors  the parameters that a phase does not change
//	    seed<S>/state.safetensors         what the phase changes, after its last whole epoch
//	    seed<S>/predictions.csv           test predictions at every missing rate
//	    seed<S>/events.out.tfevents.*     the journal for TensorBoard, if it was asked for
//	    seed<S>/running.lock              the process that trains the seed now
//	    seed<S>/log.txt                   the log of training, in a sweep
//	    summary.csv, summary.md           the scores of all seeds
//	    seeds.txt                         the seeds, while their directories are created
//
// Every file but the journal is written under a temporary name, put on the disk and renamed. Files
// of tensors have checksums.
//
//	file.go     names of files, atomic writes
//	tensors.go  files of tensors with checksums
//	dir.go      the directory of a seed
//	seeds.go    creating the seeds of a run
//	choose.go   the directory of a new run
//	run.go      a run and its seeds
//	journal.go  metrics.jsonl
//	holder.go   which process uses a directory; lock_linux.go and lock_other.go: whether it runs
//	lock.go     the lock of a directory
//	space.go    free disk space
package rundir
