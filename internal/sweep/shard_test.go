package sweep

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/runs"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"0/1": {0, 1}, "3/4": {3, 4}} {
		if got, err := ParseShard(text); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "4/4", "-1/4", "0/0", "a/b", "1/2/3"} {
		if _, err := ParseShard(text); err == nil ||
			!strings.Contains(err.Error(), "expected I/N with I from 0 to N-1") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestShardsAreAPartition checks that each unit is in exactly one shard, for 1 to 12 shards.
func TestShardsAreAPartition(t *testing.T) {
	var units []runs.Unit
	for i := range 10 {
		units = append(units, runs.Unit{Dir: fmt.Sprint(i)})
	}
	for n := 1; n <= 12; n++ {
		var all []string
		for i := range n {
			part := Shard{i, n}.Of(units)
			if len(part) != 10/n && len(part) != 10/n+1 {
				t.Errorf("shard %d/%d has %d of 10 units", i, n, len(part))
			}
			for _, u := range part {
				all = append(all, u.Dir)
			}
		}
		if slices.Sort(all); strings.Join(all, "") != "0123456789" {
			t.Errorf("%d shards have the units %v", n, all)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	slurm := "SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=6 " +
		"SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_STEP=1"
	for _, c := range []struct {
		env   string
		want  Shard
		found string
		err   string
	}{
		{"", Shard{0, 1}, "", ""},
		{slurm, Shard{2, 4}, "Slurm array", ""},
		{"SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=9 " +
			"SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_STEP=4", Shard{2, 3}, "Slurm array", ""},
		{"SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=9 " +
			"SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_STEP=1", Shard{}, "",
			"evenly spaced tasks, found 3 from 1 to 9"},
		{"SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=4 " +
			"SLURM_ARRAY_TASK_COUNT=4", Shard{2, 4}, "Slurm array", ""},
		{"SLURM_ARRAY_TASK_ID=3", Shard{},
			"", `Slurm array: expected a number in the variable SLURM_ARRAY_TASK_MIN, found ""`},
		{"JOB_COMPLETION_INDEX=2 RECAP_SHARDS=3", Shard{2, 3}, "Kubernetes indexed Job", ""},
		{"JOB_COMPLETION_INDEX=2", Shard{}, "", `RECAP_SHARDS, found ""`},
		{"JOB_COMPLETION_INDEX=3 RECAP_SHARDS=3", Shard{},
			"", "expected a task index below 3, found 3"},
		{"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", Shard{1, 2}, "Open MPI", ""},
		{"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2", Shard{0, 2}, "Open MPI", ""},
		{"OMPI_COMM_WORLD_RANK=-1 OMPI_COMM_WORLD_SIZE=2", Shard{}, "",
			"sweep: Open MPI: expected a task index below 2, found -1; correct the count, or"},
		{"PMI_RANK=1 PMI_SIZE=2", Shard{1, 2}, "MPI", ""},
		{"PMI_RANK=x PMI_SIZE=2", Shard{}, "", `PMI_RANK, found "x"`},
		{"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 PMI_RANK=1 PMI_SIZE=3", Shard{1, 3},
			"Open MPI", ""},
		{slurm + " OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", Shard{5, 8},
			"Slurm array, Open MPI", ""},
	} {
		vars := map[string]string{}
		for _, v := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(v, "=")
			vars[name] = value
		}
		got, found, err := FromEnvironment(func(name string) (string, bool) {
			v, ok := vars[name]
			return v, ok
		})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) ||
				!strings.Contains(err.Error(), "--shard") {
				t.Errorf("%s: error %v, want %q", c.env, err, c.err)
			}
			continue
		}
		if got != c.want || strings.Join(found, ", ") != c.found || err != nil {
			t.Errorf("%s: %v from %v (%v), want %v from %s", c.env, got, found, err, c.want,
				c.found)
		}
	}
}
