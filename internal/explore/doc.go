// Package explore shows what a trained model makes of single test utterances at each missing rate, for
// the explorer on a run's page.
package explore
