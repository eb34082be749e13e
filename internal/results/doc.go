// Package results reads and writes the predictions of a trained seed, and selects its checkpoints.
// Start with [Predictions] and [Read].
//
//	predictions.go  predictions at a missing rate, and their CSV file
//	choice.go       which epoch's checkpoint is selected
//	baseline.go     a prediction that does not depend on the input
//	results.go      the predictions and checkpoints of a seed's directory, and their scores
package results
