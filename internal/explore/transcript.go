package explore

import (
	"fmt"
	"unicode"

	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
)

// A transcriber converts token ids to text.
type transcriber struct {
	vocabulary *wordpiece.Tokenizer // nil if unknown
}

// openTranscriber opens the vocabulary of a pretrained model, by default of the run's own. A run
// without a pretrained model has no vocabulary.
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

// texts returns a text for each token id. With a vocabulary, it is the token. Without one, it is a
// word of the transcript if there are as many words as tokens, otherwise the id, such as #2054.
func (t *transcriber) texts(ids []int, transcript string) []string {
	if t.vocabulary == nil {
		if words := splitWords(transcript); len(words) == len(ids) {
			return words
		}
	}
	var texts []string
	for _, id := range ids {
		text := fmt.Sprintf("#%d", id)
		if t.vocabulary != nil && id < t.vocabulary.Len() {
			text = t.vocabulary.Token(id)
		}
		texts = append(texts, text)
	}
	return texts
}

// splitWords splits a text as BERT's tokenizer does before it divides words into tokens: at white
// space, and before and after each punctuation mark and each Chinese character.
func splitWords(text string) []string {
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
		case unicode.IsPunct(r), unicode.Is(unicode.Han, r), r < unicode.MaxASCII &&
			unicode.IsSymbol(r):
			end()
			words = append(words, string(r))
		default:
			word = append(word, r)
		}
	}
	end()
	return words
}
