package runs

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// logged returns what f logs, without the times.
func logged(f func(log *slog.Logger)) string {
	var b bytes.Buffer
	f(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
	return b.String()
}

// tokens returns sequences of four tokens, of which 0 is padding.
func tokens(sequences ...[4]int) datasets.Tokens {
	x := datasets.Tokens{T: 4}
	for _, s := range sequences {
		for _, id := range s {
			x.ID = append(x.ID, id)
			x.Mask = append(x.Mask, float32(min(id, 1)))
		}
	}
	return x
}

// TestLogText has texts with 0 to 2 words, known and not. 100 is [UNK], 101 and 102 are the first
// and the last token.
func TestLogText(t *testing.T) {
	const unknown = datasets.UnkID
	for _, c := range []struct {
		what string
		s    datasets.Split
		want string
	}{
		{"all", datasets.Split{ID: []string{"word", "unknown", "two", "half", "none", "nothing"},
			Language: tokens([4]int{101, 7, 102}, [4]int{101, unknown, 102},
				[4]int{101, unknown, unknown, 102}, [4]int{101, unknown, 7, 102},
				[4]int{101, 102}, [4]int{})},
			`level=WARN msg="text without words" utterances=2 of=6 first=none` + "\n" +
				`level=WARN msg="text of unknown words alone, [UNK]" utterances=2 of=6 ` +
				"first=unknown\n"},
		{"words", datasets.Split{ID: []string{"a", "b"}, Language: tokens([4]int{101, 7, 102},
			[4]int{101, 7, unknown, 102})}, ""},
	} {
		if got := logged(func(log *slog.Logger) { logText(&c.s, log) }); got != c.want {
			t.Errorf("%s: log %s, want %s", c.what, got, c.want)
		}
	}
}

func TestLogMissing(t *testing.T) {
	s := datasets.Split{ID: []string{"a", "b", "c"}}
	for _, c := range []struct {
		audio, vision []int
		want          string
	}{
		{[]int{1, 2, 3}, []int{3, 1, 1}, ""},
		{[]int{2, 0, 0}, []int{0, 1, 1},
			`level=INFO msg="predicted without audio" utterances=2 of=3 first=b` + "\n" +
				`level=INFO msg="predicted without vision" utterances=1 of=3 first=a` + "\n"},
	} {
		s.Audio.Len, s.Vision.Len = c.audio, c.vision
		if got := logged(func(log *slog.Logger) { logMissing(&s, log) }); got != c.want {
			t.Errorf("%v, %v: log %s, want %s", c.audio, c.vision, got, c.want)
		}
	}
}

// TestTextOnlySplit has a text that fits, one that is cut from five words to two, and one with a
// word that is not in the vocabulary.
func TestTextOnlySplit(t *testing.T) {
	tokenizer, err := wordpiece.New([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad"},
		true)
	if err != nil {
		t.Fatal(err)
	}
	d := zoo.Dims{TextT: 4, AudioT: 2, AudioD: 3, VisionT: 1, VisionD: 2}
	texts := []string{"Good", "bad good bad bad good", "film bad"}
	var got *datasets.Split
	log := logged(func(log *slog.Logger) { got = textOnlySplit(texts, tokenizer, d, log) })
	one := []int{1, 1, 1}
	language := tokens([4]int{2, 4, 3}, [4]int{2, 5, 4, 3}, [4]int{2, 1, 5, 3})
	language.Segment = make([]int, 12)
	want := &datasets.Split{ID: texts, RawText: texts, Language: language,
		Audio:  datasets.Frames{T: 2, D: 3, X: make([]float32, 18), Len: one},
		Vision: datasets.Frames{T: 1, D: 2, X: make([]float32, 6), Len: one}}
	if diff := cmp.Diff(got, want, cmpopts.IgnoreUnexported(datasets.Frames{})); diff != "" {
		t.Error(diff)
	}
	if want := `level=WARN msg="text longer than the model's 4 tokens is cut" cut=3 of=14` + "\n" +
		`level=WARN msg="words that are not in the vocabulary are read as [UNK]" words=1 ` +
		"tokens=11\n"; log != want {
		t.Errorf("log %s, want %s", log, want)
	}
	log = logged(func(log *slog.Logger) { textOnlySplit(texts[:1], tokenizer, d, log) })
	if log != "" {
		t.Errorf("log %s of a text that fits", log)
	}
}
