package sweep

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// A Shard is the part of a sweep whose units have numbers that leave the remainder Index when
// divided by Count.
type Shard struct{ Index, Count int }

// Of returns the shard's units.
func (s Shard) Of(units []experiment.Unit) []experiment.Unit {
	var part []experiment.Unit
	for i, u := range units {
		if i%s.Count == s.Index {
			part = append(part, u)
		}
	}
	return part
}

// ParseShard reads "index/count", the first index being 0.
func ParseShard(text string) (Shard, error) {
	index, count, ok := strings.Cut(text, "/")
	i, e1 := strconv.Atoi(index)
	n, e2 := strconv.Atoi(count)
	if !ok || e1 != nil || e2 != nil || i < 0 || i >= n {
		return Shard{}, fmt.Errorf("sweep: shard: expected I/N with I from 0 to N-1, such as 0/4, found %q", text)
	}
	return Shard{i, n}, nil
}

// A rank is how a batch system tells its tasks apart.
type rank struct {
	name, index string // the system, and the variable of the task's number
	unless      string // a variable of another that says the same
	shard       func(e env) Shard
}

// ranks are those that are known, the outermost first: an MPI job may be a task of an array.
var ranks = []rank{
	{"Slurm array", "SLURM_ARRAY_TASK_ID", "", func(e env) Shard {
		first, step := e.number("SLURM_ARRAY_TASK_MIN"), 1
		if e.has("SLURM_ARRAY_TASK_STEP") {
			step = max(e.number("SLURM_ARRAY_TASK_STEP"), 1)
		}
		s := Shard{(e.number("SLURM_ARRAY_TASK_ID") - first) / step, e.number("SLURM_ARRAY_TASK_COUNT")}
		if last := e.number("SLURM_ARRAY_TASK_MAX"); *e.err == nil && (last-first)/step+1 != s.Count {
			*e.err = fmt.Errorf("sweep: expected an array of evenly spaced tasks, found %d from %d to %d; submit the whole array again, or give --shard", s.Count, first, last)
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

// FromEnvironment returns the shard of this task of a batch system, with the names of those whose
// variables are set; the whole where there are none. Where one runs inside another, each task of
// the outer is divided among those of the inner.
func FromEnvironment(lookup func(string) (string, bool)) (s Shard, found []string, err error) {
	s = Shard{0, 1}
	for _, r := range ranks {
		e := env{lookup, r.name, new(error)}
		if !e.has(r.index) || e.has(r.unless) {
			continue
		}
		inner := r.shard(e)
		if *e.err == nil && (inner.Index < 0 || inner.Index >= inner.Count) {
			*e.err = fmt.Errorf("sweep: %s: expected a task's number below %d, found %d; set the count right, or give --shard", r.name, inner.Count, inner.Index)
		}
		if *e.err != nil {
			return s, nil, *e.err
		}
		s = Shard{s.Index*inner.Count + inner.Index, s.Count * inner.Count}
		found = append(found, r.name)
	}
	return s, found, nil
}

// env reads the environment and keeps the first error.
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
		*e.err = fmt.Errorf("sweep: %s: expected a number in the variable %s, found %q; set it, or give --shard", e.system, name, text)
	}
	return n
}
