// Package wordpiece converts text to the token ids of BERT, as the tokenizers of Hugging Face do
// with the same vocabulary.
//
// Control characters are removed, Chinese characters are surrounded by spaces, and for uncased
// models letters are changed to lower case and accents removed (all as in Google's tokenization.py
// for BERT). The text is split at white space and around punctuation, and each word from left to
// right into the longest pieces that are in the vocabulary (Wu et al. 2016, section 4.1). Pieces
// after the first of a word begin with ##.
//
// About 570 characters of rare scripts, added to Unicode since 2015, are marks or punctuation here
// and not in the tokenizers library, whose tables are older.
package wordpiece

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// maxWord is the largest number of characters of a word; a longer word is [UNK].
const maxWord = 100

// A Tokenizer converts text to token ids of one vocabulary. It may be used by several goroutines
// at once.
type Tokenizer struct {
	tokens        []string
	ids           map[string]int
	maxToken      int // bytes of the longest token
	lower         bool
	specials      []string
	cls, sep, unk int
}

// New returns a tokenizer for a vocabulary, in which the token with id i is vocab[i]. With lower,
// text is changed to lower case and accents are removed, for uncased models. The id of a token that
// occurs twice is the last, as in Hugging Face's tokenizers. It is an error if [CLS], [SEP] or
// [UNK] is missing.
func New(vocab []string, lower bool) (*Tokenizer, error) {
	t := &Tokenizer{tokens: vocab, ids: make(map[string]int, len(vocab)), lower: lower,
		specials: []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}}
	for i, token := range vocab {
		t.ids[token] = i
		t.maxToken = max(t.maxToken, len(token))
	}
	t.specials = slices.DeleteFunc(t.specials, func(s string) bool {
		_, ok := t.ids[s]
		return !ok
	})
	for _, s := range []struct {
		token string
		to    *int
	}{{"[CLS]", &t.cls}, {"[SEP]", &t.sep}, {"[UNK]", &t.unk}} {
		id, ok := t.ids[s.token]
		if !ok {
			return nil, fmt.Errorf(
				"wordpiece: expected the token %s, found %d tokens without it; use the model's "+
					"own vocab.txt", s.token, len(vocab),
			)
		}
		*s.to = id
	}
	return t, nil
}

// Open returns the tokenizer of a Hugging Face model in the folder dir: it reads vocab.txt, which
// has a token in each line, and do_lower_case of tokenizer_config.json, which is true if that file
// is absent. Other settings than those of BERT are an error.
func Open(dir string) (*Tokenizer, error) {
	lower, err := readConfig(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "vocab.txt")
	f, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("wordpiece: expected the vocabulary of a Hugging Face model: %w",
			err)
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
	maxTokens     = 1 << 20
	maxTokenBytes = 1 << 10
)

func readVocab(r io.Reader) ([]string, error) {
	var vocab []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTokenBytes) // a larger buffer would allow longer lines
	for lines.Scan() {
		if len(vocab) == maxTokens {
			return nil, fmt.Errorf(
				"line %d: expected at most %d tokens; this is not a vocabulary of BERT",
				len(vocab)+1, maxTokens,
			)
		}
		vocab = append(vocab, lines.Text())
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf(
			"line %d: expected a token of less than %d bytes, found a longer line; this is not "+
				"a vocabulary of BERT", len(vocab)+1, maxTokenBytes,
		)
	}
	return vocab, lines.Err()
}

func readConfig(path string) (lower bool, err error) {
	c := struct {
		Lower  *bool `json:"do_lower_case"`
		Strip  *bool `json:"strip_accents"`
		Spaces *bool `json:"tokenize_chinese_chars"`
	}{}
	f, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("wordpiece: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&c); err != nil {
		return false, fmt.Errorf(
			"wordpiece: %s: expected a tokenizer's settings, found %w; download it again",
			path, err,
		)
	}
	lower = c.Lower == nil || *c.Lower
	if c.Strip != nil && *c.Strip != lower || c.Spaces != nil && !*c.Spaces {
		return false, fmt.Errorf(
			"wordpiece: %s: expected strip_accents as do_lower_case and tokenize_chinese_chars "+
				"true, found others; only tokenizers built as BERT's are supported", path,
		)
	}
	return lower, nil
}

// Len returns the number of tokens in the vocabulary.
func (t *Tokenizer) Len() int { return len(t.tokens) }

// Token returns the token with the given id. It panics unless 0 ≤ id < Len.
func (t *Tokenizer) Token(id int) string { return t.tokens[id] }

// Encode returns the token ids of a text, from [CLS] to [SEP]. A text of more than maxLen tokens
// is truncated: its last pieces are dropped, [SEP] is kept. [CLS], [SEP], [MASK], [PAD] and [UNK]
// in the text are encoded as these tokens. Bytes that are not UTF-8 are ignored. It panics if
// maxLen is less than 2.
func (t *Tokenizer) Encode(text string, maxLen int) []int {
	if maxLen < 2 {
		panic(fmt.Sprintf("wordpiece: Encode: at most %d tokens: want at least 2", maxLen))
	}
	ids := []int{t.cls}
	for text != "" && len(ids) < maxLen {
		at, special := t.nextSpecial(text)
		ids = t.words(ids, t.normalize(text[:at]), maxLen)
		text = text[at:]
		if special != "" {
			ids = append(ids, t.ids[special])
			text = text[len(special):]
		}
	}
	return append(ids[:min(len(ids), maxLen-1)], t.sep)
}

// nextSpecial returns the first special token in the text and its position, or the text's length
// if there is none.
func (t *Tokenizer) nextSpecial(text string) (at int, special string) {
	at = len(text)
	for _, s := range t.specials {
		if i := strings.Index(text[:min(at+len(s), len(text))], s); i >= 0 && i < at {
			at, special = i, s
		}
	}
	return at, special
}

// normalize removes control characters, surrounds Chinese characters by spaces, and for uncased
// models changes the text to lower case and removes accents.
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

// isChinese reports whether BERT treats an ideograph as a word of its own. The range of extension
// E begins at 2B920 in the tokenizers library and at 2B820 in Google's code.
func isChinese(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0xF900 <= r &&
		r <= 0xFAFF ||
		0x20000 <= r && r <= 0x2A6DF || 0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r &&
		r <= 0x2B81F ||
		0x2B920 <= r && r <= 0x2CEAF || 0x2F800 <= r && r <= 0x2FA1F
}

// isPunctuation reports whether a character is a word of its own: Unicode punctuation, and ASCII
// characters that are visible and neither letters nor digits.
func isPunctuation(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) ||
		unicode.Is(unicode.P, r)
}

// words appends the tokens of a normalised text, and stops when there are maxLen or more.
func (t *Tokenizer) words(ids []int, text string, maxLen int) []int {
	start := 0
	for i, r := range text {
		if len(ids) >= maxLen {
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

// word appends the longest pieces of a word, or [UNK] if the word cannot be divided into pieces.
func (t *Tokenizer) word(ids []int, word string) []int {
	if len(word) > maxWord && utf8.RuneCountInString(word) > maxWord {
		return append(ids, t.unk)
	}
	before := len(ids)
	var piece [4*maxWord + len("##")]byte
	for start := 0; start < len(word); {
		buf, prefix := piece[:0], 0
		if start > 0 {
			buf, prefix = append(buf, "##"...), 2
		}
		buf = append(buf, word[start:]...)
		end := min(len(buf), t.maxToken)
		for ; end > prefix; end-- {
			if id, ok := t.ids[string(buf[:end])]; ok {
				ids = append(ids, id)
				break
			}
		}
		if end == prefix {
			return append(ids[:before], t.unk)
		}
		start += end - prefix
	}
	return ids
}
