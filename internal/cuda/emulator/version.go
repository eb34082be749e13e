package emulator

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
)

// Version returns a hash of the emulator's sources, which identifies a build.
func Version() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(src, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := src.ReadFile(path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(text), text)
		return err
	})
	return fmt.Sprintf("%x", hash.Sum(nil)[:8]), err
}
