package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

type evalCommand struct {
	Dir   string   `arg:"" type:"existingdir" help:"${run_dir}"`
	Rates string   `placeholder:"RATES" help:"Missing rates: first:last:step or a list; default: those of the run."`
	Drop  []string `placeholder:"MODALITY" help:"${drop}"`
	Data  string   `type:"path" placeholder:"FILE" help:"Test on this file instead of the run's."`
	featureFlags
	Device string `placeholder:"NAME" help:"${run_device}"`
}

func (evalCommand) Help() string {
	return `With --data, all utterances of the file's test split are used, with the features of that
file: the run's own -Ft, -Fa, -Fv and data.limit do not apply. Other splits may be absent.

Examples:
  recap eval runs/synthetic/recap/full --rates 0:0.9:0.3 --drop audio,vision
  recap eval runs/mosi/recap/full --data other.pkl -Fa other_audio.pkl`
}

func (c *evalCommand) Run(ctx context.Context, t *terminal) error {
	drop, err := settings.ParseModalities(c.Drop)
	if err != nil {
		return usageError{err}
	}
	if c.Rates != "" {
		if _, err := settings.ParseRates(c.Rates); err != nil {
			return usageError{err}
		}
	}
	o := runs.EvalOptions{Rates: c.Rates, Drop: drop, File: c.Data, Features: c.files(),
		Device: c.Device, Progress: func(test, tests int) { t.showSteps("test", test-1, tests) }}
	s, err := runs.Evaluate(ctx, c.Dir, o, t.log)
	t.hide()
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, s.Text(t.width))
	return nil
}

type predictCommand struct {
	Run_     string   `name:"run" required:"" type:"existingdir" placeholder:"DIR" help:"${predict_run}"`
	Features string   `xor:"input" required:"" placeholder:"FILE" help:"${features}"`
	Text     []string `sep:"none" xor:"input" required:"" placeholder:"TEXT" help:"${predict_text}"`
	BERT     string   `name:"bert" placeholder:"DIR" help:"${vocabulary}"`
	Device   string   `placeholder:"NAME" help:"${run_device}"`
	JSON     bool     `name:"json" help:"${predict_json}"`
}

func (predictCommand) Help() string {
	return `Prints one line of CSV for each utterance: its id (with --text the transcript), the prediction, and
the weights of language, audio and vision. An id that begins with =, +, - or @ has ' before it, so
that a spreadsheet does not take it for a formula; --json writes all ids as they are.

A JSON file is an array of utterances, or has one utterance in each line. text_bert has the token
ids from [CLS] to [SEP], the attention mask and the token types; audio and vision have a row of
features for each frame. id, label and raw_text are optional:
  [{"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
    "audio": [[0.5], [0.1]], "vision": [[2], [3]]}]
A modality that is left out, or is null or [], is missing from the utterance. The numbers of
features must be those of the training data; sequences may be shorter. Token ids are whole numbers
from 0, the mask is 0 or 1, and features are finite.

Examples:
  recap predict --run runs/mosi/recap/full/seed1111 --features mine.json
  recap predict --run runs/mosi/recap/full/seed1111 --text "I loved every minute of it." --text "Meh."`
}

func (c *predictCommand) Run(t *terminal) error {
	var p *results.Predictions
	var err error
	if c.Features != "" {
		p, err = runs.Predict(c.Run_, c.Features, c.Device, t.log)
	} else {
		p, err = runs.PredictText(c.Run_, c.Text, c.BERT, c.Device, t.log)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return results.WriteJSON(t.out, p)
	}
	rows := [][]string{{"id", "prediction", "alpha_l", "alpha_a", "alpha_v"}}
	for i, id := range p.ID {
		score := strconv.FormatFloat(float64(p.Score[i]), 'f', 4, 32)
		row := []string{plainText(id), score, "", "", ""}
		if p.Weight != nil {
			for m, v := range p.Weight[i] {
				row[2+m] = strconv.FormatFloat(v, 'f', 4, 64)
			}
		}
		rows = append(rows, row)
	}
	return csv.NewWriter(t.out).WriteAll(rows)
}

// plainText returns an id such that a spreadsheet reads it as text, not as a formula.
func plainText(id string) string {
	if id != "" && strings.ContainsRune("=+-@\t\r", rune(id[0])) {
		return "'" + id
	}
	return id
}
