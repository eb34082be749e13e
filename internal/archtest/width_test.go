package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// The numbers of lines over 100 and over 120 columns in all Go files, tests included. They are
// exact: whoever shortens lines lowers them, and nobody raises them.
const (
	linesOver100 = 130
	linesOver120 = 0
)

// TestWidth counts the long lines of all Go files except generated code. A tab has 4 columns.
func TestWidth(t *testing.T) {
	root := filepath.Join("..", "..")
	over100, over120 := 0, 0
	var longest []string // the first lines over 120 columns
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root &&
			(strings.HasPrefix(d.Name(), ".") || d.Name() == "runs" &&
				filepath.Dir(path) == root) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text,
			parser.ParseComments|parser.PackageClauseOnly)
		if err != nil || ast.IsGenerated(f) {
			return err
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) + 3*strings.Count(line,
				"\t")
			if width > 100 {
				over100++
			}
			if width > 120 {
				over120++
				longest = append(longest, position(path, number))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if over120 > linesOver120 {
		t.Errorf("%d lines have over 120 columns, at most %d: %s", over120, linesOver120,
			strings.Join(longest[:min(20, len(longest))], " "))
	}
	if over100 > linesOver100 {
		t.Errorf("%d lines have over 100 columns, at most %d; break the new ones", over100,
			linesOver100)
	}
	if over100 < linesOver100 || over120 < linesOver120 {
		t.Errorf("there are fewer long lines than before: set linesOver100 = %d and "+
			"linesOver120 = %d", over100, over120)
	}
}
