package train

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/tensorboard"
)

// eventPattern is the pattern of the names of event files. The number in a name is the number of
// epochs when the file was created: a resumed run has a file with a new name, since TensorBoard
// does not read a file again.
const eventPattern = "events.out.tfevents.*.recap"

// An eventFile is an event file of TensorBoard with the values of the journal. A tag is PHASE/NAME,
// the step is the epoch. The time is the training time, without interruptions, after the time at
// which the configuration was written.
type eventFile struct {
	path string
	time float64 // of the last epoch, in seconds since 1970
}

// openEvents creates an event file with the records of the journal and removes older ones, so that
// no step occurs twice after a run is resumed.
func openEvents(d rundir.Dir, records []rundir.Record) (*eventFile, error) {
	info, err := os.Stat(d.File(rundir.ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	e := &eventFile{d.File(fmt.Sprintf("events.out.tfevents.%010d.recap", len(records))),
		float64(info.ModTime().Unix())}
	file := tensorboard.Header(e.time)
	for i := range records {
		file = append(file, e.encode(&records[i])...)
	}
	if err := rundir.WriteFile(e.path, file); err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(d.File(eventPattern))
	for _, path := range paths {
		if path != e.path {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	return e, nil
}

// hasEvents reports whether the seed has an event file.
func hasEvents(d rundir.Dir) bool {
	paths, err := filepath.Glob(d.File(eventPattern))
	return err == nil && paths != nil
}

// encode returns the next epoch in the format of event files.
func (e *eventFile) encode(r *rundir.Record) []byte {
	e.time += r.Seconds
	scalars := []tensorboard.Scalar{{Tag: r.Phase + "/lr", Value: r.LR},
		{Tag: r.Phase + "/seconds", Value: r.Seconds}}
	for _, group := range []struct {
		prefix string
		values rundir.Numbers
	}{{"/", r.Terms}, {"/valid/", r.Valid}, {"/test/", r.Test}} {
		for _, name := range slices.Sorted(maps.Keys(group.values)) {
			scalars = append(scalars,
				tensorboard.Scalar{Tag: r.Phase + group.prefix + name, Value: group.values[name]})
		}
	}
	return tensorboard.Record(e.time, r.Epoch, scalars)
}

// add appends the record of an epoch to the file.
func (e *eventFile) add(r *rundir.Record) error {
	f, err := os.OpenFile(e.path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("train: events: %w", err)
	}
	_, err = f.Write(e.encode(r))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("train: events: %w", err)
	}
	return nil
}
