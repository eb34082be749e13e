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

// EventFiles are what TensorBoard reads. The number is that of the epochs made when the file was
// begun, so that a resumed run has a new name, and TensorBoard, which does not look again at a
// file it has read, sees it.
const EventFiles = "events.out.tfevents.*.recap"

// Events is a file for TensorBoard that says what the journal says: the tags are the names of the
// journal after the phase, the steps its epochs, the times those of training, without pauses, from
// when the configuration was written.
type Events struct {
	Path string
	time float64 // of the last epoch, in seconds since 1970
}

// openEvents begins a file with what the journal holds, in the place of older ones: after a
// resumption no step is there twice.
func openEvents(d rundir.Dir, records []rundir.Record) (*Events, error) {
	info, err := os.Stat(d.File(rundir.ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	e := &Events{d.File(fmt.Sprintf("events.out.tfevents.%010d.recap", len(records))), float64(info.ModTime().Unix())}
	file := tensorboard.Header(e.time)
	for i := range records {
		file = append(file, e.encode(&records[i])...)
	}
	if err := rundir.WriteFile(e.Path, file); err != nil {
		return nil, err
	}
	there, err := filepath.Glob(d.File(EventFiles))
	for _, path := range there {
		if path != e.Path {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	return e, nil
}

// hasEvents tells whether the run has a file for TensorBoard.
func hasEvents(d rundir.Dir) bool {
	there, err := filepath.Glob(d.File(EventFiles))
	return err == nil && there != nil
}

// encode returns the epoch that follows.
func (e *Events) encode(r *rundir.Record) []byte {
	e.time += r.Seconds
	scalars := []tensorboard.Scalar{{Tag: r.Phase + "/lr", Value: r.LR}, {Tag: r.Phase + "/seconds", Value: r.Seconds}}
	for _, group := range []struct {
		prefix string
		values rundir.Numbers
	}{{"/", r.Terms}, {"/valid/", r.Valid}, {"/test/", r.Test}} {
		for _, name := range slices.Sorted(maps.Keys(group.values)) {
			scalars = append(scalars, tensorboard.Scalar{Tag: r.Phase + group.prefix + name, Value: group.values[name]})
		}
	}
	return tensorboard.Record(e.time, r.Epoch, scalars)
}

// Add appends an epoch.
func (e *Events) Add(r *rundir.Record) error {
	f, err := os.OpenFile(e.Path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("train: events: %w", err)
	}
	_, err = f.Write(e.encode(r))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("train: events: %w", err)
	}
	return nil
}
