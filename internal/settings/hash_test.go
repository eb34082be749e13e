package settings

import "testing"

// The hashes are those of version 0.1.0: a setting that is added may not change them, since a run
// is resumed only if the hash in its state is that of its configuration.
func TestHashesStay(t *testing.T) {
	for _, c := range []struct{ model, preset, want string }{
		{"recap", "quick", "72afc5d71d187715"},
		{"recap", "paper", "dc62d38dff4c1233"},
		{"misa", "quick", "ff7349ae79a09138"},
		{"misa", "paper", "5c82c8b4148db972"},
		{"self-mm", "quick", "b4e89abcf6a28406"},
		{"self-mm", "paper", "eb25fce0a273dc4b"},
		{"lnln", "quick", "51e30d648495aec2"},
		{"lnln", "paper", "a38bb5ffc873954f"},
	} {
		config, err := Preset(c.preset, c.model, "mosi")
		if err != nil {
			t.Fatal(err)
		}
		if found := config.Hash()[:16]; found != c.want {
			t.Errorf("%s, %s: %s, want %s; a new setting belongs into implied", c.model, c.preset,
				found, c.want)
		}
		config.Method.TextEncoder().Sparse = false
		if config.Hash()[:16] == c.want {
			t.Errorf("%s, %s: the same hash without text.sparse", c.model, c.preset)
		}
	}
}
