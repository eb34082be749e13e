package archtest

import (
	"fmt"
	"go/ast"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestProgramHasNoTesting checks that the built program does not contain the package testing,
// which would add its flags.
func TestProgramHasNoTesting(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"cmd/recap").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"recap") {
		t.Fatalf("go list -deps has %d packages, but not %srecap", len(deps), module)
	}
	for _, dep := range deps {
		if dep == "testing" || strings.HasPrefix(dep, "testing/") {
			t.Errorf("cmd/recap must not depend on %s", dep)
		}
	}
}

// TestNoAssertionOnRecap checks that no package except recap distinguishes it from other models by
// a type assertion or a type switch on *recap.Model or *recap.Config. Packages whose name ends in
// "test" are exempt.
func TestNoAssertionOnRecap(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg == "recap" || strings.HasSuffix(s.pkg, "test") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeAssertExpr:
				reportRecap(t, s, n.Type)
			case *ast.TypeSwitchStmt:
				for _, clause := range n.Body.List {
					for _, typ := range clause.(*ast.CaseClause).List {
						reportRecap(t, s, typ)
					}
				}
			}
			return true
		})
	}
}

// reportRecap fails the test if typ is recap.Model, recap.Config or a pointer to one of them.
func reportRecap(t *testing.T, s source, typ ast.Expr) {
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	sel, ok := typ.(*ast.SelectorExpr)
	if !ok {
		return
	}
	pkg, ok := sel.X.(*ast.Ident)
	if ok && pkg.Name == "recap" && (sel.Sel.Name == "Model" || sel.Sel.Name == "Config") {
		at := s.set.Position(sel.Pos())
		t.Errorf("%s: type assertion on recap.%s; use an interface that models may implement",
			position(s.path, at.Line), sel.Sel.Name)
	}
}

// position returns path:line.
func position(path string, line int) string { return fmt.Sprintf("%s:%d", path, line) }
