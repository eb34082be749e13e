// Package wordpiece turns text into the tokens of BERT, as the tokenizers of Hugging Face do with
// its vocabularies.
//
// Text is cleaned of control characters, Chinese characters are set apart by spaces, accents and
// capitals removed where the model has none (all as Google's tokenization.py for BERT); it is cut
// at white space and around punctuation, and each word into the longest pieces of the vocabulary,
// from left to right (Wu et al. 2016, section 4.1; pieces after the first begin with ##).
//
// Of all Unicode's characters some 570 that it gained since 2015, of rare scripts, are marks or
// punctuation here and not in the library, whose tables are older.
package wordpiece

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// longestWord is the length in characters from which a word is unknown as a whole.
const longestWord = 100

// A Tokenizer knows one vocabulary.
type Tokenizer struct {
	tokens        []string
	ids           map[string]int
	longest       int // bytes of a token
	lower         bool
	specials      []string
	cls, sep, unk int
}

// New returns a tokenizer whose token number i is vocab[i]. With lower it removes capitals and
// accents, for uncased models.
func New(vocab []string, lower bool) (*Tokenizer, error) {
	t := &Tokenizer{tokens: vocab, ids: make(map[string]int, len(vocab)), lower: lower, specials: []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}}
	for i, token := range vocab {
		if first, ok := t.ids[token]; ok {
			return nil, fmt.Errorf("wordpiece: token %d: expected a new one, found %.60q again, which is token %d; use the model's own vocab.txt", i, token, first)
		}
		t.ids[token] = int(i)
		t.longest = max(t.longest, len(token))
	}
	t.specials = slices.DeleteFunc(t.specials, func(s string) bool { _, ok := t.ids[s]; return !ok })
	for _, s := range []struct {
		token string
		to    *int
	}{{"[CLS]", &t.cls}, {"[SEP]", &t.sep}, {"[UNK]", &t.unk}} {
		id, ok := t.ids[s.token]
		if !ok {
			return nil, fmt.Errorf("wordpiece: expected the token %s, found %d tokens without it; use the model's own vocab.txt", s.token, len(vocab))
		}
		*s.to = id
	}
	return t, nil
}

// Open reads vocab.txt in the folder of a Hugging Face model, a token a line. Whether capitals are
// removed is do_lower_case of tokenizer_config.json; they are where that file is absent.
func Open(dir string) (*Tokenizer, error) {
	lower, err := readConfig(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "vocab.txt")
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("wordpiece: expected the vocabulary of a Hugging Face model: %w", err)
	}
	defer f.Close()
	vocab, err := readVocab(f)
	if err != nil {
		return nil, fmt.Errorf("wordpiece: %s: %w", path, err)
	}
	t, err := New(vocab, lower)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Limits of a vocabulary.
const (
	mostTokens   = 1 << 20
	longestToken = 1 << 10 // bytes
)

func readVocab(r io.Reader) ([]string, error) {
	var vocab []string
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), longestToken)
	for lines.Scan() {
		if len(vocab) == mostTokens {
			return nil, fmt.Errorf("line %d: expected at most %d tokens; this is no vocabulary of BERT", len(vocab)+1, mostTokens)
		}
		vocab = append(vocab, lines.Text())
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: expected a token of less than %d bytes, found a longer line; this is no vocabulary of BERT", len(vocab)+1, longestToken)
	}
	return vocab, lines.Err()
}

func readConfig(path string) (lower bool, err error) {
	c := struct {
		Lower  *bool `json:"do_lower_case"`
		Strip  *bool `json:"strip_accents"`
		Spaces *bool `json:"tokenize_chinese_chars"`
	}{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("wordpiece: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&c); err != nil {
		return false, fmt.Errorf("wordpiece: %s: expected a tokenizer's settings, found %w; download it anew", path, err)
	}
	lower = c.Lower == nil || *c.Lower
	if c.Strip != nil && *c.Strip != lower || c.Spaces != nil && !*c.Spaces {
		return false, fmt.Errorf("wordpiece: %s: expected strip_accents as do_lower_case and tokenize_chinese_chars true, found others; only tokenizers built as BERT's are supported", path)
	}
	return lower, nil
}

// Len returns the size of the vocabulary.
func (t *Tokenizer) Len() int { return len(t.tokens) }

// Token returns the text of a token.
func (t *Tokenizer) Token(id int) string { return t.tokens[id] }

// Encode returns the tokens of a text from [CLS] to [SEP], at most most of them, 2 or more: of a
// longer text the last words are left out. [CLS], [SEP], [MASK], [PAD] and [UNK] in the text stand
// for themselves. Bytes that are not UTF-8 are left out.
func (t *Tokenizer) Encode(text string, most int) []int {
	if most < 2 {
		panic(fmt.Sprintf("wordpiece: Encode: at most %d tokens: want at least 2", most))
	}
	ids := []int{t.cls}
	for text != "" && len(ids) < most {
		at, special := t.nextSpecial(text)
		ids = t.words(ids, t.normalize(text[:at]), most)
		text = text[at:]
		if special != "" {
			ids = append(ids, t.ids[special])
			text = text[len(special):]
		}
	}
	return append(ids[:min(len(ids), most-1)], t.sep)
}

// nextSpecial returns the place of the first special token in the text, or the text's end.
func (t *Tokenizer) nextSpecial(text string) (at int, special string) {
	at = len(text)
	for _, s := range t.specials {
		if i := strings.Index(text[:min(at+len(s), len(text))], s); i >= 0 && i < at {
			at, special = i, s
		}
	}
	return at, special
}

// normalize cleans the text, sets Chinese characters apart, and removes accents and capitals of
// uncased models.
func (t *Tokenizer) normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case r == '\t', r == '\n', r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case isChinese(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	if !t.lower {
		return b.String()
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(b.String()))
}

// isChinese tells the ideographs that BERT takes for words. The library's range of extension E
// begins at 2B920, Google's at 2B820.
func isChinese(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0xF900 <= r && r <= 0xFAFF ||
		0x20000 <= r && r <= 0x2A6DF || 0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F ||
		0x2B920 <= r && r <= 0x2CEAF || 0x2F800 <= r && r <= 0x2FA1F
}

// isPunctuation tells what is a word of its own: Unicode's punctuation, and all of ASCII that is
// no letter or digit.
func isPunctuation(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) || unicode.Is(unicode.P, r)
}

// words appends the tokens of a normalised text, until there are most.
func (t *Tokenizer) words(ids []int, text string, most int) []int {
	start := 0
	for i, r := range text {
		if len(ids) >= most {
			return ids
		}
		space, punctuation := unicode.IsSpace(r), isPunctuation(r)
		if !space && !punctuation {
			continue
		}
		ids = t.word(ids, text[start:i])
		start = i + utf8.RuneLen(r)
		if punctuation {
			ids = t.word(ids, text[i:start])
		}
	}
	return t.word(ids, text[start:])
}

// word appends the longest pieces of a word, or [UNK] where none fits.
func (t *Tokenizer) word(ids []int, word string) []int {
	if word == "" {
		return ids
	}
	if len(word) > longestWord && utf8.RuneCountInString(word) > longestWord {
		return append(ids, t.unk)
	}
	known := len(ids)
	var piece [4*longestWord + len("##")]byte
	for start := 0; start < len(word); {
		buf, prefix := piece[:0], 0
		if start > 0 {
			buf, prefix = append(buf, "##"...), 2
		}
		buf = append(buf, word[start:]...)
		end := min(len(buf), t.longest)
		for ; end > prefix; end-- {
			if id, ok := t.ids[string(buf[:end])]; ok {
				ids = append(ids, id)
				break
			}
		}
		if end == prefix {
			return append(ids[:known], t.unk)
		}
		start += end - prefix
	}
	return ids
}
