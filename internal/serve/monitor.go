package serve

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// scoringTime is how long one look computes scores: reading the predictions of many large runs
// takes longer than a client should wait. The next look continues.
const scoringTime = 200 * time.Millisecond

// A monitor looks at the files of the runs for all clients, however many they are: at most once in
// each pollInterval, and at most a tenth of the time. It reads a file again only if its size or its
// modification time has changed. It looks only when a client asks.
type monitor struct {
	dir string

	mu   sync.Mutex
	due  time.Time // of the next look
	last *snapshot
	runs map[string]*runFiles // by directory
}

func newMonitor(dir string) *monitor { return &monitor{dir: dir, runs: map[string]*runFiles{}} }

// A snapshot is the state of all runs at one time. It is not modified after it was taken.
type snapshot struct {
	runs []*runState
	list []byte // their statuses as JSON, for the event "runs"
}

// A runState is the state of a run at one time.
type runState struct {
	dir      string
	err      error // of a configuration; then there are no seeds
	seeds    []rundir.SeedRun
	journals []stamp // of each seed
	stamps   string  // of the files that the page of the run shows
	status   report.RunStatus
}

// finished reports whether all seeds are finished.
func (r *runState) finished() bool {
	return !slices.ContainsFunc(r.seeds, func(s rundir.SeedRun) bool { return !s.Finished })
}

// runFiles are what was read from the files of a run.
type runFiles struct {
	seeds  map[rundir.Dir]*seedFiles
	scored string // stamps of the predictions from which scores were computed
	scores []report.Score
	err    error // of the predictions
}

// seedFiles are what was read from the files of a seed.
type seedFiles struct {
	configStamp, journalStamp stamp
	config                    settings.Config
	last                      *rundir.Record // last line of the journal; nil before the first epoch
	configErr, journalErr     error
}

// A stamp is the size and the modification time of a file, zero if there is no file.
type stamp struct{ size, modified int64 }

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime().UnixNano()}
}

// look returns the state of all runs.
func (m *monitor) look() (*snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last != nil && time.Now().Before(m.due) {
		return m.last, nil
	}
	began := time.Now()
	dirs, err := rundir.FindRuns(m.dir)
	if err != nil {
		return nil, err
	}
	s := &snapshot{runs: make([]*runState, 0, len(dirs))}
	for _, dir := range dirs {
		s.runs = append(s.runs, m.read(dir))
	}
	m.forget(dirs)
	took := time.Since(began)
	m.score(s.runs)
	if s.list, err = json.Marshal(s.statuses()); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	m.last, m.due = s, time.Now().Add(max(pollInterval, 9*took))
	return s, nil
}

// forget removes what was read from runs that no longer exist.
func (m *monitor) forget(dirs []string) {
	if len(m.runs) == len(dirs) {
		return
	}
	for dir := range m.runs {
		if !slices.Contains(dirs, dir) {
			delete(m.runs, dir)
		}
	}
}

// statuses returns the list of runs.
func (s *snapshot) statuses() []report.RunStatus {
	list := []report.RunStatus{}
	for _, run := range s.runs {
		list = append(list, run.status)
	}
	return list
}

// find returns the run with a name, nil if there is none.
func (s *snapshot) find(name string) *runState {
	i := slices.IndexFunc(s.runs, func(r *runState) bool { return r.status.Name == name })
	if i < 0 {
		return nil
	}
	return s.runs[i]
}

// nameOf returns the name of a run in the list: its path relative to the served directory.
func (m *monitor) nameOf(dir string) string {
	name, err := filepath.Rel(m.dir, dir)
	if err != nil {
		panic("serve: a run outside the directory in which it was found: " + err.Error())
	}
	return filepath.ToSlash(name)
}

// read returns the state of a run, without scores.
func (m *monitor) read(dir string) *runState {
	r := &runState{dir: dir, status: report.RunStatus{Name: m.nameOf(dir)}}
	fail := func(err error) *runState {
		r.err, r.seeds = err, nil
		r.status.Phase, r.status.State = report.Broken, err.Error()
		return r
	}
	dirs, err := rundir.SeedDirs(dir)
	if err != nil {
		return fail(err)
	}
	if m.runs[dir] == nil {
		m.runs[dir] = &runFiles{seeds: map[rundir.Dir]*seedFiles{}}
	}
	var stamps strings.Builder
	finished := 0
	for _, d := range dirs {
		files := m.runs[dir].read(d)
		if files.configErr != nil {
			return fail(files.configErr)
		}
		seed := rundir.SeedRun{Seed: files.config.Seed, Dir: d, Finished: d.Finished()}
		if seed.Finished {
			finished++
		}
		r.seeds, r.journals = append(r.seeds, seed), append(r.journals, files.journalStamp)
		fmt.Fprintln(&stamps, d, files.configStamp, files.journalStamp,
			stampOf(d.File(rundir.PredictionsFile)))
	}
	r.stamps = stamps.String()
	r.status.Seeds = fmt.Sprintf("%d of %d", finished, len(dirs))
	r.status.Phase, r.status.State = m.runs[dir].state(r.seeds)
	return r
}

// read reads the files of a seed that have changed.
func (r *runFiles) read(d rundir.Dir) *seedFiles {
	files := r.seeds[d]
	if files == nil {
		files = &seedFiles{}
		r.seeds[d] = files
	}
	if now := stampOf(d.File(rundir.ConfigFile)); now != files.configStamp {
		files.configStamp = now
		files.config, files.configErr = d.Config()
	}
	if now := stampOf(d.File(rundir.JournalFile)); now != files.journalStamp {
		files.journalStamp, files.last = now, nil
		records, err := d.Records()
		if files.journalErr = err; len(records) > 0 {
			files.last = &records[len(records)-1]
		}
	}
	return files
}

// state returns the phase of a run and a text such as "seed 7: stage1, epoch 1 of 5". Of several
// unfinished seeds it describes the first one that a process trains, or else the first one.
func (r *runFiles) state(seeds []rundir.SeedRun) (phase, text string) {
	phase = report.Finished
	for _, s := range seeds {
		if s.Finished {
			continue
		}
		p, err := holderOf(s.Dir)
		t := r.seeds[s.Dir].progress(s.Seed)
		if err != nil {
			p, t = report.Broken, err.Error()
		}
		if phase == report.Finished || p == report.Running && phase != report.Running {
			phase, text = p, t
		}
	}
	return phase, text
}

// holderOf returns whether a process trains an unfinished seed.
func holderOf(d rundir.Dir) (phase string, err error) {
	holder, err := rundir.LockHolder(d.File(rundir.LockFile))
	switch {
	case err != nil:
		return "", err
	case holder == nil:
		return report.Stopped, nil
	case holder.Running:
		return report.Running, nil
	}
	return report.Unknown, nil
}

// progress describes the training of an unfinished seed.
func (f *seedFiles) progress(seed uint64) string {
	switch {
	case f.journalErr != nil:
		return f.journalErr.Error()
	case f.last == nil:
		return fmt.Sprintf("seed %d: no epoch yet", seed)
	}
	return fmt.Sprintf("seed %d: %s, epoch %d of %d", seed, f.last.Phase, f.last.Epoch,
		f.config.Train.Epochs[f.last.Phase])
}

// score adds the scores of the finished seeds. It computes those of runs whose predictions have
// changed, for about scoringTime.
func (m *monitor) score(runs []*runState) {
	began := time.Now()
	for _, r := range runs {
		files, stamps := m.runs[r.dir], ""
		for _, s := range r.seeds {
			if s.Finished {
				stamps += fmt.Sprintln(s.Dir, files.seeds[s.Dir].configStamp,
					stampOf(s.Dir.File(rundir.PredictionsFile)))
			}
		}
		if stamps == "" {
			continue
		}
		if stamps != files.scored && time.Since(began) < scoringTime {
			files.scored = stamps
			files.scores, files.err = scoresOf(r.dir)
		}
		r.status.Scores = files.scores
		if files.err != nil {
			r.status.Phase, r.status.State = report.Broken, files.err.Error()
		}
	}
}

// scoresOf returns the scores of a run with a finished seed.
func scoresOf(dir string) ([]report.Score, error) {
	s, err := tables.Summarize(dir)
	if err != nil {
		return nil, err
	}
	return report.Scores(s), nil
}
