package devicetest

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// TestEveryKernelIsChecked fails for a method of device.Device that no check in this package uses.
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
	unchecked := map[string]bool{"Submit": true} // has no result
	typ := reflect.TypeFor[device.Device]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		used := false
		for _, pattern := range []string{"s.dev." + name + "(", "s.dev." + name + ",", "device.Device." + name + ","} {
			used = used || strings.Contains(text.String(), pattern)
		}
		if !used && !unchecked[name] {
			t.Errorf("device.Device.%s has no check in devicetest; add one to the table of Run", name)
		}
	}
}
