package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	mdLink    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	mdFence   = regexp.MustCompile("(?ms)^```.*?^```$")
)

// TestLinks checks that the relative links of every Markdown file lead to a file or folder, and
// those with a # to a heading of it.
func TestLinks(t *testing.T) {
	root, links := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "runs" && filepath.Dir(path) == root) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		for _, link := range mdLink.FindAllStringSubmatch(markdown(t, path), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			links++
			if broken := follow(t, path, link[1]); broken != "" {
				t.Errorf("%s: link %s: %s", path, link[1], broken)
			}
		}
		return nil
	})
	if err != nil || links < 40 {
		t.Errorf("found %d links: %v", links, err)
	}
}

// follow returns what is wrong with a link in the file at path, "" if nothing is.
func follow(t *testing.T, path, link string) string {
	t.Helper()
	file, anchor, _ := strings.Cut(link, "#")
	target := path
	if file != "" {
		target = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
	}
	if _, err := os.Stat(target); err != nil {
		return "expected a file or folder, found none"
	}
	if anchor == "" {
		return ""
	}
	for _, h := range mdHeading.FindAllStringSubmatch(markdown(t, target), -1) {
		if slug(h[1]) == anchor {
			return ""
		}
	}
	return "expected a heading #" + anchor + ", found none"
}

// markdown returns a file without its blocks of code.
func markdown(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return mdFence.ReplaceAllString(string(text), "")
}

// slug returns the anchor that GitHub gives a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
