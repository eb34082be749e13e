package unpickle

import (
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// A Blob is a long string or bytes object that stays in the file until it is read.
type Blob struct {
	file   *io.SectionReader
	opcode byte // BINBYTES and the like, BINUNICODE (UTF-8) or UNICODE (escaped)
}

// Size returns the length of the string in the file, in bytes.
func (b *Blob) Size() int64 { return b.file.Size() }

// Reader returns a reader of the bytes of the string in the file.
func (b *Blob) Reader() *io.SectionReader { return io.NewSectionReader(b.file, 0, b.file.Size()) }

// Text returns the string in UTF-8, with escapes decoded.
func (b *Blob) Text() ([]byte, error) {
	raw := make([]byte, b.file.Size())
	if _, err := b.file.ReadAt(raw, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if b.opcode == 'V' {
		return unescape(raw), nil
	}
	return raw, nil
}

// Latin1 converts UTF-8 to Latin-1, as Python's _codecs.encode(s, "latin1") does. It is an error
// if s has a character above U+00FF.
func Latin1(s []byte) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r > 0xff {
			return nil, fmt.Errorf("expected Latin-1, found %q", r)
		}
		out = append(out, byte(r))
		s = s[n:]
	}
	return out, nil
}

// unescape converts Python's raw-unicode-escape to UTF-8: Latin-1 with \uXXXX and \UXXXXXXXX.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, n := rune(s[0]), 1
		if r == '\\' && len(s) > 1 {
			switch s[1] {
			case 'u':
				n = 6
			case 'U':
				n = 10
			}
			v, err := strconv.ParseUint(string(s[min(2, n):min(n, len(s))]), 16, 32)
			if err != nil {
				n = 1
			} else {
				r = rune(v)
			}
		}
		out = utf8.AppendRune(out, r)
		s = s[min(n, len(s)):]
	}
	return out
}
