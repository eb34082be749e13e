package main

import (
	"fmt"
	"os"
	"time"

	"github.com/seed-6655bf3b/recap/datasets"
)

// featureFlags replace features of a data set by those of other files, under the names that MMSA's
// command has for them.
type featureFlags struct {
	FeatureText   string `placeholder:"FILE" help:"Take text_bert from this file (also -Ft)."`
	FeatureAudio  string `placeholder:"FILE" help:"Take the audio features from this file (also -Fa)."`
	FeatureVision string `placeholder:"FILE" help:"Take the visual features from this file (also -Fv)."`
}

func (f *featureFlags) own() datasets.Features {
	return datasets.Features{Language: f.FeatureText, Audio: f.FeatureAudio, Vision: f.FeatureVision}
}

// longFlags replaces MMSA's flags of two letters, which the parser would take for two flags.
func longFlags(args []string) []string {
	long := map[string]string{"-Ft": "--feature-text", "-Fa": "--feature-audio", "-Fv": "--feature-vision"}
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; long[a] != "" {
			out[i] = long[a]
		}
	}
	return out
}

type dataCheckCommand struct {
	File string `arg:"" help:"Feature file in MMSA's layout, or packed."`
	featureFlags
}

func (dataCheckCommand) Help() string {
	return "Examples:\n  recap data check unaligned_50.pkl\n  recap data check unaligned_50.pkl -Fa my_audio.pkl -Fv my_video.pkl"
}

func (c *dataCheckCommand) Run(t *terminal) error {
	report, err := datasets.Check(c.File, c.own())
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, report)
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("data check: %s: expected no problems, found %d, listed above", c.File, n)
	}
	return nil
}

type dataPackCommand struct {
	In  string `arg:"" help:"Feature file in MMSA's layout."`
	Out string `arg:"" help:"File to write; by custom its name ends in .safetensors."`
	featureFlags
}

func (dataPackCommand) Help() string {
	return `The packed file trains with the same bits, opens at once, whatever its size, and is shared by the programs that read it.

Example:
  recap data pack unaligned_50.pkl mosi.safetensors
  recap train -d mosi --data mosi.safetensors`
}

func (c *dataPackCommand) Run(t *terminal) error {
	began := time.Now()
	if err := datasets.Pack(c.In, c.Out, c.own()); err != nil {
		return err
	}
	info, err := os.Stat(c.Out)
	if err != nil {
		return fmt.Errorf("data pack: %w", err)
	}
	t.log.Info("packed", "file", c.Out, "bytes", info.Size(), "seconds", time.Since(began).Round(time.Millisecond).Seconds())
	return nil
}
