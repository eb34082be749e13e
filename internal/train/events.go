package train

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/tensorboard"
)

// eventName matches the names of event files. The number in a name is the number of epochs when the
// file was created: a resumed run has a file with a new name, since TensorBoard does not read a
// file again.
var eventName = regexp.MustCompile(`^events\.out\.tfevents\.[0-9]{10,}\.recap$`)

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
	for _, path := range eventFiles(d) {
		if path != e.path {
			err = errors.Join(err, files.Remove(path))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	return e, nil
}

// eventFiles returns the paths of the seed's event files.
func eventFiles(d rundir.Dir) (paths []string) {
	entries, _ := os.ReadDir(string(d)) // there are none in a directory that cannot be read
	for _, e := range entries {
		if eventName.MatchString(e.Name()) {
			paths = append(paths, d.File(e.Name()))
		}
	}
	return paths
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
	if err := files.Append(e.path, e.encode(r)); err != nil {
		return fmt.Errorf("train: events: %w", err)
	}
	return nil
}
