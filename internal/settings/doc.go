// Package settings holds the configuration of a run: its keys, their defaults, where they come
// from, and what a table says about them.
//
//	config.go       Config and its parts, the rules for their values
//	document.go     the configuration as YAML: reading, writing, its hash
//	resolve.go      preset < file < environment < --set < flags
//	dataset.go      which data set a configuration names
//	modality.go     names of the modalities in flags
//	differences.go  what sets a run apart from others
package settings
