package explore

import (
	"fmt"
	"unicode"

	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
)

// A transcriber tells what tokens say.
type transcriber struct {
	vocabulary *wordpiece.Tokenizer // nil where it is not known
}

// openTranscriber takes the vocabulary of a pretrained model, by default the run's own, if it has
// one.
func openTranscriber(c *settings.Config, model string) (*transcriber, error) {
	if model == "" {
		model = c.Method.TextEncoder().BERT
	}
	if model == "" {
		return &transcriber{}, nil
	}
	dir, err := nn.FindPretrained(model)
	if err != nil {
		return nil, fmt.Errorf("explore: %w", err)
	}
	v, err := wordpiece.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("explore: %w", err)
	}
	return &transcriber{v}, nil
}

// words returns a word or piece for each token: by the vocabulary, or else the words of the
// transcript if they are as many, or else the tokens' numbers, such as #2054.
func (t *transcriber) words(tokens []int, transcript string) []string {
	if t.vocabulary == nil {
		if words := wordsOf(transcript); len(words) == len(tokens) {
			return words
		}
	}
	var words []string
	for _, id := range tokens {
		word := fmt.Sprintf("#%d", id)
		if t.vocabulary != nil && id < t.vocabulary.Len() {
			word = t.vocabulary.Token(id)
		}
		words = append(words, word)
	}
	return words
}

// wordsOf cuts a text as BERT does before it looks into its vocabulary: at white space, around
// punctuation and Chinese characters.
func wordsOf(text string) []string {
	var words []string
	var word []rune
	end := func() {
		if word != nil {
			words, word = append(words, string(word)), nil
		}
	}
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			end()
		case unicode.IsPunct(r), unicode.Is(unicode.Han, r), r < unicode.MaxASCII && unicode.IsSymbol(r):
			end()
			words = append(words, string(r))
		default:
			word = append(word, r)
		}
	}
	end()
	return words
}
