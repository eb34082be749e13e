package train

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestOriginOfASeed has a state or a checkpoint, or both, which say from which data they come, or
// do not, as those of version 0.1.
func TestOriginOfASeed(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	same := map[string]string{dataKey: "a1", utterancesKey: "3, 2, 2"}
	for _, have := range []struct {
		what        string
		state, best map[string]string // metadata; nil without the file
		known       bool
		other       bool // data of the hash b2 are refused
	}{
		{"nothing", nil, nil, true, false},
		{"a state", same, nil, true, true},
		{"a checkpoint", nil, same, true, true},
		{"both", same, same, true, true},
		{"an old state", map[string]string{}, nil, false, false},
		{"an old checkpoint", nil, map[string]string{}, false, false},
		{"an old state and a checkpoint", map[string]string{}, same, true, true},
	} {
		d := rundir.Dir(t.TempDir())
		for name, meta := range map[string]map[string]string{rundir.StateFile: have.state,
			rundir.BestFile: have.best} {
			if meta == nil {
				continue
			}
			if err := rundir.SaveTensors(d.File(name), nil, meta); err != nil {
				t.Fatal(err)
			}
		}
		if known, err := HasOrigin(d); known != have.known || err != nil {
			t.Errorf("%s: HasOrigin %v, %v, want %v", have.what, known, err, have.known)
		}
		for hash, refused := range map[string]bool{"a1": false, "b2": have.other} {
			data := &Data{Origin: Origin{Hash: hash, Utterances: [3]int{3, 2, 2}}}
			if err := data.CheckOrigin(d, &c); (err != nil) != refused {
				t.Errorf("%s: error %v of data with hash %s", have.what, err, hash)
			}
		}
	}
}

// TestWarningOfOtherData names both data in the log.
func TestWarningOfOtherData(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	if err := rundir.SaveTensors(d.File(rundir.BestFile), nil,
		map[string]string{dataKey: "a1", utterancesKey: "3, 2, 2"}); err != nil {
		t.Fatal(err)
	}
	for hash, want := range map[string]string{"a1": "", "b2": `level=WARN msg="the data ` +
		`have changed since the run was trained" run=` + string(d) +
		` "trained on"="3, 2, 2" sha256=a1 ` +
		`"tested on"="4, 2, 1" found=b2` + "\n"} {
		var log bytes.Buffer
		other, err := WarnOfOtherData(d, Origin{Hash: hash, Utterances: [3]int{4, 2, 1}},
			slog.New(slog.NewTextHandler(&log, nil)))
		if other != (want != "") || err != nil || !strings.HasSuffix(log.String(), want) ||
			want == "" && log.Len() > 0 {
			t.Errorf("hash %s: %v, %v, log %q, want %q", hash, other, err, &log, want)
		}
	}
}

// TestErrorsOfOtherData says what has changed, and what to do.
func TestErrorsOfOtherData(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	meta := map[string]string{dataKey: "0123456789abcdef", utterancesKey: "3, 2, 2"}
	path := d.File(rundir.BestFile)
	if err := rundir.SaveTensors(path, nil, meta); err != nil {
		t.Fatal(err)
	}
	begin := "train: " + path + ": expected the data that it comes from, 3, 2, 2 utterances for " +
		"training, validation and test (SHA-256 0123456789ab…), found "
	const moved, version = "; give the original file with recap train --resume DIR --data FILE, " +
		"or train a new run", "; use the version of recap that generated the original data, or " +
		"train a new run"
	for _, x := range []struct {
		dataset    string
		utterances [3]int
		want       string
	}{
		{"mosi", [3]int{3, 2, 2}, "3, 2, 2 (fedcba987654…): the numbers are the same, but ids, " +
			"tokens, frames or labels have changed" + strings.Replace(moved, "DIR", string(d), 1)},
		{"synthetic", [3]int{3, 2, 1}, "3, 2, 1 (fedcba987654…): the numbers of utterances have " +
			"changed" + version},
	} {
		c := settingstest.Resolved(t, nil)
		c.Dataset = x.dataset
		data := &Data{Origin: Origin{Hash: "fedcba9876543210", Utterances: x.utterances}}
		if err := data.CheckOrigin(d, &c); fmt.Sprint(err) != begin+x.want {
			t.Errorf("error %v\nwant  %s", err, begin+x.want)
		}
	}
	for _, name := range []string{rundir.BestFile, rundir.StateFile} {
		d := rundir.Dir(t.TempDir())
		if err := os.WriteFile(d.File(name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := settingstest.Resolved(t, nil)
		known, e1 := HasOrigin(d)
		e2 := (&Data{}).CheckOrigin(d, &c)
		for _, err := range []error{e1, e2} {
			want := "train: " + d.File(name)
			if !strings.HasPrefix(fmt.Sprint(err), want) || known {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	}
	other, err := WarnOfOtherData(rundir.Dir(t.TempDir()), Origin{}, slog.New(slog.DiscardHandler))
	if other || !strings.HasPrefix(fmt.Sprint(err), "train: checkpoint: ") {
		t.Errorf("%v, error %v without a checkpoint", other, err)
	}
	if err := rundir.SaveTensors(path, nil, nil); err != nil {
		t.Fatal(err)
	}
	other, err = WarnOfOtherData(d, Origin{Hash: "1"}, slog.New(slog.DiscardHandler))
	if other || err != nil {
		t.Errorf("a checkpoint of version 0.1: %v, %v", other, err)
	}
}
