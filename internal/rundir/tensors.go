package rundir

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/weights"
	"github.com/seed-6655bf3b/recap/nn"
)

// Keys of the metadata with the SHA-256, in hexadecimal, of what follows the header, and of the
// other metadata. The second can be checked without reading the tensors.
const (
	dataSum = "sha256"
	metaSum = "sha256_metadata"
)

// SaveTensors writes named tensors and metadata to a safetensors file, atomically, with checksums
// that [LoadTensors] and [ReadMeta] compare.
func SaveTensors(path string, ps []nn.Param, meta map[string]string) error {
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]string{}
	}
	meta[metaSum] = sumOfMeta(meta)
	unknown := strings.Repeat("0", 2*sha256.Size) // until the tensors are written
	meta[dataSum] = unknown
	return WriteWith(path, func(f *os.File) error {
		sum := &dataHash{Hash: sha256.New()}
		w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
		if err := errors.Join(nn.Save(w, ps, meta), w.Flush()); err != nil {
			return err
		}
		entry := fmt.Sprintf("%q:%q", dataSum, unknown)
		end := bytes.Index(sum.header, []byte(entry)) + len(entry)
		_, err := f.WriteAt([]byte(hex.EncodeToString(sum.Sum(nil))+`"`),
			int64(end-len(unknown)-1))
		return err
	})
}

// A dataHash hashes a safetensors file that is written to it, without its header: the length of
// the header in 8 bytes and the header itself.
type dataHash struct {
	hash.Hash
	header []byte
}

func (h *dataHash) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		want := 8
		if len(h.header) >= 8 {
			want += int(binary.LittleEndian.Uint64(h.header))
		}
		n := min(len(p), want-len(h.header))
		if n == 0 {
			h.Hash.Write(p) // a hash returns no error
			break
		}
		h.header, p = append(h.header, p[:n]...), p[n:]
	}
	return written, nil
}

// sumOfMeta returns the checksum of the metadata without the checksums.
func sumOfMeta(meta map[string]string) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		if key != dataSum && key != metaSum {
			fmt.Fprintf(h, "%q %q\n", key, meta[key])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ReadMeta returns the metadata of a file that [SaveTensors] wrote. It is an error if they have
// another checksum than when they were saved. Files of older versions have no checksums.
func ReadMeta(path string) (map[string]string, error) {
	header, err := weights.ReadHeader(path)
	if err != nil {
		return nil, err
	}
	if want := header.Meta[metaSum]; want != "" && want != sumOfMeta(header.Meta) {
		return nil, damaged(path, "metadata", want, sumOfMeta(header.Meta))
	}
	return header.Meta, nil
}

// LoadTensors overwrites the tensors with those of a file that [SaveTensors] wrote, as [nn.Load]
// does. It is an error, and changes no tensor, if the file has other checksums than when it was
// saved.
func LoadTensors(path string, ps []nn.Param) error {
	meta, err := ReadMeta(path)
	if err != nil {
		return err
	}
	file, err := files.Read(path)
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	if want := meta[dataSum]; want != "" {
		sum := &dataHash{Hash: sha256.New()}
		sum.Write(file)
		if found := hex.EncodeToString(sum.Sum(nil)); found != want {
			return damaged(path, "tensors", want, found)
		}
	}
	if err := nn.Load(file, ps); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func damaged(path, what, want, found string) error {
	return fmt.Errorf("rundir: %s: expected %s with the SHA-256 %.12s…, found %.12s…: the file "+
		"has changed since it was saved; restore it from a copy, or train a new run",
		path, what, want, found)
}
