package devicetest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// TestEveryKernelIsChecked fails for a method of device.Device that no check in this package uses,
// and for a check that is not in the table of Run.
func TestEveryKernelIsChecked(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		part, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(part)
	}
	for _, m := range regexp.MustCompile(
		`(?m)^func \(s \*suite\) (\w+)\(\) {`,
	).FindAllStringSubmatch(text.String(), -1) {
		if !strings.Contains(text.String(), "(*suite)."+m[1]+"}") {
			t.Errorf("check %s is not in the table of Run; add it", m[1])
		}
	}
	unchecked := map[string]bool{"Submit": true} // has no result
	typ := reflect.TypeFor[device.Device]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		used := false
		for _, pattern := range []string{"s.dev." + name + "(", "s.dev." + name + ",",
			"device.Device." + name + ","} {
			used = used || strings.Contains(text.String(), pattern)
		}
		if !used && !unchecked[name] {
			t.Errorf("device.Device.%s has no check in devicetest; add one to the table of Run",
				name)
		}
	}
}
