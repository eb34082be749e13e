package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// Numbers maps names to values. In JSON, NaN and infinities are null.
type Numbers map[string]float64

// MarshalJSON writes NaN and infinities as null, because JSON has no such numbers.
func (n Numbers) MarshalJSON() ([]byte, error) {
	m := map[string]*float64{}
	for k, v := range n {
		m[k] = nil
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			m[k] = &v
		}
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads null as NaN.
func (n *Numbers) UnmarshalJSON(text []byte) error {
	m := map[string]*float64{}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	*n = Numbers{}
	for k, v := range m {
		(*n)[k] = math.NaN()
		if v != nil {
			(*n)[k] = *v
		}
	}
	return nil
}

// LossKey names the loss of a phase among its terms, and the mean cross-entropy among the scores
// of a classifier.
const LossKey = "loss"

// A Record is one line of metrics.jsonl: the result of one epoch.
type Record struct {
	Phase   string  `json:"phase"`
	Epoch   int     `json:"epoch"` // of the phase, from 1
	LR      float64 `json:"lr"`
	Terms   Numbers `json:"terms"`           // means over the steps; "loss" is their weighted sum
	Valid   Numbers `json:"valid,omitempty"` // scores at eval.valid_rate
	Test    Numbers `json:"test,omitempty"`
	Seconds float64 `json:"seconds"`
	Program string  `json:"program,omitempty"` // version of recap; empty before it was recorded
}

// Attributes returns the key-value pairs that the log shows for an epoch.
func (r *Record) Attributes(epochs int) []any {
	a := []any{"phase", r.Phase, "epoch", fmt.Sprintf("%d/%d", r.Epoch, epochs), "lr", short(r.LR),
		"loss", short(r.Terms[LossKey])}
	for _, key := range []string{"MAE", "Corr", LossKey} {
		if v, ok := r.Valid[key]; ok {
			a = append(a, "valid_"+key, short(v))
		}
	}
	return append(a, "seconds", short(r.Seconds))
}

func short(v float64) string { return fmt.Sprintf("%.4g", v) }

// A Journal is the file metrics.jsonl and its contents. It is the only file that is appended to.
type Journal struct {
	Path    string
	Records []Record
}

// OpenJournal reads the lines up to that of the given epoch and removes all later lines from the
// file: a run that was killed may have written complete or partial lines of epochs without a saved
// state. With epoch 0 it starts a new file.
func OpenJournal(path, phase string, epoch int) (*Journal, error) {
	j := &Journal{Path: path}
	text, err := files.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rundir: journal: %w", err)
	}
	kept, err := j.read(text, phase, epoch)
	if err != nil {
		return nil, err
	}
	return j, WriteFile(path, text[:kept])
}

// read reads the lines up to that of the given epoch, and returns how many bytes they are.
func (j *Journal) read(text []byte, phase string, epoch int) (kept int, err error) {
	for found := epoch <= 0; !found; {
		line, _, whole := bytes.Cut(text[kept:], []byte("\n"))
		var r Record
		if err := json.Unmarshal(line, &r); err != nil || !whole {
			return 0, fmt.Errorf(
				"rundir: %s: expected a line for epoch %d of %s, to which state.safetensors "+
					"belongs, found none; train again", j.Path, epoch, phase,
			)
		}
		j.Records = append(j.Records, r)
		kept += len(line) + 1
		found = r.Phase == phase && r.Epoch == epoch
	}
	return kept, nil
}

// Append appends a line.
func (j *Journal) Append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("rundir: journal: %w", err)
	}
	if err := files.Append(j.Path, append(line, '\n')); err != nil {
		return fmt.Errorf("rundir: journal: %w", err)
	}
	j.Records = append(j.Records, r)
	return nil
}

// Find returns the record of an epoch of a phase, nil if there is none.
func (j *Journal) Find(phase string, epoch int) *Record {
	i := slices.IndexFunc(j.Records, func(r Record) bool {
		return r.Phase == phase && r.Epoch == epoch
	})
	if i < 0 {
		return nil
	}
	return &j.Records[i]
}

// Records reads the complete lines of the journal. It returns none before the first epoch.
func (d Dir) Records() ([]Record, error) {
	text, err := files.Read(d.File(JournalFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rundir: journal: %w", err)
	}
	return parseRecords(d.File(JournalFile), text)
}

// parseRecords reads the complete lines of the journal at path.
func parseRecords(path string, text []byte) ([]Record, error) {
	list := []Record{} // not nil, since the report has it as JSON
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf(
				"rundir: %s: line %d: expected an epoch, found %w; resume the run",
				path, len(list)+1, err,
			)
		}
		list = append(list, r)
	}
	return list, nil
}
