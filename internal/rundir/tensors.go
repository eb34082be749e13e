package rundir

import (
	"bufio"
	"errors"
	"os"

	"github.com/seed-6655bf3b/recap/nn"
)

// SaveTensors writes named tensors and metadata to a safetensors file, atomically.
func SaveTensors(path string, ps []nn.Param, meta map[string]string) error {
	return WriteWith(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		return errors.Join(nn.Save(w, ps, meta), w.Flush())
	})
}
