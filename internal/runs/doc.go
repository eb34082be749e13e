// Package runs has the operations of the commands: train, resume, ablate, evaluate, predict,
// sweep, search for settings, check gradients.
//
//	run.go        Runner: train, resume, ablate
//	equal.go      as much training for the variant without stage 1 as for the full model
//	baseline.go   the constant predictor in the tables of all runs
//	move.go       a new path for the data of a run
//	unit.go       the units of a sweep: one seed of one configuration each
//	evaluate.go   a trained run at other missing rates, on other data or on another device
//	predict.go    predictions for new utterances
//	tune.go       a random search over settings
//	trials.go     the scores of its trials, as a file and as a table
//	gradcheck.go  the gradient of a model's loss against central differences
package runs
