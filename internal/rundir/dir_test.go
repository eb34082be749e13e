package rundir

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

func TestConfigurationSurvivesTheFile(t *testing.T) {
	c := settingstest.Resolved(t,
		map[string]string{"sizes": "[4, 2]", "weights": "[1, 2, 3]", "variant": "no-dropout",
			"data.labels": "0.1"})
	d := Dir(t.TempDir())
	if err := d.WriteConfig(&c); err != nil {
		t.Fatal(err)
	}
	back, err := d.Config()
	if diff := cmp.Diff(c, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
