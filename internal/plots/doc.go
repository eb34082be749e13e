// Package plots computes the figures of runs from their predictions, journals and checkpoints.
// Package figure draws them. Start with [Curves].
//
//	plots.go      a figure and its files; titles of runs, predictions by seed
//	curves.go     metrics against the missing rate
//	weights.go    modality weights against the missing rate
//	confusion.go  confusion matrices
//	losses.go     terms of the loss over the epochs
//	terms.go      titles and order of the terms
//	subspaces.go  features after stage 1
//	tsne.go       the features in the plane, by t-SNE
package plots
