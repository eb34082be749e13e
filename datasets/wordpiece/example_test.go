package wordpiece_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
)

var vocabulary = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##believ", "##ably",
	"good", "!", "cafe"}

// A word is divided into the longest pieces of the vocabulary; a word that cannot be divided is
// [UNK]. Long texts are truncated and still end in [SEP].
func ExampleTokenizer_Encode() {
	t, err := wordpiece.New(vocabulary, true)
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"Unbelievably good!", "Café xyz"} {
		ids := t.Encode(text, 50)
		fmt.Print(ids)
		for _, id := range ids {
			fmt.Print(" ", t.Token(id))
		}
		fmt.Println()
	}
	fmt.Println(t.Encode("Unbelievably good!", 5))
	// Output:
	// [2 4 5 6 7 8 3] [CLS] un ##believ ##ably good ! [SEP]
	// [2 9 1 3] [CLS] cafe [UNK] [SEP]
	// [2 4 5 6 3]
}

// The folder of a Hugging Face model has the vocabulary and says whether the model is uncased.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"vocab.txt":             "[PAD]\n[UNK]\n[CLS]\n[SEP]\nGood\ngood\n",
		"tokenizer_config.json": `{"do_lower_case": false}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}

	t, err := wordpiece.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Len(), t.Encode("Good good", 10))
	// Output:
	// 6 [2 4 5 3]
}
