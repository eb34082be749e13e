// Package tables makes tables from the predictions of runs: of one run, of several runs, and of
// runs beside the paper's results. Start with [Summary] and [Compare].
//
//	summary.go      the scores of one configuration over seeds and rates
//	final.go        the table at the end of a command, as wide as the terminal
//	read.go         a summary from a run's directory
//	collect.go      summaries of all runs under a directory
//	compare.go      summaries under the same conditions in one table
//	differences.go  differences between rows, with confidence intervals and p values
//	baseline.go     the constant predictor of a comparison
//	pair.go         the headline scores of a run; two runs side by side
//	published.go    the paper's tables beside ours
//	mmsa.go         MMSA's CSV layout
//	sweep.go        the table of a sweep
package tables
