package wordpiece

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
)

// A golden is what the tokenizers library makes of texts (testdata/golden.py).
type golden struct {
	Texts []string
	Cases map[string]struct {
		Vocab []string
		Lower bool
		IDs   [][]int
	}
}

func readGolden(t testing.TB) golden {
	t.Helper()
	var g golden
	text, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func tokens(t *Tokenizer, ids []int) []string {
	var s []string
	for _, id := range ids {
		s = append(s, t.Token(id))
	}
	return s
}

// TestTokensAreTheReference compares all texts with a part of each vocabulary, and with the whole
// where RECAP_BERT_VOCAB is its folder.
func TestTokensAreTheReference(t *testing.T) {
	g := readGolden(t)
	if len(g.Texts) < 400 {
		t.Fatalf("%d texts", len(g.Texts))
	}
	for name, c := range g.Cases {
		part, err := New(c.Vocab, c.Lower)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]*Tokenizer{name: part}
		if dir := os.Getenv("RECAP_BERT_VOCAB"); dir != "" {
			f, err := os.Open(filepath.Join(dir, name+"-vocab.txt"))
			if err != nil {
				t.Fatal(err)
			}
			vocab, err := readVocab(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if all[name+", whole"], err = New(vocab, c.Lower); err != nil {
				t.Fatal(err)
			}
		}
		for kind, tokenizer := range all {
			wrong := 0
			for i, text := range g.Texts {
				want := slices.Concat([]string{"[CLS]"}, tokens(part, c.IDs[i]), []string{"[SEP]"})
				if got := tokens(tokenizer,
					tokenizer.Encode(text, math.MaxInt)); !slices.Equal(got, want) {
					wrong++
					t.Errorf("%s: %q: %s", kind, text, cmp.Diff(want, got))
				}
			}
			t.Logf("%s: %d texts, %d wrong", kind, len(g.Texts), wrong)
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	c := readGolden(t).Cases["bert-base-uncased"]
	tokenizer, err := New(c.Vocab, true)
	if err != nil {
		t.Fatal(err)
	}
	text := "I really loved this film [SEP], from start to finish!"
	whole := tokenizer.Encode(text, 100)
	for maxLen := 2; maxLen <= len(whole)+1; maxLen++ {
		got := tokenizer.Encode(text, maxLen)
		want := slices.Clone(whole[:min(maxLen, len(whole))])
		want[len(want)-1] = whole[len(whole)-1]
		if !slices.Equal(got, want) {
			t.Errorf("at maxLen %d: %q, want %q", maxLen, tokens(tokenizer, got),
				tokens(tokenizer, want))
		}
	}
}

func TestOpen(t *testing.T) {
	const vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nfilm\nFilm\n##s\r\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // of "Films", or the error
	}{
		"uncased": {map[string]string{"vocab.txt": vocab}, "film ##s"},
		"cased": {map[string]string{"vocab.txt": vocab,
			"tokenizer_config.json": `{"do_lower_case": false}`}, "Film ##s"},
		"settings": {map[string]string{"vocab.txt": vocab,
			"tokenizer_config.json": `{"do_lower_case": true, "strip_accents": null,
				"tokenize_chinese_chars": true}`}, "film ##s"},
		"no vocabulary": {nil, "expected the vocabulary of a Hugging Face model"},
		"other settings": {map[string]string{"vocab.txt": vocab,
			"tokenizer_config.json": `{"strip_accents": false}`},
			"only tokenizers built as BERT's are supported"},
		"half settings": {map[string]string{"vocab.txt": vocab,
			"tokenizer_config.json": `{"strip`}, "expected a tokenizer's settings"},
		"no [SEP]": {map[string]string{"vocab.txt": "[CLS]\n[UNK]\n"},
			"expected the token [SEP], found 2 tokens without it"},
		"blank lines": {map[string]string{"vocab.txt": "\n" + vocab + "\n\n"}, "film ##s"},
		"binary": {map[string]string{"vocab.txt": "a\n" + strings.Repeat("\xff", 1<<20)},
			"line 2: expected a token of less than 1024 bytes"},
		"empty": {map[string]string{"vocab.txt": ""}, "expected the token [CLS], found 0 tokens"},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tokenizer, err := Open(dir)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join(tokens(tokenizer, tokenizer.Encode("Films", 9)), " ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestErrorsOfOpen has the whole messages, and files that are closed.
func TestErrorsOfOpen(t *testing.T) {
	const vocab, settings = "vocab.txt", "tokenizer_config.json"
	const others = ": expected strip_accents as do_lower_case and tokenize_chinese_chars true, " +
		"found others; only tokenizers built as BERT's are supported"
	for _, c := range []struct{ vocab, settings, want string }{
		{"[CLS]\n[SEP]\n", "{}", vocab + ": wordpiece: expected the token [UNK], found 2 tokens " +
			"without it; use the model's own vocab.txt"},
		{"a\n" + strings.Repeat("b", 1024) + "\n", "{}", vocab + ": line 2: expected a token of " +
			"less than 1024 bytes, found a longer line; this is not a vocabulary of BERT"},
		{"", "[]", settings + ": expected a tokenizer's settings, found json: cannot unmarshal " +
			"array into Go value of type"},
		{"", `{"do_lower_case": false, "strip_accents": true}`, settings + others},
		{"", `{"do_lower_case": true, "strip_accents": false}`, settings + others},
		{"", `{"tokenize_chinese_chars": false}`, settings + others},
		{"[CLS]\n[SEP]\n[UNK]\n" + strings.Repeat("b", 1023) + "\n",
			`{"do_lower_case": false, "strip_accents": false}`, ""},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{vocab: c.vocab, settings: c.settings} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(dir)
		got := ""
		if err != nil {
			got = strings.ReplaceAll(strings.TrimPrefix(err.Error(), "wordpiece: "), dir+"/", "")
		}
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
		if open := filestest.Open(dir); len(open) > 0 {
			t.Errorf("%s: not closed: %q", c.want, open)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, settings), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.HasPrefix(err.Error(), "wordpiece: ") ||
		!strings.Contains(err.Error(), "found a directory") {
		t.Error(err)
	}
}

// TestLimitsOfVocabularies reads 2²⁰ tokens, and not one more.
func TestLimitsOfVocabularies(t *testing.T) {
	if vocab, err := readVocab(strings.NewReader(strings.Repeat("\n", 1<<20))); err != nil ||
		len(vocab) != 1<<20 {
		t.Errorf("%d tokens, %v", len(vocab), err)
	}
	_, err := readVocab(strings.NewReader(strings.Repeat("\n", 1<<20+1)))
	if err == nil || err.Error() != "line 1048577: expected at most 1048576 tokens; this is not a "+
		"vocabulary of BERT" {
		t.Error(err)
	}
	broken := errors.New("bad sector")
	_, err = readVocab(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken)))
	if err != broken {
		t.Error(err)
	}
}

// TestTokensOfAVocabulary counts them, and takes a special token that it does not have for text.
func TestTokensOfAVocabulary(t *testing.T) {
	tokenizer, err := New([]string{"[CLS]", "[SEP]", "[UNK]", "good"}, true)
	if err != nil || tokenizer.Len() != 4 || tokenizer.Token(3) != "good" {
		t.Fatal(err, tokenizer)
	}
	got := tokenizer.Encode("good[MASK] [UNK][PAD]Good", 20)
	if want := []int{0, 3, 2, 2, 2, 2, 2, 2, 2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	defer func() {
		if got := recover(); got != "wordpiece: Encode: at most 1 tokens: want at least 2" {
			t.Errorf("panics with %v", got)
		}
	}()
	if got := tokenizer.Encode("good", 2); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("%v of 2 tokens", got)
	}
	tokenizer.Encode("good", 1)
}

// TestLongWords has a word of 100 letters of two bytes, and one of 101.
func TestLongWords(t *testing.T) {
	tokenizer, err := New([]string{"[CLS]", "[SEP]", "[UNK]", "ж", "##ж"}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]int{0, 3}, slices.Repeat([]int{4}, 99)...)
	if got := tokenizer.Encode(strings.Repeat("ж", 100), 200); !slices.Equal(got, append(want, 1)) {
		t.Errorf("%v", got)
	}
	if got := tokenizer.Encode(strings.Repeat("ж", 101), 200); !slices.Equal(got, []int{0, 2, 1}) {
		t.Errorf("%v", got)
	}
}

// TestIdeographs has the ends of each block that BERT divides into characters, and what is beside
// them (BERT's tokenization.py, but for extension E, whose beginning is the tokenizers library's).
func TestIdeographs(t *testing.T) {
	blocks := [][2]rune{{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x2A6DF},
		{0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}}
	for _, b := range blocks {
		if isChinese(b[0]-1) || !isChinese(b[0]) || !isChinese(b[1]) || isChinese(b[1]+1) {
			t.Errorf("%x to %x is no block", b[0], b[1])
		}
	}
	if !isChinese(0x2B73F) || !isChinese(0x2B740) { // between extensions C and D
		t.Error("extensions C and D are not beside each other")
	}
	for _, r := range "!/:@[`{~$+<=>^|\u2014\u3002\u00a7" {
		if !isPunctuation(r) {
			t.Errorf("%q is no punctuation", r)
		}
	}
	for _, r := range "09AZaz \u20ac\u00b1\u4e00" { // symbols outside of ASCII are not
		if isPunctuation(r) {
			t.Errorf("%q is punctuation", r)
		}
	}
}

// TestWhiteSpace separates words by each kind of white space, and removes control characters.
func TestWhiteSpace(t *testing.T) {
	tokenizer, err := New([]string{"[CLS]", "[SEP]", "[UNK]", "good", "film"}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"good film", "good\tfilm", "good\nfilm", "good\rfilm",
		"good\u00a0film", "good\u3000film", " go\x00od\u200b film\ufffd\n"} {
		if got, want := tokenizer.Encode(text, 9), []int{0, 3, 4, 1}; !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestTheLastOfEqualTokensCounts expects the ids of Hugging Face's loaders.
func TestTheLastOfEqualTokensCounts(t *testing.T) {
	tokenizer, err := New([]string{"[CLS]", "film", "[SEP]", "", "[UNK]", "film", ""}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tokenizer.Encode("film", 9), []int{0, 5, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzEncode(f *testing.F) {
	g := readGolden(f)
	c := g.Cases["bert-base-uncased"]
	tokenizer, err := New(c.Vocab, true)
	if err != nil {
		f.Fatal(err)
	}
	for i, text := range g.Texts {
		f.Add(text, 2+i%40)
	}
	f.Add("\xff\xfe[SEP\xc3", 5)
	f.Fuzz(func(t *testing.T, text string, maxLen int) {
		maxLen = max(maxLen, 2)
		ids := tokenizer.Encode(text, maxLen)
		if n := len(ids); n < 2 || n > maxLen || n > 2+4*utf8.RuneCountInString(text) ||
			ids[0] != tokenizer.cls || ids[n-1] != tokenizer.sep {
			t.Fatalf("%q: %v", text, ids)
		}
		for _, id := range ids {
			tokenizer.Token(id)
		}
	})
}

func FuzzVocabulary(f *testing.F) {
	f.Add("[PAD]\n[UNK]\n[CLS]\n[SEP]\nfilm\n##s\n", "films")
	f.Add("[UNK]\n[CLS]\n[SEP]\n\n##\n#\n", "##\n a")
	f.Fuzz(func(t *testing.T, vocab, text string) {
		list, err := readVocab(strings.NewReader(vocab))
		if err != nil {
			return
		}
		tokenizer, err := New(list, true)
		if err != nil {
			return
		}
		for _, id := range tokenizer.Encode(text, math.MaxInt) {
			tokenizer.Token(id)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	g := readGolden(b)
	tokenizer, err := New(g.Cases["bert-base-uncased"].Vocab, true)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		tokenizer.Encode("The cinematography was breathtaking, the plot unbelievably predictable.",
			50)
	}
}
