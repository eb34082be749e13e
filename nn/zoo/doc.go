// Package zoo is the contract between a model of multimodal sentiment analysis and the code that
// trains, tests and shows it: what goes in, what comes out, and how training is divided into
// phases. Start with [Model]. The package contains no model: each baseline is a package below this
// one, named after the model (misa, selfmm, lnln); RECAP is package recap.
//
// A model computes losses and predictions; it never runs an optimiser, reads a file of samples or
// writes a checkpoint. In return one training loop, one evaluation and one set of tables serve all
// models.
//
//	input.go     Modality, Dims, Input, Batch, Output
//	model.go     Model, Phase, Pass, Term, MemoryUpdate: what a model is and how it is trained
//	spec.go      Spec, Config, Variant: how a model is found by its name and configured
//	training.go  Training: optimiser, learning rates, epochs
//	text.go      TextEncoder: the BERT with which every model begins
//	task.go      parts of losses: the loss of a prediction, moments of a batch
//	check.go     random batches and losses to check models with
//
// Package zootest has the tests that every model must pass. docs/zoo.md describes each model and
// the decisions taken where its sources differ, and tells how to add one.
package zoo
