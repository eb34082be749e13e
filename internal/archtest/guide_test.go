package archtest

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGuideNamesExist checks that every Go name in docs/guide.md is declared in the code: `Type`,
// `Type.Member`, `pkg.Name` and `pkg.Type.Member`.
func TestGuideNamesExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := declarations(t)
	names := 0
	for _, quoted := range regexp.MustCompile(
		"`([A-Za-z][A-Za-z0-9]*(?:\\.[A-Za-z][A-Za-z0-9]*){0,2})`",
	).FindAllStringSubmatch(string(text), -1) {
		name := quoted[1]
		if strings.HasPrefix(name, "Test") {
			continue
		}
		names++
		if !declared[name] {
			t.Errorf("docs/guide.md names %s, which is not declared anywhere", name)
		}
	}
	if names < 30 {
		t.Errorf("found only %d names in the guide", names)
	}
}

// declarations returns every name by which the guide may call a declaration.
func declarations(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, s := range sources(t) {
		pkg := s.file.Name.Name + "."
		add := func(name string) { names[name], names[pkg+name] = true, true }
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					add(d.Name.Name)
				} else {
					add(receiver(d) + "." + d.Name.Name)
					names[pkg+d.Name.Name] = true // autograd.NoGrad for Tape.NoGrad
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok {
						add(ts.Name.Name)
						if st, ok := ts.Type.(*ast.StructType); ok {
							for _, f := range st.Fields.List {
								for _, n := range f.Names {
									add(ts.Name.Name + "." + n.Name)
								}
							}
						}
					}
				}
			}
		}
	}
	return names
}

func receiver(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	if s, ok := typ.(*ast.StarExpr); ok {
		typ = s.X
	}
	if i, ok := typ.(*ast.IndexExpr); ok {
		typ = i.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// TestReadingOrders checks that the reading order of a package has each of its files.
func TestReadingOrders(t *testing.T) {
	files := map[string][]string{} // by package
	orders := map[string][]string{}
	for _, s := range sources(t) {
		name := filepath.Base(s.path)
		if name != "doc.go" {
			if !strings.Contains(name, "_") { // not the variants of an operating system
				files[s.pkg] = append(files[s.pkg], name)
			}
		} else if _, order, found := strings.Cut(s.file.Doc.Text(), "# Reading order\n"); found {
			orders[s.pkg] = regexp.MustCompile(`\w+\.go`).FindAllString(order, -1)
		}
	}
	if len(orders) < 4 {
		t.Errorf("found only %d reading orders", len(orders))
	}
	for pkg, order := range orders {
		slices.Sort(order)
		if slices.Sort(files[pkg]); !slices.Equal(order, files[pkg]) {
			t.Errorf("%s/doc.go: reading order of %v, want %v", pkg, order, files[pkg])
		}
	}
}
