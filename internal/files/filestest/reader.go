package filestest

import "io"

// A FailingReader is a file whose reads fail with Err after Reads of them: all, or with Once only
// the next one.
type FailingReader struct {
	io.ReaderAt
	Reads int
	Once  bool
	Err   error
}

// ReadAt implements io.ReaderAt.
func (r *FailingReader) ReadAt(p []byte, off int64) (int, error) {
	if r.Reads--; r.Reads == -1 || r.Reads < 0 && !r.Once {
		return 0, r.Err
	}
	return r.ReaderAt.ReadAt(p, off)
}
