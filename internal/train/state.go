package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// A position is the progress of the training.
type position struct {
	phase int // index
	epoch int // the last complete epoch of the phase
}

// saveState saves what the phase under way changes, its parameters with their moments, its memory
// and all buffers, and the position. What else a resumed run needs is in the phase's start file.
func (t *trainer) saveState(ph zoo.Phase, opts []*optim.Adam, epoch int) error {
	return rundir.SaveTensors(t.dir.File(rundir.StateFile), t.changing(ph, opts),
		t.metadata(ph.Name, epoch))
}

// changing returns the tensors that a phase changes.
func (t *trainer) changing(ph zoo.Phase, opts []*optim.Adam) []nn.Param {
	return slices.Concat(ph.Params(), t.Buffers, moments(ph, opts), t.memory)
}

// saveStart saves, once, the parameters that a phase leaves as they are when it begins.
func (t *trainer) saveStart(ph zoo.Phase) error {
	fixed := t.fixed(ph)
	if len(fixed) == 0 {
		return nil
	}
	return rundir.SaveTensors(t.dir.File(rundir.StartFile(ph.Name)), fixed,
		t.metadata(ph.Name, 0))
}

// fixed returns the parameters that later phases and prediction need and the phase does not train.
func (l *Learner) fixed(ph zoo.Phase) []nn.Param {
	trained := ph.Params()
	return slices.DeleteFunc(l.neededFrom(ph), func(p nn.Param) bool {
		return slices.Contains(trained, p)
	})
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

// neededFrom returns the parameters that a phase, later phases and prediction need. A frozen text
// encoder is not among them: it is loaded from its own file again.
func (l *Learner) neededFrom(ph zoo.Phase) []nn.Param {
	needed := map[string]bool{}
	mark := func(ps []nn.Param) {
		for _, p := range ps {
			needed[p.Name] = true
		}
	}
	mark(l.Model.PredictParams())
	phases := l.Model.Phases()
	for _, later := range phases[slices.IndexFunc(phases, func(p zoo.Phase) bool {
		return p.Name == ph.Name
	}):] {
		mark(later.Params())
	}
	if l.Dims.BERT != nil && l.Model.TextEncoder().Frozen {
		for _, p := range l.Model.TextEncoder().Params.All() {
			needed[p.Name] = false
		}
	}
	return slices.DeleteFunc(slices.Clone(l.Params), func(p nn.Param) bool {
		return !needed[p.Name]
	})
}

// restore loads the saved state, if there is one, and removes later epochs from the journal. opts
// is nil if there is no state.
func (t *trainer) restore() (at position, opts []*optim.Adam, err error) {
	if err := t.dir.RemovePartialFiles(); err != nil {
		return at, nil, err
	}
	path := t.dir.File(rundir.StateFile)
	if !t.dir.Has(rundir.StateFile) {
		t.journal, err = rundir.OpenJournal(t.dir.File(rundir.JournalFile), "", 0)
		return at, nil, err
	}
	meta, err := rundir.ReadMeta(path)
	if err != nil {
		return at, nil, fmt.Errorf("train: state: %w", err)
	}
	if meta["config"] != configHash(t.config, meta) {
		return at, nil, t.anotherConfig(path, meta)
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
	if err := t.load(path, meta, phases[at.phase], opts); err != nil {
		return at, nil, err
	}
	t.meter.saved(meta["phase"], at.epoch)
	t.journal, err = rundir.OpenJournal(t.dir.File(rundir.JournalFile), meta["phase"], at.epoch)
	if err != nil {
		return at, nil, err
	}
	return at, opts, errors.Join(t.checkJournal(at), t.checkChosen())
}

// anotherConfig returns the error for a state of another configuration.
func (t *trainer) anotherConfig(path string, meta map[string]string) error {
	c := t.config
	c.Train.Moments = settings.FullMoments
	if t.config.Train.Moments == settings.FullMoments {
		c.Train.Moments = settings.CompactMoments
	}
	if meta["config"] == configHash(c, meta) {
		return fmt.Errorf(
			"train: %s: expected moments of train.moments=%s, found those of %s; set "+
				"train.moments to %[3]s in %[4]s or train a new run", path, t.config.Train.Moments,
			c.Train.Moments, rundir.ConfigFile,
		)
	}
	return fmt.Errorf(
		"train: %s: expected the state of the configuration beside it, found another's; restore "+
			"%s or train a new run", path, rundir.ConfigFile,
	)
}

// load reads the state of a phase and its start file. A state of version 0.1 has the contents of
// both; then the start file is written for the states to come.
func (t *trainer) load(
	path string, meta map[string]string, ph zoo.Phase, opts []*optim.Adam,
) error {
	fixed := t.fixed(ph)
	if meta[dataKey] == "" {
		all := slices.Concat(fixed, t.changing(ph, opts))
		if err := rundir.LoadTensors(path, all); err != nil {
			return fmt.Errorf("train: state: %w", err)
		}
		return t.saveStart(ph)
	}
	if len(fixed) > 0 {
		if err := rundir.LoadTensors(t.dir.File(rundir.StartFile(ph.Name)), fixed); err != nil {
			return fmt.Errorf("train: what %s does not train: %w; restore the file from a copy, "+
				"or train a new run", ph.Name, err)
		}
	}
	if err := rundir.LoadTensors(path, t.changing(ph, opts)); err != nil {
		return fmt.Errorf("train: state: %w", err)
	}
	return nil
}

// metadata returns the metadata of a saved file. It has all dimensions of the model, so that a
// checkpoint can be used without the data set.
func (t *trainer) metadata(phase string, epoch int) map[string]string {
	if t.constant == nil {
		t.constant = t.constantMetadata()
	}
	meta := maps.Clone(t.constant)
	meta["phase"], meta["epoch"] = phase, strconv.Itoa(epoch)
	return meta
}

// constantMetadata returns the metadata that all saved files of a training have.
func (t *trainer) constantMetadata() map[string]string {
	dims, err := json.Marshal(t.Dims)
	if err != nil {
		panic("train: cannot encode the dimensions: " + err.Error())
	}
	meta := map[string]string{
		"dataset": t.config.Dataset, "model": t.config.Model, "variant": t.config.Variant,
		"seed": strconv.FormatUint(t.config.Seed, 10), "dims": string(dims),
		dataKey: t.origin.Hash, utterancesKey: t.origin.sizes(),
	}
	meta["config"] = configHash(t.config, meta)
	return meta
}

// configHash returns the hash of a configuration in the metadata of a saved file: without the path
// of the data where the metadata have a hash of the data, since the file may move.
func configHash(c settings.Config, meta map[string]string) string {
	if meta[dataKey] != "" {
		c.Data.File = ""
	}
	return c.Hash()
}
