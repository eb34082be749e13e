package main

import (
	"fmt"
	"os"
	"time"

	"github.com/seed-6655bf3b/recap/datasets"
)

// featureFlags are the files that replace features of a data set. The flags have the names of
// MMSA's command.
type featureFlags struct {
	FeatureText   string `placeholder:"FILE" help:"Read text_bert from this file (also -Ft)."`
	FeatureAudio  string `placeholder:"FILE" help:"Read the audio features from this file (also -Fa)."`
	FeatureVision string `placeholder:"FILE" help:"Read the vision features from this file (also -Fv)."`
}

func (f *featureFlags) files() datasets.Features {
	return datasets.Features{Language: f.FeatureText, Audio: f.FeatureAudio,
		Vision: f.FeatureVision}
}

// longFlags replaces MMSA's two-letter flags, such as -Ft, which the parser would read as -F -t.
func longFlags(args []string) []string {
	long := map[string]string{"-Ft": "--feature-text", "-Fa": "--feature-audio",
		"-Fv": "--feature-vision"}
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; long[a] != "" {
			out[i] = long[a]
		}
	}
	return out
}

type dataCheckCommand struct {
	File    string `arg:"" help:"Feature file: a pickle in MMSA's layout, or packed."`
	Dataset string `short:"d" placeholder:"NAME" help:"${data_name}"`
	featureFlags
}

func (dataCheckCommand) Help() string {
	return `Examples:
  recap data check unaligned_50.pkl
  recap data check unaligned_50.pkl -Fa my_audio.pkl -Fv my_video.pkl`
}

func (c *dataCheckCommand) Run(t *terminal) error {
	report, err := datasets.Check(c.File,
		datasets.Options{Name: c.Dataset, Features: c.files()})
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, report)
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("data check: %s: expected no problems, found %d, listed above",
			c.File, n)
	}
	return nil
}

type dataPackCommand struct {
	In  string `arg:"" help:"Feature file in MMSA's layout."`
	Out string `arg:"" help:"File to write; its name usually ends in .safetensors."`

	Dataset string `short:"d" placeholder:"NAME" help:"${data_name}"`
	Repad   bool   `help:"${repad}"`
	featureFlags
}

func (dataPackCommand) Help() string {
	return `Training on the packed file gives the same bits. It is memory-mapped: it opens at once, whatever its
size, and processes that read it share its memory.

Example:
  recap data pack unaligned_50.pkl mosi.safetensors
  recap data pack --repad padded_in_front.pkl mosi.safetensors
  recap train -d mosi --data mosi.safetensors`
}

func (c *dataPackCommand) Run(t *terminal) error {
	start := time.Now()
	warnings, err := datasets.Pack(c.In, c.Out,
		datasets.Options{Name: c.Dataset, Features: c.files(), Repad: c.Repad})
	for _, w := range warnings {
		t.log.Warn(w, "file", c.In)
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(c.Out)
	if err != nil {
		return fmt.Errorf("data pack: %w", err)
	}
	seconds := time.Since(start).Round(time.Millisecond).Seconds()
	t.log.Info("packed", "file", c.Out, "bytes", info.Size(), "seconds", seconds)
	return nil
}
