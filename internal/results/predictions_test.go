package results

import (
	"strings"
	"testing"
)

// TestBrokenPredictions expects the line in which a truncated file breaks off.
func TestBrokenPredictions(t *testing.T) {
	text := strings.Join(predictionColumns, ",") + "\na,0,1,1.5,,,\nb,0,1,1."
	_, err := ReadCSV("predictions.csv", []byte(text))
	want := "predictions.csv: line 3: expected a row of 7 cells, found wrong number of fields"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}
