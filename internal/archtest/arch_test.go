// Package archtest checks conventions of the code as tests: which package may import which, the
// sizes of files, functions and lines, the documentation of exported names, and the terms that are
// used.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "github.com/seed-6655bf3b/recap/internal/gctest"
)

const module = "github.com/seed-6655bf3b/recap/"

// A group is a set of packages. A package may import packages of its own group and of the groups
// that come earlier in the table, but none of a later group.
type group struct {
	name     string
	packages map[string][]string // the packages of this module that each package may import
}

// table has all packages of the module, from the lowest group to the highest. It is exact: each
// edge that it allows is used.
var table = []group{
	{"leaf", map[string][]string{
		"internal/metric":          {},
		"internal/parallel":        {},
		"internal/simd":            {},
		"internal/literature":      {},
		"internal/significance":    {"internal/parallel"},
		"internal/typeset":         {},
		"internal/tsne":            {},
		"internal/figure":          {},
		"internal/tensorboard":     {},
		"internal/unpickle":        {},
		"internal/files":           {},
		"internal/files/filestest": {"internal/files"},
		"internal/gctest":          {},
		"internal/version":         {},
		"internal/weights":         {"internal/files", "internal/unpickle"},
	}},
	{"device", map[string][]string{
		"internal/device":            {},
		"internal/device/devicetest": {"internal/device"},
		"internal/cpu":               {"internal/device", "internal/parallel", "internal/simd"},
		"internal/cuda":              {"internal/device"},
		"internal/cuda/emulator":     {},
		"internal/cuda/cudatest":     {"internal/cuda/emulator"},
		"internal/backend": {
			"internal/device", "internal/cpu", "internal/cuda", "internal/simd",
		},
	}},
	{"engine", map[string][]string{
		"autograd":                {"internal/device", "internal/backend"},
		"autograd/gradcheck":      {"autograd"},
		"autograd/agtest":         {"autograd", "autograd/gradcheck"},
		"internal/optable":        {"autograd", "internal/device"},
		"internal/optable/optest": {"autograd", "autograd/gradcheck", "internal/optable"},
	}},
	{"layers", map[string][]string{
		"nn":    {"autograd", "internal/files", "internal/weights"},
		"optim": {"autograd", "nn"},
	}},
	{"models", map[string][]string{
		"nn/zoo": {"autograd", "nn"},
		"nn/zoo/zootest": {
			"autograd", "autograd/agtest", "autograd/gradcheck", "internal/cuda/cudatest",
			"internal/device", "internal/gctest", "nn", "nn/zoo", "optim",
		},
		"nn/zoo/almt":       {"autograd", "nn", "nn/zoo"},
		"nn/zoo/bimamba":    {"autograd", "nn", "nn/zoo", "nn/zoo/almt"},
		"nn/zoo/cenet":      {"autograd", "nn", "nn/zoo"},
		"nn/zoo/lnln":       {"autograd", "nn", "nn/zoo", "nn/zoo/almt"},
		"nn/zoo/mascfstyle": {"autograd", "nn", "nn/zoo"},
		"nn/zoo/misa":       {"autograd", "nn", "nn/zoo"},
		"nn/zoo/mmim":       {"autograd", "nn", "nn/zoo"},
		"nn/zoo/selfmm":     {"autograd", "nn", "nn/zoo"},
		"nn/zoo/tetfn":      {"autograd", "nn", "nn/zoo", "nn/zoo/selfmm"},
		"nn/zoo/tfmamba":    {"autograd", "nn", "nn/zoo"},
		"nn/zoo/tfrnet":     {"autograd", "nn", "nn/zoo"},
		"recap": {
			"autograd", "internal/device", "internal/optable", "nn", "nn/zoo", "internal/weights",
		},
		"internal/models": {
			"nn/zoo", "nn/zoo/almt", "nn/zoo/bimamba", "nn/zoo/cenet", "nn/zoo/lnln",
			"nn/zoo/mascfstyle", "nn/zoo/misa", "nn/zoo/mmim", "nn/zoo/selfmm", "nn/zoo/tetfn",
			"nn/zoo/tfmamba", "nn/zoo/tfrnet", "recap",
		},
	}},
	{"data", map[string][]string{
		"datasets/wordpiece": {"internal/files"},
		"datasets":           {"internal/files", "internal/unpickle", "internal/weights"},
	}},
	{"run layers", map[string][]string{
		"internal/settings": {
			"datasets", "internal/backend", "internal/files", "internal/models", "nn", "nn/zoo",
		},
		"internal/settings/settingstest": {
			"autograd", "datasets", "internal/models", "internal/settings", "nn", "nn/zoo",
		},
		"internal/rundir": {"internal/files", "internal/settings", "internal/weights", "nn"},
		"internal/results": {
			"internal/metric", "internal/rundir", "internal/settings", "nn/zoo",
		},
		"internal/train": {
			"autograd", "datasets", "internal/files", "internal/metric", "internal/results",
			"internal/rundir", "internal/settings", "internal/tensorboard", "internal/version",
			"internal/weights", "nn", "nn/zoo", "optim",
		},
		"internal/tables": {
			"internal/literature", "internal/metric", "internal/models", "internal/results",
			"internal/rundir", "internal/settings", "internal/significance", "internal/typeset",
			"nn/zoo",
		},
		"internal/plots": {
			"autograd", "datasets", "internal/figure", "internal/metric", "internal/results",
			"internal/rundir", "internal/settings", "internal/tables", "internal/train",
			"internal/tsne", "nn/zoo",
		},
		"internal/runs": {
			"autograd", "autograd/gradcheck", "datasets", "datasets/wordpiece", "internal/files",
			"internal/metric", "internal/results", "internal/rundir", "internal/settings",
			"internal/tables", "internal/train", "internal/typeset", "nn", "nn/zoo",
		},
		"internal/runs/runstest": {
			"internal/files/filestest", "internal/gctest", "internal/rundir", "internal/runs",
			"internal/settings",
		},
		"internal/explore": {
			"autograd", "datasets", "datasets/wordpiece", "internal/metric", "internal/results",
			"internal/rundir", "internal/settings", "internal/train", "nn", "nn/zoo",
		},
		"internal/sweep": {
			"internal/rundir", "internal/runs", "internal/settings", "internal/tables",
			"internal/train",
		},
		"internal/report": {
			"internal/explore", "internal/metric", "internal/plots", "internal/rundir",
			"internal/tables", "internal/typeset", "nn/zoo",
		},
		"internal/serve": {
			"internal/report", "internal/rundir", "internal/settings", "internal/tables",
		},
	}},
	{"commands", map[string][]string{
		"scripts/archive": {},
		"cmd/recap": {
			"autograd", "autograd/gradcheck", "datasets", "internal/backend", "internal/metric",
			"internal/files", "internal/models", "internal/optable", "internal/plots",
			"internal/report", "internal/results", "internal/rundir", "internal/runs",
			"internal/serve", "internal/settings", "internal/simd", "internal/sweep",
			"internal/tables", "internal/train", "internal/typeset", "internal/version",
			"internal/weights", "recap",
		},
	}},
}

// libraries lists the external modules that the public packages may import.
var libraries = []string{"gonum.org/v1/gonum", "golang.org/x/", "github.com/nlpodyssey/"}

// maxFile and maxFunc are the largest numbers of lines of a file and of a function.
const maxFile, maxFunc = 400, 60

// A source is a parsed Go file.
type source struct {
	pkg, path string // pkg is the directory of the file, relative to the root of the module
	file      *ast.File
	set       *token.FileSet
}

// sources parses all Go files of the module except tests and generated code.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root &&
			(strings.HasPrefix(name, ".") || name == "testdata" ||
				path == filepath.Join(root, "runs") || name == "gen" || name == "docs") {
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

// allowedImports returns the imports that the table allows, by package.
func allowedImports() map[string][]string {
	all := map[string][]string{}
	for _, g := range table {
		maps.Copy(all, g.packages)
	}
	return all
}

// TestImports checks that each package imports only what the table and libraries allow.
func TestImports(t *testing.T) {
	allowed := allowedImports()
	for _, s := range sources(t) {
		edges, known := allowed[s.pkg]
		if !known {
			t.Errorf("%s: package %s is not in archtest's table; add it and what it may import",
				s.path, s.pkg)
		}
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if own, ok := strings.CutPrefix(path, module); ok {
				if !slices.Contains(edges, own) {
					t.Errorf("%s: %s must not import %s", s.path, s.pkg, own)
				}
			} else if library := !strings.HasPrefix(s.pkg, "cmd/") &&
				!strings.HasPrefix(s.pkg, "internal/"); library && strings.Contains(path, ".") {
				if !slices.ContainsFunc(libraries, func(p string) bool {
					return strings.HasPrefix(path, p)
				}) {
					t.Errorf("%s: a library package must not import %s", s.path, path)
				}
			}
		}
	}
}

// TestImportsAreExact checks that the table allows no package that does not exist and no import
// that no file uses.
func TestImportsAreExact(t *testing.T) {
	used := map[string]map[string]bool{}
	for _, s := range sources(t) {
		if used[s.pkg] == nil {
			used[s.pkg] = map[string]bool{}
		}
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			used[s.pkg][strings.TrimPrefix(path, module)] = true
		}
	}
	for pkg, edges := range allowedImports() {
		if used[pkg] == nil {
			t.Errorf("archtest's table has the package %s, which does not exist; remove it", pkg)
			continue
		}
		for _, edge := range edges {
			if !used[pkg][edge] {
				t.Errorf("archtest's table allows %s to import %s, which no file does; remove the edge", pkg, edge)
			}
		}
	}
}

// TestImportsGoDown checks that no package imports one of a higher group. It also computes the
// floor of each package, the length of the longest path of imports from it, and fails on a cycle.
func TestImportsGoDown(t *testing.T) {
	height := map[string]int{} // the index of a package's group
	for i, g := range table {
		for pkg := range g.packages {
			if other, twice := height[pkg]; twice {
				t.Errorf("package %s is in two groups, %s and %s", pkg, table[other].name, g.name)
			}
			height[pkg] = i
		}
	}
	allowed := allowedImports()
	for pkg, edges := range allowed {
		for _, edge := range edges {
			if i, j := height[pkg], height[edge]; j > i {
				t.Errorf("%s (%s) must not import %s (%s), which is in a higher group", pkg,
					table[i].name, edge, table[j].name)
			}
		}
	}
	floors := map[string]int{}
	for pkg := range allowed {
		floor(t, allowed, floors, pkg, nil)
	}
	for _, g := range table {
		for _, pkg := range slices.Sorted(maps.Keys(g.packages)) {
			t.Logf("%-10s  floor %2d  %s", g.name, floors[pkg], pkg)
		}
	}
}

// floor returns the length of the longest path of imports that starts at pkg, and stores it in
// floors. path has the packages that led to pkg.
func floor(
	t *testing.T, allowed map[string][]string, floors map[string]int, pkg string, path []string,
) int {
	if slices.Contains(path, pkg) {
		t.Fatalf("the imports have a cycle: %s", strings.Join(append(path, pkg), " → "))
	}
	if n, known := floors[pkg]; known {
		return n
	}
	n := 0
	for _, edge := range allowed[pkg] {
		n = max(n, 1+floor(t, allowed, floors, edge, append(path, pkg)))
	}
	floors[pkg] = n
	return n
}

// TestBudgets checks the number of lines of each file and function.
func TestBudgets(t *testing.T) {
	for _, s := range sources(t) {
		if n := s.set.File(s.file.Pos()).LineCount(); n > maxFile {
			t.Errorf("%s has %d lines, at most %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line +
					1; n > maxFunc {
					t.Errorf("%s: %s has %d lines, at most %d", s.path, f.Name.Name, n, maxFunc)
				}
			}
		}
	}
}

// TestExportedIsDocumented checks that each exported function, method and type has a doc comment.
func TestExportedIsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d)) &&
					!implements(d) {
					t.Errorf("%s: func %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() &&
						d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: type %s has no comment", s.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

// implements reports whether a method needs no comment, because a well-known interface documents
// it.
func implements(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Len", "String", "Error"}, d.Name.Name)
}

// exportedReceiver reports whether the type of a method's receiver is exported.
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
