// Package experiment trains, evaluates and compares models: it turns a configuration into a run
// directory.
//
//	runs/<dataset>/<model>/<name>/        a run: one configuration, any number of seeds
//	    seed<S>/config.yaml               the configuration, resolved
//	    seed<S>/metrics.jsonl             a line an epoch: terms of the loss, validation
//	    seed<S>/stage1.safetensors        what stage 1 learned and stage 2 changes or does not need, for pictures
//	    seed<S>/best.safetensors          the selected parameters
//	    seed<S>/state.safetensors         all that resuming needs
//	    seed<S>/predictions.csv           test predictions at every missing rate
//	    seed<S>/events.out.tfevents.*     what metrics.jsonl says, for TensorBoard, where it was asked for
//	    seed<S>/running.lock              who trains it, while somebody does
//	    seed<S>/log.txt                   what training said, in a sweep
//	    summary.csv, summary.md           the scores of all seeds
//
// There is one training loop. Models differ by their phases and terms (package zoo), never by a
// loop of their own.
//
// A run is a function of its configuration and seed alone: every random number is drawn from a
// generator made for the place where it is needed, a (phase, epoch, purpose), so nothing but
// parameters, moments, what a phase remembers of its utterances and a position has to be saved,
// and a run that was killed at any moment ends with the same bits as one that was not.
//
// # Reading order
//
// config.go, document.go, resolve.go, data.go, learner.go, feed.go, train.go, ledger.go,
// selection.go, state.go, evaluate.go, rundir.go, journal.go, summary.go, run.go, gradcheck.go;
// for sweeps and searches lock.go, unit.go, tune.go; for tables of all runs collect.go,
// settings.go, compare.go, published.go, mmsa.go; for pictures pictures.go, confusion.go,
// losses.go, subspaces.go; for pages and TensorBoard progress.go, explore.go, transcript.go,
// events.go.
package experiment
