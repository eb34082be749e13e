package sweep

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// Tallies counts what became of each run's units. Of units that are not among the results, other
// shards', only the seeds count.
func Tallies(units []experiment.Unit, results []Result) []experiment.Tally {
	var all []experiment.Tally
	of := func(u *experiment.Unit) *experiment.Tally {
		i := slices.IndexFunc(all, func(y experiment.Tally) bool { return y.Run == u.Run() })
		if i < 0 {
			i = len(all)
			all = append(all, experiment.Tally{Run: u.Run(), Config: u.Config})
		}
		return &all[i]
	}
	for i := range units {
		y := of(&units[i])
		y.Seeds = append(y.Seeds, units[i].Config.Seed)
	}
	for i := range results {
		r := &results[i]
		y := of(&r.Unit)
		y.Took += r.Took
		switch r.Outcome {
		case Done:
			y.Done++
		case Skipped:
			y.Skipped++
		case Failed:
			y.Failed++
		default:
			y.Left++
		}
	}
	return all
}

// Unfinished returns an error that lists the units that are not done, and why; nil if all are.
func Unfinished(results []Result) error {
	var lines []string
	begun, waiting := 0, 0
	for _, r := range results {
		switch r.Outcome {
		case Failed:
			lines = append(lines, fmt.Sprintf("  failed: %s: %s; its log is %s", r.Unit.Dir, r.Why, LogFile))
		case Held:
			lines = append(lines, "  left: "+r.Why)
		case Stopped:
			begun++
		case Waiting:
			waiting++
		}
	}
	n := len(lines) + begun + waiting
	if n == 0 {
		return nil
	}
	text := fmt.Sprintf("sweep: %d of %d units are not done", n, len(results))
	if begun+waiting > 0 {
		text += fmt.Sprintf("; interrupted: %d stopped after a whole epoch, %d not begun", begun, waiting)
	}
	text += "; the same command goes on"
	return fmt.Errorf("%s", strings.Join(append([]string{text}, lines...), "\n"))
}
