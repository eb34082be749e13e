package datasets

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// Open reads a data set in the pickle layout of MMSA (thuiar/MMSA, data_loader.py), as MOSI, MOSEI
// and CH-SIMS are published: a dict of train, valid and test, each a dict of
//
//	text_bert            [N 3 T_l]    WordPiece ids, mask, segments
//	audio, vision        [N T D]      padded at the end
//	regression_labels    [N]
//	audio_lengths, …     [N]          valid frames; where a file aligned to the words has none, the number of tokens
//	id, raw_text         [N]          optional, as is everything else
//
// Sizes come from the arrays, the name from the path, the range from the name or else the labels.
// An audio value of -Inf becomes 0, as there, and lengths are clamped to [1, T]. Any numeric type
// and any pickle protocol will do; nothing in the file is executed, and memory is bounded by a
// small multiple of its size.
//
// A file of [Pack] is opened as well.
func Open(path string) (*Set, error) { return OpenWith(path, Features{}) }

// OpenWith is Open with some features from other files.
func OpenWith(path string, own Features) (*Set, error) {
	if isPacked(path) {
		if own != (Features{}) {
			return nil, fmt.Errorf("datasets: %s: expected a pickle to replace features of, found a packed data set; give the features to recap data pack", path)
		}
		return openPacked(path)
	}
	var set *Set
	err := withFile(path, func(f io.ReaderAt, size int64) (err error) {
		set, err = read(path, f, size, own)
		return err
	})
	return set, err
}

func withFile(path string, use func(io.ReaderAt, int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf("datasets: %s: expected a file, found a directory; give the .pkl file itself", path)
	}
	return use(f, info.Size())
}

var splitNames = []string{"train", "valid", "test"}

// read reads a pickle into memory.
func read(path string, file io.ReaderAt, size int64, own Features) (*Set, error) {
	l, root, err := newLayout(path, file, size)
	if err != nil {
		return nil, err
	}
	if err := l.replace(own); err != nil {
		return nil, err
	}
	defer l.close()
	return l.set(root)
}

// set reads the splits.
func (l *layout) set(root dict) (*Set, error) {
	set := &Set{Name: setName(l.path)}
	for i, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
		d, err := l.find(root, splitNames[i])
		if err != nil {
			return nil, err
		}
		if *to, err = l.split(splitNames[i], d); err != nil {
			return nil, err
		}
		if (*to).Label == nil {
			return nil, l.mismatch(splitNames[i], "regression_labels", "none", "training and evaluation need them")
		}
		if found, want := (*to).Shape(), set.Train.Shape(); found != want {
			return nil, l.mismatch(splitNames[i], "as in train "+want.String(), found.String(), "make the features of all splits alike")
		}
	}
	set.Range = labelRange(set.Name, set.Train, set.Valid, set.Test)
	return set, nil
}

// setName returns mosi, mosei or sims where the file or one of its two folders says so, else the
// file's name.
func setName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	file := abs
	for range 3 {
		base := strings.ToLower(filepath.Base(abs))
		for _, name := range []string{"mosei", "mosi", "sims"} {
			if strings.Contains(base, name) {
				return name
			}
		}
		abs = filepath.Dir(abs)
	}
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

func labelRange(name string, splits ...*Split) [2]float64 {
	limit := 1.0
	for _, s := range splits {
		for _, y := range s.Label {
			if math.Abs(float64(y)) > 1 {
				limit = 3
			}
		}
	}
	switch name {
	case "sims":
		limit = 1
	case "mosi", "mosei":
		limit = 3
	}
	return [2]float64{-limit, limit}
}

// A layout reads the splits of one file.
type layout struct {
	path    string
	convert converter
	fixed   map[string]int // what was put right, and how often
	lazily  bool           // frames stay in the file where they can
	own     []replacement
}

// newLayout reads the file's outermost dict.
func newLayout(path string, file io.ReaderAt, size int64) (*layout, dict, error) {
	loader := unpickle.Loader{Name: path, Class: findClass}
	v, _, err := loader.Load(file, 0, size)
	if err != nil {
		return nil, nil, fmt.Errorf("datasets: %w", err)
	}
	l := &layout{path: path, convert: converter{left: unpickle.Free + 4*size}, fixed: map[string]int{}}
	root, ok := asDict(v)
	if !ok {
		return nil, nil, l.mismatch("", "a dict of train, valid and test", describe(v), "give a data set in MMSA's layout")
	}
	return l, root, nil
}

// mismatch says where in the file what is wrong.
func (l *layout) mismatch(where, expected, found, advice string) error {
	if where != "" {
		where = ": " + where
	}
	return fmt.Errorf("datasets: %s%s: expected %s, found %s; %s", l.path, where, expected, found, advice)
}

// A dict is a Python dict, in order.
type dict []types.DictEntry

func asDict(v any) (dict, bool) {
	switch v := v.(type) {
	case *types.Dict:
		return dict(*v), true
	case *types.OrderedDict:
		var d dict
		for e := v.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			d = append(d, types.DictEntry{Key: entry.Key, Value: entry.Value})
		}
		return d, true
	}
	return nil, false
}

// get returns the value of a key; of several, the last, as Python would.
func (d dict) get(key string) (any, bool) {
	for _, e := range slices.Backward(d) {
		if e.Key == key {
			return e.Value, true
		}
	}
	return nil, false
}

// keys lists the keys for a message.
func (d dict) keys() string {
	var names []string
	for _, e := range d {
		if s, ok := e.Key.(string); ok && len(names) < 20 {
			names = append(names, fmt.Sprintf("%.40s", s))
		}
	}
	if len(names) == 0 {
		return "no keys"
	}
	return "keys " + strings.Join(names, ", ")
}

// find returns the dict of a split.
func (l *layout) find(root dict, name string) (dict, error) {
	v, ok := root.get(name)
	if !ok {
		return nil, l.mismatch("", "split "+name, root.keys(), "give a data set in MMSA's layout, with train, valid and test")
	}
	d, ok := asDict(v)
	if !ok {
		return nil, l.mismatch(name, "a dict", describe(v), "give a data set in MMSA's layout")
	}
	return l.replaced(name, d)
}

// split reads one part of the data set. Labels may be absent.
func (l *layout) split(name string, d dict) (*Split, error) {
	s := &Split{}
	n, err := l.tokens(name, d, &s.Text)
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		key string
		to  *Frames
	}{{"audio", &s.Audio}, {"vision", &s.Vision}} {
		if err := l.frames(name, d, m.key, n, m.to); err != nil {
			return nil, err
		}
		if err := l.lengths(name, d, m.key, n, &s.Text, m.to); err != nil {
			return nil, err
		}
	}
	for i, x := range s.Audio.X {
		if math.IsInf(float64(x), -1) {
			s.Audio.X[i] = 0
			l.fixed[name+": audio: -Inf, read as 0"]++
		}
	}
	if _, ok := d.get("regression_labels"); ok {
		if s.Label, err = l.vector(name, d, "regression_labels", n); err != nil {
			return nil, err
		}
	}
	if s.RawText, err = l.texts(name, d, "raw_text", n); err != nil {
		return nil, err
	}
	if s.ID, err = l.texts(name, d, "id", n); err != nil {
		return nil, err
	}
	if s.ID == nil {
		for i := range n {
			s.ID = append(s.ID, fmt.Sprintf("%s$_$%d", name, i))
		}
	}
	return s, nil
}

// array reads an array of a rank, all of whose sizes are positive.
func (l *layout) array(name string, d dict, key, layout string, rank int) ([]float32, []int, error) {
	where := name + ": " + key
	v, ok := d.get(key)
	if !ok {
		return nil, nil, l.mismatch(name, key, d.keys(), "give a data set in MMSA's layout")
	}
	x, shape, err := l.convert.numbers(v)
	if err != nil {
		return nil, nil, l.mismatch(where, "numbers "+layout, err.Error(), "save it as a numeric array")
	}
	if len(shape) != rank || slices.Contains(shape, 0) {
		return nil, nil, l.mismatch(where, "numbers "+layout, fmt.Sprint(shape), "save it in this shape")
	}
	return x, shape, nil
}

// tokens reads text_bert and returns the number of utterances.
func (l *layout) tokens(name string, d dict, to *Tokens) (n int, err error) {
	if _, ok := d.get("text_bert"); !ok {
		if _, ok := d.get("text"); ok {
			return 0, l.mismatch(name, "text_bert", "text features only", "RECAP needs text_bert, the tokens for BERT")
		}
	}
	x, shape, err := l.array(name, d, "text_bert", "[N 3 T]", 3)
	if err != nil {
		return 0, err
	}
	if shape[1] != 3 {
		return 0, l.mismatch(name+": text_bert", "[N 3 T]", fmt.Sprint(shape), "its rows are ids, mask and segments")
	}
	n, to.T = shape[0], shape[2]
	if err := l.convert.spend(8 * int64(n*to.T)); err != nil {
		return 0, l.mismatch(name, "text_bert", err.Error(), "give a data set in MMSA's layout")
	}
	to.ID, to.Mask, to.Segment = make([]int32, n*to.T), make([]float32, n*to.T), make([]int32, n*to.T)
	for i := range n {
		row := x[3*i*to.T:][:3*to.T]
		copy(to.Mask[i*to.T:], row[to.T:2*to.T])
		if err := errors.Join(integers(to.ID[i*to.T:], row[:to.T]), integers(to.Segment[i*to.T:], row[2*to.T:])); err != nil {
			return 0, l.mismatch(fmt.Sprintf("%s: text_bert: utterance %d", name, i), "token ids and segments from 0 to 2²⁴", err.Error(), "save the tokenizer's output")
		}
	}
	return n, nil
}

func integers(dst []int32, src []float32) error {
	for i, v := range src {
		if !(v >= 0 && v < 1<<24) || v != float32(int32(v)) {
			return fmt.Errorf("%v", v)
		}
		dst[i] = int32(v)
	}
	return nil
}

func (l *layout) frames(name string, d dict, key string, n int, to *Frames) error {
	var shape []int
	var err error
	v, _ := d.get(key)
	if file, ok := lazy(v, key == "audio"); ok && l.lazily && len(v.(*ndarray).shape) == 3 && v.(*ndarray).len() > 0 {
		to.file, shape = file, v.(*ndarray).shape
	} else if to.X, shape, err = l.array(name, d, key, "[N T D]", 3); err != nil {
		return err
	}
	if shape[0] != n {
		return l.mismatch(name+": "+key, fmt.Sprintf("%d utterances as in text_bert", n), fmt.Sprint(shape), "save one row for each utterance")
	}
	to.T, to.D = shape[1], shape[2]
	return nil
}

// lengths reads the valid frames of each utterance, or takes the tokens' number in a file aligned
// to them.
func (l *layout) lengths(name string, d dict, key string, n int, text *Tokens, to *Frames) error {
	to.Len = make([]int, n)
	var given []float32
	var err error
	if _, ok := d.get(key + "_lengths"); ok {
		if given, err = l.vector(name, d, key+"_lengths", n); err != nil {
			return err
		}
	} else if to.T != text.T && to.T != 1 {
		return l.mismatch(name, key+"_lengths", d.keys(), fmt.Sprintf("only a file whose %s has a frame a token can do without", key))
	}
	for i := range to.Len {
		length := text.length(i)
		if given != nil {
			length = int(min(max(given[i], 0), 1<<24))
		}
		to.Len[i] = min(max(length, 1), to.T)
		if given != nil && float32(to.Len[i]) != given[i] {
			l.fixed[fmt.Sprintf("%s: %s_lengths: not in 1 to %d, clamped", name, key, to.T)]++
		}
	}
	return nil
}

// vector reads a number for each utterance, of shape [N] or [N 1].
func (l *layout) vector(name string, d dict, key string, n int) ([]float32, error) {
	v, _ := d.get(key)
	x, shape, err := l.convert.numbers(v)
	if err != nil {
		return nil, l.mismatch(name+": "+key, "numbers [N]", err.Error(), "save it as a numeric array")
	}
	if len(x) != n {
		return nil, l.mismatch(name+": "+key, fmt.Sprintf("%d numbers, one for each row of text_bert", n), fmt.Sprint(shape), "save one for each utterance")
	}
	return x, nil
}

// texts reads a string for each utterance, or nil where the file has none.
func (l *layout) texts(name string, d dict, key string, n int) ([]string, error) {
	v, ok := d.get(key)
	if !ok || v == nil {
		return nil, nil
	}
	s, err := l.convert.texts(v)
	if err != nil {
		return nil, l.mismatch(name+": "+key, "strings [N]", err.Error(), "save it as a list of strings")
	}
	if len(s) != n {
		return nil, l.mismatch(name+": "+key, fmt.Sprintf("%d strings, one for each row of text_bert", n), fmt.Sprint(len(s)), "save one for each utterance")
	}
	return s, nil
}
