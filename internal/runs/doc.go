// Package runs is what the commands call: train, resume, ablate, evaluate, predict, sweep, search.
//
//	run.go        Runner: train, resume, ablate
//	unit.go       one seed of one configuration, which a sweep hands out
//	evaluate.go   a trained run on other rates, data or devices; predictions for new utterances
//	tune.go       a random search over settings
//	gradcheck.go  the gradient of a model's whole loss against central differences
package runs
