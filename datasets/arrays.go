package datasets

import (
	"cmp"
	"fmt"
	"slices"
)

// array reads an array of the given rank whose sizes are all positive.
func (l *layout) array(
	name string, d dict, key, layout string, rank int,
) ([]float32, []int, error) {
	where := name + ": " + key
	v, ok := d.get(key)
	if !ok {
		return nil, nil, l.mismatch(name, key, d.keys(), "give a data set in MMSA's layout")
	}
	x, shape, err := l.convert.numbers(v)
	if err != nil {
		return nil, nil, l.mismatch(where, "numbers "+layout, err.Error(),
			"save it as a numeric array")
	}
	if len(shape) == rank && shape[0] == 0 {
		return nil, nil, l.mismatch(where, "one utterance or more", "none",
			"move some of another split into this one")
	}
	if len(shape) != rank || slices.Contains(shape, 0) {
		return nil, nil, l.mismatch(where, "numbers "+layout, fmt.Sprint(shape),
			"save it in this shape")
	}
	return x, shape, nil
}

// tokens reads text_bert and returns the number N of utterances.
func (l *layout) tokens(name string, d dict, to *Tokens) (n int, err error) {
	if _, ok := d.get("text_bert"); !ok {
		if _, ok := d.get("text"); ok {
			return 0, l.mismatch(name, "text_bert", "text features only",
				"RECAP needs text_bert, the token ids for BERT")
		}
	}
	x, shape, err := l.rows(name, d, "text_bert", "[N 3 T]")
	if err != nil {
		return 0, err
	}
	if shape[1] != 3 {
		advice := "its rows are ids, mask and segments"
		if shape[2] == 3 {
			advice = "save it after .transpose(0, 2, 1)"
		}
		return 0, l.mismatch(name+": text_bert", "[N 3 T]", fmt.Sprint(shape), advice)
	}
	n, to.T = shape[0], shape[2]
	if err := l.convert.spend(20 * int64(n*to.T)); err != nil {
		return 0, l.mismatch(name, "text_bert", err.Error(), "give a data set in MMSA's layout")
	}
	to.ID, to.Mask, to.Segment = make([]int, n*to.T), make([]float32, n*to.T), make([]int, n*to.T)
	row := make([]float32, 3*to.T)
	for i := range n {
		if err := x.Read(row, i*len(row)); err != nil {
			return 0, fmt.Errorf("datasets: %s: %s: text_bert: %w", l.path, name, err)
		}
		copy(to.Mask[i*to.T:], row[to.T:2*to.T])
		if err := cmp.Or(integers(to.ID[i*to.T:], row[:to.T]),
			integers(to.Segment[i*to.T:], row[2*to.T:])); err != nil {
			return 0, l.mismatch(fmt.Sprintf("%s: text_bert: utterance %d", name, i),
				fmt.Sprintf("token ids and segments from 0 to %d", maxID), err.Error(),
				"save the tokenizer's output")
		}
	}
	return n, nil
}

// maxID is the largest token id that is accepted. The vocabularies of BERT and its multilingual
// successors have up to 250,000 tokens; a model has a row of its embedding for each id up to the
// largest one of the data.
const maxID = 1<<20 - 1

// integers converts token ids or segments.
func integers(dst []int, src []float32) error {
	for i, v := range src {
		if !(v >= 0 && v <= maxID) || v != float32(int(v)) {
			return fmt.Errorf("%v", v)
		}
		dst[i] = int(v)
	}
	return nil
}

// rows returns an array of rank 3 to be read row by row: from the file if its format allows it,
// else from memory.
func (l *layout) rows(name string, d dict, key, layout string) (numbers, []int, error) {
	v, _ := d.get(key)
	var zeroed func()
	if key == "audio" {
		zeroed = func() { l.zeroInAudio(name) }
	}
	if file, ok := lazy(v, zeroed); ok && len(v.(*ndarray).shape) == 3 {
		return file, v.(*ndarray).shape, nil
	}
	x, shape, err := l.array(name, d, key, layout, 3)
	return inMemory(x), shape, err
}

// zeroInAudio counts a -Inf that is read as 0.
func (l *layout) zeroInAudio(split string) { l.repaired[split+": audio: -Inf, read as 0"]++ }

// inMemory is an array that has been read.
type inMemory []float32

// Read implements numbers.
func (x inMemory) Read(dst []float32, first int) error {
	copy(dst, x[first:])
	return nil
}

// oneZero returns frames of a modality that a data set does not have: one of zero for each
// utterance, as [Open] reads it.
func oneZero(n int) Frames {
	return Frames{T: 1, D: 1, X: make([]float32, n), Len: slices.Repeat([]int{1}, n)}
}

// missing returns frames of a modality that is missing in each utterance to predict: none.
func missing(n int) Frames { return Frames{X: []float32{}, Len: make([]int, n)} }

func (l *layout) frames(name string, d dict, key string, n int, to *Frames) (err error) {
	var shape []int
	if l.lazily {
		to.file, shape, err = l.rows(name, d, key, "[N T D]")
		if x, ok := to.file.(inMemory); ok {
			to.X, to.file = x, nil
		}
	} else {
		to.X, shape, err = l.array(name, d, key, "[N T D]", 3)
	}
	if err != nil {
		return err
	}
	if shape[0] != n {
		return l.mismatch(name+": "+key, fmt.Sprintf("%d utterances as in text_bert", n),
			fmt.Sprint(shape), "save one row for each utterance")
	}
	to.T, to.D = shape[1], shape[2]
	if to.file != nil {
		to.fileSteps = to.T
	}
	return nil
}

// lengths reads the number of valid frames of each utterance. In a file aligned to the words it
// may be absent, and the number of tokens is used. A list of sequences has lengths of its own.
func (l *layout) lengths(name string, d dict, key string, n int, text *Tokens, to *Frames) error {
	to.Len = make([]int, n)
	var given []float32
	var err error
	v, _ := d.get(key)
	steps := itemLengths(v)
	own := longest(steps) > 0
	if _, ok := d.get(key + "_lengths"); ok {
		if given, err = l.vector(name, d, key+"_lengths", n); err != nil {
			return err
		}
	} else if own || steps != nil && to.T != text.T {
		for _, length := range steps {
			given = append(given, float32(length))
		}
	} else if to.T != text.T && to.T != 1 {
		return l.mismatch(name, key+"_lengths", d.keys(),
			fmt.Sprintf("lengths may be absent only if %s has one frame for each token", key))
	}
	for i := range to.Len {
		length := text.length(i)
		if own && max(given[i], 1) != float32(max(steps[i], 1)) {
			return l.mismatch(fmt.Sprintf("%s: %s_lengths: utterance %d", name, key, i),
				fmt.Sprintf("%d, the number of its frames", steps[i]), fmt.Sprint(given[i]),
				"save the number of frames")
		}
		if given != nil {
			if given[i] != given[i] {
				return l.mismatch(fmt.Sprintf("%s: %s_lengths: utterance %d", name, key, i),
					"a number of frames", "NaN", "save the number of frames before the padding")
			}
			length = int(min(max(given[i], 0), 1<<24))
		}
		to.Len[i] = min(max(length, 1), to.T)
		if given != nil && float32(to.Len[i]) != given[i] {
			l.repaired[fmt.Sprintf("%s: %s_lengths: not in 1 to %d, clamped", name, key, to.T)]++
		}
	}
	return nil
}

// vector reads a number for each utterance, from an array [N] or [N 1].
func (l *layout) vector(name string, d dict, key string, n int) ([]float32, error) {
	v, _ := d.get(key)
	x, shape, err := l.convert.numbers(v)
	if err != nil {
		return nil, l.mismatch(name+": "+key, "numbers [N]", err.Error(),
			"save it as a numeric array")
	}
	if len(x) != n {
		return nil, l.mismatch(name+": "+key,
			fmt.Sprintf("%d numbers, one for each row of text_bert", n), fmt.Sprint(shape),
			"save one for each utterance")
	}
	return x, nil
}

// texts reads a string for each utterance. It returns nil if the file does not have the key.
func (l *layout) texts(name string, d dict, key string, n int) ([]string, error) {
	v, ok := d.get(key)
	if !ok || v == nil {
		return nil, nil
	}
	s, err := l.convert.texts(v)
	if err != nil {
		return nil, l.mismatch(name+": "+key, "strings [N]", err.Error(),
			"save it as a list of strings")
	}
	if len(s) != n {
		return nil, l.mismatch(name+": "+key,
			fmt.Sprintf("%d strings, one for each row of text_bert", n), fmt.Sprint(len(s)),
			"save one for each utterance")
	}
	return s, nil
}
