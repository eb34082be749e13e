package settings

import (
	"fmt"
	"os"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/nn"
)

// Generators make the data sets that need no file.
var Generators = map[string]func() datasets.SyntheticConfig{
	"synthetic":      datasets.DefaultSynthetic,
	"synthetic-mosi": datasets.MOSISynthetic,
}

// CheckData fills in the data set that needs no file where nothing is asked for, and refuses what
// does not go together.
func (c *Config) CheckData() error {
	if c.Dataset == "" && c.Data.File == "" {
		c.Dataset = "synthetic"
	}
	_, made := Generators[c.Dataset]
	switch {
	case made && c.Data.File != "":
		return fmt.Errorf("settings: data set %s is made by the program: expected no file, found %s; leave out one of the two", c.Dataset, c.Data.File)
	case made && c.Data.Features() != (datasets.Features{}):
		return fmt.Errorf("settings: data set %s is made by the program: expected no features of your own, found some; give the data set that they belong to with --data FILE", c.Dataset)
	case !made && c.Data.File == "":
		return fmt.Errorf("settings: data set %s: expected its feature file, found none; give MMSA's pickle (unaligned_50.pkl or alike), or what recap data pack made of it, with --data FILE or %s",
			c.Dataset, EnvName("data.file"))
	}
	return nil
}

// Features returns the features that take the place of the data set's.
func (d *DataConfig) Features() datasets.Features {
	return datasets.Features{Language: d.Text, Audio: d.Audio, Vision: d.Vision}
}

// CheckFile says what is wrong with the data set's name and file, without reading it.
func (c *Config) CheckFile() error {
	if err := c.CheckData(); err != nil {
		return err
	}
	if c.Dataset == "" {
		return fmt.Errorf("settings: %s: expected the name of the data set that is in this file, found none; give it as in -d mosi=FILE", c.Data.File)
	}
	if c.Data.File != "" {
		if _, err := os.Stat(c.Data.File); err != nil {
			return fmt.Errorf("settings: data set %s: %w", c.Dataset, err)
		}
	}
	if dir := c.Method.TextEncoder().BERT; dir != "" {
		bert, err := nn.OpenBERT(dir)
		if err != nil {
			return fmt.Errorf("settings: text.bert: %w", err)
		}
		return bert.Close()
	}
	return nil
}
