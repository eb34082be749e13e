package experiment

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/tensorboard"
)

// eventFiles are what TensorBoard reads. The number is that of the epochs made when the file was
// begun, so that a resumed run has a new name, and TensorBoard, which does not look again at a
// file it has read, sees it.
const eventFiles = "events.out.tfevents.*.recap"

// events is a file for TensorBoard that says what the journal says: the tags are the names of the
// journal after the phase, the steps its epochs, the times those of training, without pauses, from
// when the configuration was written.
type events struct {
	path string
	time float64 // of the last epoch, in seconds since 1970
}

// openEvents begins a file with what the journal holds, in the place of older ones: after a
// resumption no step is there twice.
func openEvents(d runDir, records []record) (*events, error) {
	info, err := os.Stat(d.file(configFile))
	if err != nil {
		return nil, fmt.Errorf("experiment: events: %w", err)
	}
	e := &events{d.file(fmt.Sprintf("events.out.tfevents.%010d.recap", len(records))), float64(info.ModTime().Unix())}
	file := tensorboard.Header(e.time)
	for i := range records {
		file = append(file, e.encode(&records[i])...)
	}
	if err := WriteFile(e.path, file); err != nil {
		return nil, err
	}
	there, err := filepath.Glob(d.file(eventFiles))
	for _, path := range there {
		if path != e.path {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("experiment: events: %w", err)
	}
	return e, nil
}

// hasEvents tells whether the run has a file for TensorBoard.
func hasEvents(d runDir) bool {
	there, err := filepath.Glob(d.file(eventFiles))
	return err == nil && there != nil
}

// encode returns the epoch that follows.
func (e *events) encode(r *record) []byte {
	e.time += r.Seconds
	scalars := []tensorboard.Scalar{{Tag: r.Phase + "/lr", Value: r.LR}, {Tag: r.Phase + "/seconds", Value: r.Seconds}}
	for _, group := range []struct {
		prefix string
		values numbers
	}{{"/", r.Terms}, {"/valid/", r.Valid}, {"/test/", r.Test}} {
		for _, name := range slices.Sorted(maps.Keys(group.values)) {
			scalars = append(scalars, tensorboard.Scalar{Tag: r.Phase + group.prefix + name, Value: group.values[name]})
		}
	}
	return tensorboard.Record(e.time, r.Epoch, scalars)
}

// add appends an epoch.
func (e *events) add(r *record) error {
	f, err := os.OpenFile(e.path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("experiment: events: %w", err)
	}
	_, err = f.Write(e.encode(r))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("experiment: events: %w", err)
	}
	return nil
}
