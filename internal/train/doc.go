// Package train holds the one training loop. Models differ by their phases and terms (package zoo),
// never by a loop of their own; this package does not know which model it trains.
//
// A run is a function of its configuration and seed: every random number is drawn from a generator
// made for the place where it is needed, a (phase, epoch, purpose). So only parameters, moments, a
// phase's memory and a position have to be saved, and a run that was killed at any moment ends with
// the same bits as one that was not.
//
//	data.go       the data set of a configuration
//	batcher.go    utterances become a batch on the device
//	learner.go    a model with its parameters
//	train.go      phases, epochs, steps
//	termlog.go    the values of terms, read back every few steps
//	validate.go   validation, selection, early stopping
//	predictor.go  a trained model applied to a split
//	state.go      saving and resuming
//	events.go     TensorBoard's event files
package train
