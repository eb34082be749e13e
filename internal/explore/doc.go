// Package explore computes what the explorer on a run's page shows: the predictions, the modality
// weights and the features of single test utterances at each missing rate. Start with [Run].
//
//	explore.go     an exploration, the choice of the utterances
//	baseline.go    the constant predictor that a model is compared with
//	view.go        the utterances at one missing rate
//	transcript.go  the tokens as text
package explore
