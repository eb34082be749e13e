package rundir

import (
	"path/filepath"
	"testing"
)

func TestFreeSpace(t *testing.T) {
	below := filepath.Join(t.TempDir(), "not", "yet")
	if free, known := freeSpace(below); !known || free < 1e6 {
		t.Errorf("%d bytes (known %v) in the folder above one that does not exist", free, known)
	}
	if _, known := freeSpace("\x00"); known {
		t.Error("the space of a path that is not valid is known")
	}
}
