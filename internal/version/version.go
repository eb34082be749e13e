// Package version tells which version of the program is running.
package version

import (
	"runtime/debug"
	"sync"
)

// number is that of the next or last release; scripts/release sets it with -ldflags -X.
// CHANGELOG.md has an entry for it.
var number = "v0.1.0"

// Text returns the version, and the revision of the checkout that the program was built in, with
// -dirty if files were changed there. A release, and go run, have no revision.
var Text = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return number
	}
	return number + revision(info.Settings)
})

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
