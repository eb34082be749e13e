package datasets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// byteOrderMark begins a text file of some editors, in UTF-8.
var byteOrderMark = []byte("\ufeff")

// An utterance is what the JSON text of an utterance holds.
type utterance struct {
	id, rawText string
	tokens      [3][]float32 // ids, mask and segments; nil if there is no text
	audio       matrix
	vision      matrix
	label       *float32
}

// A matrix holds n rows of numbers in row-major order, none where a modality is missing.
type matrix struct {
	n int
	x []float32
}

// A jsonReader reads utterances from JSON text: an array of objects, or objects one after the
// other, such as JSON lines. It holds a number of the text at a time, for features may be large.
type jsonReader struct {
	*json.Decoder
	path   string
	limit  int64 // of the memory that the utterances may need, in bytes
	text   io.ReaderAt
	start  int64 // offset of the text in the file, after a byte order mark
	all    []utterance
	widths map[string]int // numbers in a row, by key
	number float32

	// where it reads, for messages
	current *utterance // nil between two utterances
	key     string
	row     int // -1 outside of rows
	column  int // -1 outside of a row
}

func readJSON(path string, file io.ReaderAt, size int64) (*Split, error) {
	head := make([]byte, len(byteOrderMark))
	r := &jsonReader{path: path, limit: unpickle.BaseMemory + 2*size, widths: map[string]int{},
		row: -1, column: -1}
	if _, err := file.ReadAt(head, 0); err == nil && bytes.Equal(head, byteOrderMark) {
		r.start = int64(len(head))
	}
	text := io.NewSectionReader(file, r.start, size-r.start)
	r.text, r.Decoder = text, json.NewDecoder(bufio.NewReaderSize(text, 1<<16))
	if err := r.utterances(); err != nil {
		return nil, err
	}
	return r.split()
}

// utterances reads the whole text.
func (r *jsonReader) utterances() error {
	expected := "an utterance or the end of the file"
	first, _ := r.rest(0)
	array := bytes.HasPrefix(first, []byte("["))
	if array {
		expected = "the end of the file after the array of utterances"
		if err := r.delim('['); err != nil {
			return err
		}
	}
	for r.More() {
		u := utterance{}
		r.current = &u
		if err := r.utterance(&u); err != nil {
			return err
		}
		r.all, r.current = append(r.all, u), nil
		if need := int64(len(r.all)) * utteranceCost; need > r.limit {
			return r.tooLarge(need)
		}
	}
	if array {
		if err := r.delim(']'); err != nil {
			return err
		}
	}
	at := r.InputOffset()
	if _, err := r.Token(); err != io.EOF {
		return r.fault(at, err, expected)
	}
	return nil
}

// utterance reads one object.
func (r *jsonReader) utterance(u *utterance) error {
	if err := r.delim('{'); err != nil {
		return err
	}
	for r.More() {
		at := r.InputOffset()
		token, err := r.Token()
		name, ok := token.(string)
		if !ok {
			return r.fault(at, err, "a key in quotes")
		}
		r.key = strings.ToLower(name)
		if err := r.field(u, at); err != nil {
			return err
		}
		r.key = ""
	}
	if err := r.delim('}'); err != nil {
		return err
	}
	if u.tokens[0] == nil && u.audio.n == 0 && u.vision.n == 0 {
		return r.fail("expected text_bert, audio or vision, found none of them")
	}
	return nil
}

// field reads the value of a key, which begins at an offset.
func (r *jsonReader) field(u *utterance, at int64) (err error) {
	switch r.key {
	case "id":
		err = r.decode(&u.id, "a string")
	case "raw_text":
		err = r.decode(&u.rawText, "a string")
	case "label":
		err = r.decode(&u.label, "a number")
	case "audio":
		u.audio, err = r.matrix(r.key)
	case "vision":
		u.vision, err = r.matrix(r.key)
	case "text_bert":
		delete(r.widths, r.key)
		var m matrix
		if m, err = r.matrix(r.key); err == nil && m.n > 0 {
			err = r.tokens(u, m)
		}
	default:
		r.key = ""
		err = r.fault(at, nil, "one of the keys id, raw_text, text_bert, audio, vision and label")
	}
	return err
}

// tokens sets the tokens of an utterance.
func (r *jsonReader) tokens(u *utterance, m matrix) error {
	if m.n != 3 {
		return r.fail("expected three rows, ids, mask and segments, found %d", m.n)
	}
	width := len(m.x) / 3
	u.tokens = [3][]float32(slices.Collect(slices.Chunk(m.x, width)))
	id := make([]int, 1)
	for i, x := range m.x {
		r.row, r.column = i/width, i%width
		switch {
		case r.row == 0 && integers(id, m.x[i:i+1]) != nil:
			return r.fail("expected a whole number from 0 to %d, found %v", maxID, x)
		case r.row > 0 && x != 0 && x != 1:
			return r.fail("expected 0 or 1, found %v", x)
		case r.row == 1 && r.column > 0 && x > m.x[i-1]:
			return r.fail("expected ones, then zeros, found 1 after 0")
		}
	}
	r.row, r.column = -1, -1
	return nil
}

// matrix reads rows of numbers; null and an empty array are no rows. All rows of a key have as
// many numbers as the first.
func (r *jsonReader) matrix(key string) (m matrix, err error) {
	at := r.InputOffset()
	switch token, err := r.Token(); {
	case err == nil && token == nil:
		return m, nil
	case token != json.Delim('['):
		return m, r.fault(at, err, "rows of numbers, or null")
	}
	for ; r.More(); m.n++ {
		r.row = m.n
		before := len(m.x)
		if m.x, err = r.numbers(m.x); err != nil {
			return m, err
		}
		found := len(m.x) - before
		switch want, ok := r.widths[key]; {
		case found == 0:
			return m, r.fail("expected numbers, found none")
		case ok && found != want:
			return m, r.fail("expected %d numbers as in the first, found %d", want, found)
		}
		r.widths[key] = found
	}
	r.row = -1
	return m, r.delim(']')
}

// numbers appends the numbers of an array to x.
func (r *jsonReader) numbers(x []float32) ([]float32, error) {
	if err := r.delim('['); err != nil {
		return nil, err
	}
	for r.column = 0; r.More(); r.column++ {
		r.number = float32(math.NaN()) // null leaves it
		at := r.InputOffset()
		if err := r.Decode(&r.number); err != nil || math.IsNaN(float64(r.number)) {
			return nil, r.fault(at, err, "a number of at most ±3.4e38")
		}
		x = append(x, r.number)
	}
	r.column = -1
	return x, r.delim(']')
}

// decode reads a value of the type of *to; null leaves it.
func (r *jsonReader) decode(to any, expected string) error {
	at := r.InputOffset()
	if err := r.Decode(to); err != nil {
		return r.fault(at, err, expected)
	}
	return nil
}

// delim reads one of the characters [ ] { and }.
func (r *jsonReader) delim(want json.Delim) error {
	at := r.InputOffset()
	if token, err := r.Token(); token != want {
		return r.fault(at, err, fmt.Sprintf("%q", want.String()))
	}
	return nil
}

// rest returns the first characters of the token after an offset, and the token's offset.
func (r *jsonReader) rest(at int64) ([]byte, int64) {
	text := make([]byte, 256)
	n, _ := r.text.ReadAt(text, at)
	rest := bytes.TrimLeft(text[:n], " \t\r\n,:")
	return rest, at + int64(n-len(rest))
}

// fault returns the error for a token after an offset that is not what was expected. err is the
// decoder's.
func (r *jsonReader) fault(at int64, err error, expected string) error {
	rest, at := r.rest(at)
	found := "the end of the file"
	if n := bytes.IndexAny(rest, ":,]}\n"); n > 0 {
		rest = rest[:n]
	}
	if len(rest) > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
		found = fmt.Sprintf("%#.30q", rest)
	}
	var other *json.UnmarshalTypeError
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) &&
		!errors.As(err, &other) { // the syntax, or an error of the disk
		found += " (" + err.Error() + ")"
	}
	return r.fail("byte %d: expected %s, found %s", r.start+at, expected, found)
}

// fail returns an error at the place where r reads.
func (r *jsonReader) fail(format string, args ...any) error {
	place := ""
	if r.current != nil {
		place = utteranceName(len(r.all), r.current.id) + ": "
	}
	if r.key != "" {
		place += r.key + ": "
	}
	if r.row >= 0 {
		place += rowName(r.key, r.row) + ": "
	}
	if r.column >= 0 {
		place += fmt.Sprintf("number %d: ", r.column)
	}
	return fmt.Errorf("datasets: %s: %s%w; see recap predict --help", r.path, place,
		fmt.Errorf(format, args...))
}

// utteranceName names utterance i in messages.
func utteranceName(i int, id string) string {
	if id == "" {
		return fmt.Sprintf("utterance %d", i)
	}
	return fmt.Sprintf("utterance %d (%.60q)", i, id)
}

// rowName names row i of the array with a key.
func rowName(key string, i int) string {
	if key == "text_bert" {
		return fmt.Sprintf("row %d (%s)", i, [...]string{"ids", "mask", "segments"}[min(i, 2)])
	}
	return fmt.Sprintf("frame %d", i)
}

// utteranceCost is the memory in bytes that an utterance needs besides its numbers,
// garbage included.
const utteranceCost = 1200

// tooLarge returns the error for utterances that need more memory than r.limit.
func (r *jsonReader) tooLarge(need int64) error {
	return fmt.Errorf(
		"datasets: %s: expected sequences of similar length, found some so long or so many "+
			"utterances that they need %d MB; split the file by length", r.path, need>>20,
	)
}

// split returns the utterances, padded to the longest of each modality. It is an error if that
// needs more memory than r.limit.
func (r *jsonReader) split() (*Split, error) {
	if len(r.all) == 0 {
		return nil, r.fail("expected utterances, found an empty array")
	}
	s := &Split{Language: Tokens{T: 2}, Audio: Frames{D: r.widths["audio"]},
		Vision: Frames{D: r.widths["vision"]}}
	labels := 0
	for i := range r.all {
		u := &r.all[i]
		s.Language.T = max(s.Language.T, len(u.tokens[0]))
		s.Audio.T, s.Vision.T = max(s.Audio.T, u.audio.n), max(s.Vision.T, u.vision.n)
		if u.label != nil {
			labels++
		}
	}
	if labels != 0 && labels != len(r.all) {
		return nil, r.fail("expected a label in each utterance or in none, found %d of %d", labels,
			len(r.all))
	}
	if need := int64(len(r.all)) * int64(utteranceCost+20*s.Language.T+
		4*s.Audio.T*s.Audio.D+4*s.Vision.T*s.Vision.D); need > r.limit {
		return nil, r.tooLarge(need)
	}
	s.fill(r.all)
	return s, nil
}

// fill allocates the arrays, whose T and D have been set, and copies the utterances to them. Text
// that is missing has the tokens [CLS] and [SEP].
func (s *Split) fill(all []utterance) {
	n := len(all)
	t, a, v := &s.Language, &s.Audio, &s.Vision
	t.ID, t.Mask, t.Segment = make([]int, n*t.T), make([]float32, n*t.T), make([]int, n*t.T)
	a.X, v.X = make([]float32, n*a.T*a.D), make([]float32, n*v.T*v.D)
	for i, u := range all {
		s.ID = append(s.ID, u.id)
		s.RawText = append(s.RawText, u.rawText)
		if u.label != nil {
			s.Label = append(s.Label, *u.label)
		}
		if u.tokens[0] == nil {
			u.tokens = [3][]float32{{ClsID, SepID}, {1, 1}, {0, 0}}
		}
		integers(t.ID[i*t.T:], u.tokens[0])
		copy(t.Mask[i*t.T:], u.tokens[1])
		integers(t.Segment[i*t.T:], u.tokens[2])
		copy(a.X[i*a.T*a.D:], u.audio.x)
		copy(v.X[i*v.T*v.D:], u.vision.x)
		a.Len, v.Len = append(a.Len, u.audio.n), append(v.Len, u.vision.n)
	}
}
