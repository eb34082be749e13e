// Package settings defines the configuration of a run: its keys, their defaults, the sources of
// their values, and their description in tables. Start with [Config] and [Resolve].
//
//	config.go       Config and its parts, and the checks of their values
//	document.go     the configuration as YAML: reading, writing, its hash
//	resolve.go      the sources: preset < file < environment < --set < flags
//	dataset.go      checks of the data set and its files
//	modality.go     names of the modalities in flags
//	describe.go     the meanings, defaults and valid values of settings
//	differences.go  the settings in which runs differ, for tables
package settings
