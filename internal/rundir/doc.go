// Package rundir reads and writes run directories.
//
//	runs/<dataset>/<model>/<name>/        a run: one configuration, any number of seeds
//	    seed<S>/config.yaml               the resolved configuration
//	    seed<S>/metrics.jsonl             one line per epoch: terms of the loss, validation scores
//	    seed<S>/stage1.safetensors        the snapshot of a phase: parameters that figures need
//	    seed<S>/best.safetensors          the selected parameters
//	    seed<S>/state.safetensors         everything that resuming needs
//	    seed<S>/predictions.csv           test predictions at every missing rate
//	    seed<S>/events.out.tfevents.*     the journal for TensorBoard, if it was asked for
//	    seed<S>/running.lock              the process that trains the seed now
//	    seed<S>/log.txt                   the log of training, in a sweep
//	    summary.csv, summary.md           the scores of all seeds
//
// Every file but the journal is written under a temporary name and renamed.
//
//	dir.go      the directory of a seed, names of files, atomic writes
//	tensors.go  tensors in a file
//	run.go      a run and its seeds
//	journal.go  metrics.jsonl
//	lock.go     which process uses a directory
package rundir
