package archtest

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tests returns the text of the test files of a folder.
func tests(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// TestEveryLayerIsTested checks that a test of package nn makes each layer, which is what a
// function New… of nn returns.
func TestEveryLayerIsTested(t *testing.T) {
	text, layers := tests(t, "nn"), 0
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.pkg != "nn" || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "New") {
				continue
			}
			layers++
			if !regexp.MustCompile(`\b` + f.Name.Name + `\(`).MatchString(text) {
				t.Errorf("%s: no test of package nn calls %s; add a case to nn/golden_test.go",
					s.path, f.Name.Name)
			}
		}
	}
	if layers < 5 {
		t.Errorf("found only %d layers", layers)
	}
}

// TestEveryModelIsListed checks that each package below nn/zoo with a Spec is in internal/models
// and has the tests of zootest.
func TestEveryModelIsListed(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("..", "models", "models.go"))
	if err != nil {
		t.Fatal(err)
	}
	models := 0
	for _, s := range sources(t) {
		if !strings.HasPrefix(s.pkg, "nn/zoo/") || s.file.Scope.Lookup("Spec") == nil {
			continue
		}
		models++
		if name := s.file.Name.Name; !strings.Contains(string(list), name+".Spec") {
			t.Errorf("%s: expected %s.Spec in internal/models/models.go, found none", s.path, name)
		}
		if !strings.Contains(tests(t, s.pkg), "zootest.Run(") {
			t.Errorf("%s: no test of the package calls zootest.Run", s.path)
		}
	}
	if models < 3 {
		t.Errorf("found only %d models", models)
	}
}

// TestEveryDeviceIsTested checks that each package whose devices internal/backend opens runs the
// checks of devicetest.
func TestEveryDeviceIsTested(t *testing.T) {
	devices := 0
	for _, s := range sources(t) {
		if s.pkg != "internal/backend" {
			continue
		}
		for _, spec := range s.file.Imports {
			pkg, own := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if !own || pkg == "internal/device" || pkg == "internal/simd" {
				continue
			}
			devices++
			if !strings.Contains(tests(t, pkg), "devicetest.Run(") {
				t.Errorf("%s: no test of the package calls devicetest.Run", pkg)
			}
		}
	}
	if devices < 2 {
		t.Errorf("found only %d devices", devices)
	}
}
