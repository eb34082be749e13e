package sweep

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/runs"
)

// A Shard is one of Count parts of a sweep. It has the units i with i mod Count = Index.
type Shard struct{ Index, Count int }

// Of returns the units of the shard, in the order of units.
func (s Shard) Of(units []runs.Unit) []runs.Unit {
	var part []runs.Unit
	for i, u := range units {
		if i%s.Count == s.Index {
			part = append(part, u)
		}
	}
	return part
}

// ParseShard parses "index/count" with 0 ≤ index < count.
func ParseShard(text string) (Shard, error) {
	index, count, ok := strings.Cut(text, "/")
	i, e1 := strconv.Atoi(index)
	n, e2 := strconv.Atoi(count)
	if !ok || e1 != nil || e2 != nil || i < 0 || i >= n {
		return Shard{}, fmt.Errorf(
			"sweep: shard: expected I/N with I from 0 to N-1, such as 0/4, found %q", text,
		)
	}
	return Shard{i, n}, nil
}

// A batchSystem describes how a batch system numbers its tasks.
type batchSystem struct {
	name     string
	index    string // the environment variable with the index of the task
	excluded string // the system does not count if this variable of another system is set
	shard    func(e env) Shard
}

// batchSystems are sorted from the outermost to the innermost: an MPI job may run inside a task of
// an array.
var batchSystems = []batchSystem{
	{"Slurm array", "SLURM_ARRAY_TASK_ID", "", func(e env) Shard {
		first, step := e.number("SLURM_ARRAY_TASK_MIN"), 1
		if e.has("SLURM_ARRAY_TASK_STEP") {
			step = max(e.number("SLURM_ARRAY_TASK_STEP"), 1)
		}
		s := Shard{(e.number("SLURM_ARRAY_TASK_ID") - first) / step,
			e.number("SLURM_ARRAY_TASK_COUNT")}
		if last := e.number("SLURM_ARRAY_TASK_MAX"); *e.err == nil &&
			(last-first)/step+1 != s.Count {
			*e.err = fmt.Errorf(
				"sweep: expected an array of evenly spaced tasks, found %d from %d to %d; "+
					"submit the whole array again, or give --shard", s.Count, first, last,
			)
		}
		return s
	}},
	{"Kubernetes indexed Job", "JOB_COMPLETION_INDEX", "", func(e env) Shard {
		return Shard{e.number("JOB_COMPLETION_INDEX"), e.number("RECAP_SHARDS")}
	}},
	{"Open MPI", "OMPI_COMM_WORLD_RANK", "", func(e env) Shard {
		return Shard{e.number("OMPI_COMM_WORLD_RANK"), e.number("OMPI_COMM_WORLD_SIZE")}
	}},
	{"MPI", "PMI_RANK", "OMPI_COMM_WORLD_RANK", func(e env) Shard {
		return Shard{e.number("PMI_RANK"), e.number("PMI_SIZE")}
	}},
}

// FromEnvironment returns the shard of this process from the environment variables that Slurm,
// Kubernetes, Open MPI and other MPI libraries set, and the names of the systems found. Without
// such variables the shard is 0/1. If one system runs inside another, each shard of the outer
// system is divided among the tasks of the inner one.
//
// It returns an error if the variables of a system are incomplete or contradict each other.
func FromEnvironment(lookup func(string) (string, bool)) (s Shard, found []string, err error) {
	s = Shard{0, 1}
	for _, b := range batchSystems {
		e := env{lookup, b.name, new(error)}
		if !e.has(b.index) || e.has(b.excluded) {
			continue
		}
		inner := b.shard(e)
		if *e.err == nil && (inner.Index < 0 || inner.Index >= inner.Count) {
			*e.err = fmt.Errorf(
				"sweep: %s: expected a task index below %d, found %d; correct the count, or "+
					"give --shard", b.name, inner.Count, inner.Index,
			)
		}
		if *e.err != nil {
			return s, nil, *e.err
		}
		s = Shard{s.Index*inner.Count + inner.Index, s.Count * inner.Count}
		found = append(found, b.name)
	}
	return s, found, nil
}

// env reads environment variables and keeps the first error.
type env struct {
	lookup func(string) (string, bool)
	system string
	err    *error
}

func (e env) has(name string) bool {
	text, _ := e.lookup(name)
	return text != ""
}

func (e env) number(name string) int {
	text, _ := e.lookup(name)
	n, err := strconv.Atoi(text)
	if err != nil && *e.err == nil {
		*e.err = fmt.Errorf(
			"sweep: %s: expected a number in the variable %s, found %q; set it, or give --shard",
			e.system, name, text,
		)
	}
	return n
}
