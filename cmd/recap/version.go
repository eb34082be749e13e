package main

import (
	"fmt"
	"runtime/debug"
)

// version is that of the next or last release; scripts/release sets it with -ldflags -X.
// CHANGELOG.md has an entry for it.
var version = "v0.1.0"

type versionCommand struct{}

func (versionCommand) Help() string { return "Example:\n  recap version" }

func (versionCommand) Run(t *terminal) error {
	_, err := fmt.Fprintln(t.out, "recap", versionText())
	return err
}

// versionText returns the version, and the revision of the checkout that the program was built in,
// with -dirty if files were changed there. A release, and go run, have no revision.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	return version + revision(info.Settings)
}

// revision returns " (COMMIT)" or " (COMMIT-dirty)", "" if the settings have no commit.
func revision(settings []debug.BuildSetting) string {
	commit, dirty := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if commit == "" {
		return ""
	}
	return " (" + commit + dirty + ")"
}
