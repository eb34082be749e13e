package experiment

import (
	"fmt"
	"os"

	"github.com/seed-6655bf3b/recap/datasets"
)

// generators make the data sets that need no file.
var generators = map[string]func() datasets.SyntheticConfig{
	"synthetic":      datasets.DefaultSynthetic,
	"synthetic-mosi": datasets.MOSISynthetic,
}

// checkData fills in the data set that needs no file where nothing is asked for, and refuses what
// does not go together.
func (c *Config) checkData() error {
	if c.Dataset == "" && c.Data.File == "" {
		c.Dataset = "synthetic"
	}
	_, made := generators[c.Dataset]
	switch {
	case made && c.Data.File != "":
		return fmt.Errorf("experiment: data set %s is made by the program: expected no file, found %s; leave out one of the two", c.Dataset, c.Data.File)
	case made && c.Data.own() != (datasets.Features{}):
		return fmt.Errorf("experiment: data set %s is made by the program: expected no features of your own, found some; give the data set that they belong to with --data FILE", c.Dataset)
	case !made && c.Data.File == "":
		return fmt.Errorf("experiment: data set %s: expected its feature file, found none; give MMSA's pickle (unaligned_50.pkl or alike), or what recap data pack made of it, with --data FILE or %s",
			c.Dataset, EnvName("data.file"))
	}
	return nil
}

// own returns the features that take the place of the data set's.
func (d *DataConfig) own() datasets.Features {
	return datasets.Features{Language: d.Text, Audio: d.Audio, Vision: d.Vision}
}

// checkFile says what is wrong with the data set's name and file, without reading it.
func (c *Config) checkFile() error {
	if err := c.checkData(); err != nil {
		return err
	}
	if c.Dataset == "" {
		return fmt.Errorf("experiment: %s: expected the name of the data set that is in this file, found none; give it as in -d mosi=FILE", c.Data.File)
	}
	if c.Data.File != "" {
		if _, err := os.Stat(c.Data.File); err != nil {
			return fmt.Errorf("experiment: data set %s: %w", c.Dataset, err)
		}
	}
	return nil
}
