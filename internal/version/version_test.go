package version

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestRevision(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision",
		Value: "0123456789abcdef0123456789abcdef01234567"}
	for _, c := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, ""},
		{[]debug.BuildSetting{commit}, " (0123456789ab)"},
		{[]debug.BuildSetting{commit, {Key: "vcs.modified", Value: "false"}}, " (0123456789ab)"},
		{[]debug.BuildSetting{commit, {Key: "vcs.modified", Value: "true"}},
			" (0123456789ab-dirty)"},
	} {
		if got := revision(c.settings); got != c.want {
			t.Errorf("%v: found %q, expected %q", c.settings, got, c.want)
		}
	}
}

// TestVersionIsDocumented checks that the version of the program has an entry in CHANGELOG.md and
// is the one that CITATION.cff cites.
func TestVersionIsDocumented(t *testing.T) {
	for file, line := range map[string]string{
		"CHANGELOG.md": "\n## [" + strings.TrimPrefix(number, "v") + "]",
		"CITATION.cff": "\nversion: " + strings.TrimPrefix(number, "v") + "\n",
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), line) {
			t.Errorf("%s: expected %q for the version that recap --version prints, %s", file,
				strings.TrimSpace(line), number)
		}
	}
}
