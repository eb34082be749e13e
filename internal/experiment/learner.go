package experiment

import (
	"fmt"
	"log/slog"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/recap"
)

// A learner is a model with its parameters.
type learner struct {
	model  zoo.Model
	params []nn.Param
	dims   zoo.Dims
	device ag.Device
}

// newLearner makes the model that c names.
func newLearner(c *Config, d zoo.Dims) (*learner, error) {
	dev, err := ag.Open(c.device())
	if err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	p := nn.NewParams(dev, stream(c.Seed, "init"))
	l := &learner{model: c.spec().New(p, c.Method, d), params: p.All(), dims: d, device: dev}
	if err := dev.Sync(); err != nil {
		return nil, fmt.Errorf("experiment: model of %d parameters: %w", count(l.params), err)
	}
	return l, nil
}

// loadPretrained gives the model the parameters that the configuration takes from files.
func (l *learner) loadPretrained(c *Config, log *slog.Logger) error {
	if l.dims.BERT != nil {
		if err := l.loadWords(c.Method.Words(), log); err != nil {
			return fmt.Errorf("experiment: text.bert: %w", err)
		}
	}
	if m, ok := l.model.(*recap.Model); ok {
		return loadGenerator(m, &c.Method.(*recap.Config).Generator, log)
	}
	return nil
}

func (l *learner) loadWords(words *zoo.TextConfig, log *slog.Logger) error {
	bert, err := nn.OpenBERT(words.BERT)
	if err != nil {
		return err
	}
	defer bert.Close()
	log.Info("pretrained encoder of words", "file", bert.Path, "width", bert.Config.Width, "layers", bert.Config.Layers, "finetune", words.Finetune, "unused", bert.Unused)
	return bert.Load(l.model.Text().Params)
}

func loadGenerator(m *recap.Model, g *recap.GeneratorConfig, log *slog.Logger) error {
	if g.File == "" {
		return nil
	}
	log.Info("pretrained generators", "file", g.File, "widths", g.Widths, "blocks", g.Blocks)
	return m.LoadGenerator(g.File)
}

func count(ps []nn.Param) int {
	n := 0
	for _, p := range ps {
		n += p.Len()
	}
	return n
}
