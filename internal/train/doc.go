// Package train holds the one training loop. Models differ by their phases and terms (package
// zoo), never by a loop of their own; this package does not know which model it trains.
//
// A run is a function of its configuration and seed: each use of random numbers has a generator of
// its own, seeded by phase, epoch and purpose. Therefore the saved state has no generators, only
// the parameters, the buffers, the optimisers' moments, a phase's memory and the position (phase,
// epoch). A run that was killed at any time and resumed gives the same bits as an uninterrupted
// one.
//
//	data.go       the data set of a configuration
//	batcher.go    the batches of an epoch, on the device
//	learner.go    a model with its parameters
//	train.go      phases and epochs
//	pass.go       the steps of an epoch
//	termlog.go    the values of the loss terms, read every few steps
//	validate.go   validation, selection, early stopping
//	predictor.go  a trained model applied to a split
//	progress.go   how far a seed is, and how long the rest takes
//	state.go      saving and resuming
//	events.go     TensorBoard's event files
package train
