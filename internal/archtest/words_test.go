package archtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// retired lists terms that the field's terms have replaced (docs/glossary.md), as regular
// expressions. Each one must be precise enough not to match ordinary English. Extend the list when
// a term is replaced everywhere. A text that matches a pattern contains at least one of its stems;
// searching for the stems first makes the test fast.
var retired = []struct{ stems, pattern, replacement string }{
	// "holes" in quotes is a random stream
	{"ole", `[^"]\b[Hh]oles?\b|[a-z]Holes?\b`, "keep mask, missing positions"},
	{"tarv", `[Ss]tarv(e|es|ed|ing|ation)\b`, "the attention weight collapses"},
	{"by heart", `\b(learned|learns|learn) by heart\b`, "overfits"},
	{"ehears", `\b[Rr]ehears(e|es|ed|al)\b`, "checkable loss"},
	{"udge|ostle", `\b[Nn]udge[ds]?\b|\b[Jj]ostle[ds]?\b`, "perturb"},
	{"keptFile", `\bkeptFile\b`, "snapshotFile"},
	{"Words()", `\bWords\(\)`, "TextEncoder()"},
	{"NewText(", `\bNewText\(`, "NewTextEncoder"},
	{"misaApart|lnln|misa|selfMM",
		`\bmisaApart\b|\b(lnln|misa|selfMM)(Encoder|Task|Moments|Config|Model)\b`,
		"names without prefix, in the model's package"},
	{"experiment.", `\bexperiment\.[A-Z]\w+`, "the packages that replaced internal/experiment"},
	{"internal/", `\binternal/(experiment|devices|bench)\b`,
		"internal/settings … internal/explore, internal/backend, benchmarks"},
	{"ResolveGenerator", `\bResolveGenerator\b`, "Config.Resolve"},
	{"TextSteps", `\bTextSteps\b`, "LanguageSteps"},
	{"ReadingInformation|SyntheticCeiling", `\bReadingInformation\b|\bSyntheticCeiling\b`,
		"SyntheticInformation, SyntheticMaxCorrelation"},
	{"Latent.Mood", `\bLatent\.Mood\b`, "Latent.Shared"},
	{"giveBack|on loan", `\bgiveBack\b|\bon loan\b`, "recycle"},
	{"ASLEEP", `\bASLEEP\b`, "SKIP_KERNELS"},
	{"MOST_", `\bMOST_[A-Z]+\b`, "MAX_…"},
	{"without a word", `\b(ended|ends|died|end) without a word\b`, "without reporting an outcome"},
	{"lookTime|aliveTime|headTime|endTime", `\b(lookTime|aliveTime|headTime|endTime)\b`,
		"pollInterval, keepAliveInterval, …Timeout"},
	{"to be had", `\bto be had\b`, "available"},
}

// TestRetiredTerms checks that no Go file, script, page or document contains a term of the list.
func TestRetiredTerms(t *testing.T) {
	var patterns []*regexp.Regexp
	for _, r := range retired {
		patterns = append(patterns, regexp.MustCompile(r.pattern))
	}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			top := filepath.Dir(path) == root
			if path != root && strings.HasPrefix(d.Name(), ".") || d.Name() == "archtest" ||
				d.Name() == "uplot" || top && d.Name() == "runs" {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".js", ".css", ".html":
		case ".md":
			if filepath.Dir(path) != filepath.Join(root, "docs") {
				return nil
			}
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, p := range patterns {
			contains := func(stem string) bool { return bytes.Contains(text, []byte(stem)) }
			if !slices.ContainsFunc(strings.Split(retired[i].stems, "|"), contains) {
				continue
			}
			for _, at := range p.FindAllIndex(text, -1) {
				line := 1 + bytes.Count(text[:at[1]], []byte("\n"))
				t.Errorf("%s: %q is a retired term; use: %s", position(path, line),
					text[at[0]:at[1]], retired[i].replacement)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
