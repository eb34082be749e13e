package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// A position is the progress of the training.
type position struct {
	phase int // index
	epoch int // the last complete epoch of the phase
}

// saveState saves the parameters, the buffers, the moments, the phase's memory and the position.
func (t *trainer) saveState(ph zoo.Phase, opts []*optim.Adam, epoch int) error {
	return rundir.SaveTensors(t.dir.File(rundir.StateFile),
		slices.Concat(t.neededFrom(ph), moments(ph, opts), t.memory), t.metadata(ph.Name, epoch))
}

// moments returns the state of the optimisers. In a phase with several passes, a name begins with
// the name of the pass.
func moments(ph zoo.Phase, opts []*optim.Adam) (all []nn.Param) {
	for i, opt := range opts {
		for _, p := range opt.State() {
			if name := ph.Passes[i].Name; name != "" {
				p.Name = name + "." + p.Name
			}
			all = append(all, p)
		}
	}
	return all
}

// neededFrom returns the parameters that a phase, later phases and prediction need, and all
// buffers. A frozen text encoder is not among them: it is loaded from its own file again.
func (t *trainer) neededFrom(ph zoo.Phase) []nn.Param {
	needed := map[string]bool{}
	mark := func(ps []nn.Param) {
		for _, p := range ps {
			needed[p.Name] = true
		}
	}
	mark(t.Model.PredictParams())
	phases := t.Model.Phases()
	for _, later := range phases[slices.IndexFunc(phases, func(p zoo.Phase) bool {
		return p.Name == ph.Name
	}):] {
		mark(later.Params())
	}
	if t.Dims.BERT != nil && t.Model.TextEncoder().Frozen {
		for _, p := range t.Model.TextEncoder().Params.All() {
			needed[p.Name] = false
		}
	}
	kept := slices.DeleteFunc(slices.Clone(t.Params), func(p nn.Param) bool {
		return !needed[p.Name]
	})
	return append(kept, t.Buffers...)
}

// restore loads the saved state, if there is one, and removes later epochs from the journal. opts
// is nil if there is no state.
func (t *trainer) restore() (at position, opts []*optim.Adam, err error) {
	if err := t.dir.RemovePartialFiles(); err != nil {
		return at, nil, err
	}
	path := t.dir.File(rundir.StateFile)
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.journal, err = rundir.OpenJournal(t.dir.File(rundir.JournalFile), "", 0)
		return at, nil, err
	}
	if err != nil {
		return at, nil, fmt.Errorf("train: state: %w", err)
	}
	meta, err := nn.Meta(file)
	if err != nil {
		return at, nil, fmt.Errorf("%s: %w", path, err)
	}
	if meta["config"] != t.config.Hash() {
		return at, nil, fmt.Errorf(
			"train: %s: expected the state of the configuration beside it, found another's; "+
				"restore %s or train a new run", path, rundir.ConfigFile,
		)
	}
	phases := t.Model.Phases()
	at.phase = slices.IndexFunc(phases, func(ph zoo.Phase) bool {
		return ph.Name == meta["phase"]
	})
	if at.epoch, err = strconv.Atoi(meta["epoch"]); err != nil || at.phase < 0 {
		return at, nil, fmt.Errorf(
			"train: %s: expected a phase and an epoch, found %q and %q; train a new run",
			path, meta["phase"], meta["epoch"],
		)
	}
	opts = t.begin(phases[at.phase])
	if err := nn.Load(file,
		slices.Concat(t.neededFrom(phases[at.phase]), moments(phases[at.phase], opts),
			t.memory)); err != nil {
		return at, nil, fmt.Errorf("%s: %w", path, err)
	}
	t.journal, err = rundir.OpenJournal(t.dir.File(rundir.JournalFile), meta["phase"], at.epoch)
	return at, opts, err
}

// metadata returns the metadata of a saved file. It has all dimensions of the model, so that a
// checkpoint can be used without the data set.
func (t *trainer) metadata(phase string, epoch int) map[string]string {
	dims, err := json.Marshal(t.Dims)
	if err != nil {
		panic("train: cannot encode the dimensions: " + err.Error())
	}
	return map[string]string{
		"dataset": t.config.Dataset, "model": t.config.Model, "variant": t.config.Variant,
		"seed": strconv.FormatUint(t.config.Seed, 10), "config": t.config.Hash(),
		"dims":  string(dims),
		"phase": phase, "epoch": strconv.Itoa(epoch),
	}
}
