package train

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// Keys of the metadata with the origin of a saved file.
const (
	dataKey       = "data_sha256"
	utterancesKey = "data_utterances"
)

// An Origin identifies the data that a model is trained on: the whole data set, before data.limit
// is applied.
type Origin struct {
	Hash       string // datasets.Set.Hash
	Utterances [3]int // of the training, validation and test split
}

func originOf(s *datasets.Set) Origin {
	return Origin{s.Hash(), [3]int{s.Train.Len(), s.Valid.Len(), s.Test.Len()}}
}

// sizes returns the numbers of utterances as text, "1284, 229, 686".
func (o *Origin) sizes() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(o.Utterances), " ", ", "), "[]")
}

// CheckOrigin returns an error if the state or the checkpoint of a seed comes from other data.
// Files of version 0.1 do not say from which they come.
func (d *Data) CheckOrigin(dir rundir.Dir, c *settings.Config) error {
	for _, name := range []string{rundir.StateFile, rundir.BestFile} {
		if !dir.Has(name) {
			continue
		}
		meta, err := rundir.ReadMeta(dir.File(name))
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		if found := meta[dataKey]; found != "" && found != d.Origin.Hash {
			return d.mismatch(dir, name, meta, c)
		}
	}
	return nil
}

// HasOrigin reports whether a seed says from which data it comes, or has not been trained yet.
func HasOrigin(dir rundir.Dir) (bool, error) {
	trained := false
	for _, name := range []string{rundir.StateFile, rundir.BestFile} {
		if !dir.Has(name) {
			continue
		}
		meta, err := rundir.ReadMeta(dir.File(name))
		if err != nil {
			return false, fmt.Errorf("train: %w", err)
		}
		if meta[dataKey] != "" {
			return true, nil
		}
		trained = true
	}
	return !trained, nil
}

// mismatch returns the error for a file whose metadata name other data.
func (d *Data) mismatch(
	dir rundir.Dir, name string, meta map[string]string, c *settings.Config,
) error {
	what := "the numbers are the same, but ids, tokens, frames or labels have changed"
	if meta[utterancesKey] != d.Origin.sizes() {
		what = "the numbers of utterances have changed"
	}
	cure := fmt.Sprintf("give the original file with recap train --resume %s --data FILE", dir)
	if _, generated := settings.Generators[c.Dataset]; generated {
		cure = "use the version of recap that generated the original data"
	}
	return fmt.Errorf("train: %s: expected the data that it comes from, %s utterances for "+
		"training, validation and test (SHA-256 %.12s…), found %s (%.12s…): %s; %s, or train a "+
		"new run", dir.File(name), meta[utterancesKey], meta[dataKey], d.Origin.sizes(),
		d.Origin.Hash, what, cure)
}

// WarnOfOtherData reports whether the checkpoint of a seed comes from other data, and writes a
// warning to the log if it does.
func WarnOfOtherData(dir rundir.Dir, found Origin, log *slog.Logger) (other bool, err error) {
	meta, err := rundir.ReadMeta(dir.File(rundir.BestFile))
	if err != nil {
		return false, fmt.Errorf("train: checkpoint: %w", err)
	}
	want := meta[dataKey]
	if other = want != "" && want != found.Hash; other {
		log.Warn("the data have changed since the run was trained", "run", string(dir),
			"trained on", meta[utterancesKey], "sha256", want,
			"tested on", found.sizes(), "found", found.Hash)
	}
	return other, nil
}
