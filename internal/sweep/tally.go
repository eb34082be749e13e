package sweep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// Tallies counts the outcomes of the units of each run, in the order of units. A unit without a
// result, because it belongs to another shard, only adds its seed.
func Tallies(units []runs.Unit, results []Result) []tables.Tally {
	var all []tables.Tally
	tallyOf := func(u *runs.Unit) *tables.Tally {
		i := slices.IndexFunc(all, func(t tables.Tally) bool { return t.Run == u.Run() })
		if i < 0 {
			i = len(all)
			all = append(all, tables.Tally{Run: u.Run(), Config: u.Config})
		}
		return &all[i]
	}
	for i := range units {
		tally := tallyOf(&units[i])
		tally.Seeds = append(tally.Seeds, units[i].Config.Seed)
	}
	for i := range results {
		r := &results[i]
		tally := tallyOf(&r.Unit)
		tally.Elapsed += r.Elapsed
		switch r.Outcome {
		case Done:
			tally.Done++
		case Skipped:
			tally.Skipped++
		case Failed:
			tally.Failed++
		default:
			tally.Remaining++
		}
	}
	return all
}

// Unfinished returns an error that lists the units that are not finished, each with the reason. It
// returns nil if all are finished.
func Unfinished(results []Result) error {
	var lines []string
	stopped, waiting := 0, 0
	for _, r := range results {
		switch r.Outcome {
		case Failed:
			lines = append(lines,
				fmt.Sprintf("  failed: %s: %s; its log is %s", r.Unit.Dir, r.Reason, LogFile))
		case Locked:
			lines = append(lines, "  locked: "+r.Reason)
		case Stopped:
			stopped++
		case Waiting:
			waiting++
		}
	}
	n := len(lines) + stopped + waiting
	if n == 0 {
		return nil
	}
	text := fmt.Sprintf("sweep: %d of %d units are not finished", n, len(results))
	if stopped+waiting > 0 {
		text += fmt.Sprintf("; interrupted: %d stopped after a complete epoch, %d not started",
			stopped, waiting)
	}
	text += "; run the same command again to continue"
	return errors.New(strings.Join(append([]string{text}, lines...), "\n"))
}
