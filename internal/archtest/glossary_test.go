package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGlossaryNamesExist checks that the Go names in the third column of docs/glossary.md are
// declared in the code.
func TestGlossaryNamesExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "glossary.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared, names := declarations(t), 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3],
			-1) {
			names++
			if !declared[quoted[1]] {
				t.Errorf("docs/glossary.md: %s names %s, which is not declared anywhere",
					strings.TrimSpace(cells[1]), quoted[1])
			}
		}
	}
	if names < 50 {
		t.Errorf("found only %d names in the glossary", names)
	}
}
