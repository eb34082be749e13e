// Package archtest holds the rules of the house as tests: which package may import which, how long
// a file and a function may be, and that what is exported is documented.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/seed-6655bf3b/recap/"

// allowed lists the packages of this module that each package may import.
var allowed = map[string][]string{
	"internal/device":                {},
	"internal/parallel":              {},
	"internal/simd":                  {},
	"internal/metric":                {},
	"internal/literature":            {},
	"internal/typeset":               {},
	"internal/tsne":                  {},
	"internal/figure":                {},
	"internal/tensorboard":           {},
	"internal/sweep":                 {"internal/rundir", "internal/runs", "internal/tables", "internal/train"},
	"internal/report":                {"internal/explore", "internal/plots", "internal/rundir", "internal/tables", "nn/zoo"},
	"internal/serve":                 {"internal/report", "internal/rundir", "internal/settings"},
	"internal/cpu":                   {"internal/device", "internal/parallel", "internal/simd"},
	"internal/cuda":                  {"internal/device"},
	"internal/backend":               {"internal/device", "internal/cpu", "internal/cuda", "internal/simd"},
	"autograd":                       {"internal/device", "internal/backend"},
	"autograd/gradcheck":             {"autograd"},
	"autograd/agtest":                {"autograd", "autograd/gradcheck"},
	"internal/optable/optest":        {"autograd", "autograd/gradcheck", "internal/optable"},
	"internal/optable":               {"autograd", "internal/device"},
	"nn":                             {"autograd", "internal/weights"},
	"nn/zoo":                         {"autograd", "nn"},
	"nn/zoo/misa":                    {"autograd", "nn", "nn/zoo"},
	"nn/zoo/selfmm":                  {"autograd", "nn", "nn/zoo"},
	"nn/zoo/lnln":                    {"autograd", "nn", "nn/zoo"},
	"nn/zoo/zootest":                 {"autograd", "autograd/agtest", "autograd/gradcheck", "internal/cuda/cudatest", "internal/device", "nn", "nn/zoo", "optim"},
	"internal/models":                {"nn/zoo", "nn/zoo/lnln", "nn/zoo/misa", "nn/zoo/selfmm", "recap"},
	"optim":                          {"autograd", "nn"},
	"recap":                          {"autograd", "internal/device", "internal/optable", "nn", "nn/zoo", "internal/weights"},
	"internal/unpickle":              {},
	"internal/weights":               {"internal/unpickle"},
	"datasets/wordpiece":             {},
	"datasets":                       {"internal/unpickle", "internal/weights"},
	"internal/settings":              {"datasets", "internal/backend", "internal/models", "nn", "nn/zoo"},
	"internal/settings/settingstest": {"autograd", "internal/models", "internal/settings", "nn", "nn/zoo", "recap"},
	"internal/rundir":                {"internal/settings", "nn"},
	"internal/results":               {"internal/metric", "internal/rundir", "internal/settings", "internal/weights", "nn/zoo"},
	"internal/train":                 {"autograd", "datasets", "internal/metric", "internal/results", "internal/rundir", "internal/settings", "internal/tensorboard", "nn", "nn/zoo", "optim"},
	"internal/tables":                {"internal/literature", "internal/metric", "internal/models", "internal/results", "internal/rundir", "internal/settings", "internal/typeset", "nn/zoo", "recap"},
	"internal/plots":                 {"autograd", "datasets", "internal/figure", "internal/metric", "internal/results", "internal/rundir", "internal/settings", "internal/tables", "internal/train", "internal/tsne", "internal/typeset", "nn", "nn/zoo"},
	"internal/runs":                  {"autograd", "autograd/gradcheck", "datasets", "datasets/wordpiece", "internal/metric", "internal/results", "internal/rundir", "internal/settings", "internal/tables", "internal/train", "nn", "nn/zoo"},
	"internal/runs/runstest":         {"internal/rundir", "internal/runs", "internal/settings"},
	"internal/explore":               {"autograd", "datasets", "datasets/wordpiece", "internal/results", "internal/rundir", "internal/settings", "internal/train", "nn", "nn/zoo"},
	"cmd/recap":                      {"autograd", "autograd/gradcheck", "datasets", "internal/backend", "internal/metric", "internal/models", "internal/optable", "internal/plots", "internal/report", "internal/results", "internal/rundir", "internal/runs", "internal/serve", "internal/settings", "internal/simd", "internal/sweep", "internal/tables", "internal/typeset", "internal/weights", "recap"},
	"scripts/archive":                {},
	"internal/device/devicetest":     {"internal/device"},
	"internal/cuda/cudatest":         {"internal/cuda/emulator"},
	"internal/cuda/emulator":         {},
}

// libraries lists what the library packages may use from outside, besides the standard library.
var libraries = []string{"gonum.org/v1/gonum", "golang.org/x/", "github.com/nlpodyssey/"}

const maxFile, maxFunc = 400, 60

type source struct {
	pkg, path string
	file      *ast.File
	set       *token.FileSet
}

// sources parses every Go file of the module but tests and generated code.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || path == filepath.Join(root, "runs") || name == "gen" || name == "docs") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err == nil && !ast.IsGenerated(f) {
			all = append(all, source{filepath.ToSlash(dir), path, f, set})
		}
		return err
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("found %d source files: %v", len(all), err)
	}
	return all
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		edges, known := allowed[s.pkg]
		if !known {
			t.Errorf("%s: package %s is not in archtest's table; add it and what it may import", s.path, s.pkg)
		}
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if own, ok := strings.CutPrefix(path, module); ok {
				if !slices.Contains(edges, own) {
					t.Errorf("%s: %s must not import %s", s.path, s.pkg, own)
				}
			} else if library := !strings.HasPrefix(s.pkg, "cmd/") && !strings.HasPrefix(s.pkg, "internal/"); library && strings.Contains(path, ".") {
				if !slices.ContainsFunc(libraries, func(p string) bool { return strings.HasPrefix(path, p) }) {
					t.Errorf("%s: a library package must not import %s", s.path, path)
				}
			}
		}
	}
}

func TestBudgets(t *testing.T) {
	for _, s := range sources(t) {
		if n := s.set.File(s.file.Pos()).LineCount(); n > maxFile {
			t.Errorf("%s has %d lines, at most %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > maxFunc {
					t.Errorf("%s: %s has %d lines, at most %d", s.path, f.Name.Name, n, maxFunc)
				}
			}
		}
	}
}

func TestExportedIsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d)) && !implements(d) {
					t.Errorf("%s: func %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: type %s has no comment", s.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

// implements tells whether a method is documented by the interface it implements.
func implements(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Len", "String", "Error"}, d.Name.Name)
}

func exportedReceiver(d *ast.FuncDecl) bool {
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return false
		}
	}
}
