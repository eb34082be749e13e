// Package plots says what the figures of runs show; package figure draws them.
//
//	curves.go     metrics and modality weights against the missing rate
//	confusion.go  confusion matrices
//	losses.go     terms of the loss over epochs
//	subspaces.go  t-SNE of learned features
package plots
