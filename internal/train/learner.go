package train

import (
	"fmt"
	"log/slog"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/recap"
)

// A Learner is a model with its parameters.
type Learner struct {
	Model  zoo.Model
	Params []nn.Param
	Dims   zoo.Dims
	Device ag.Device
}

// NewLearner makes the model that c names.
func NewLearner(c *settings.Config, d zoo.Dims) (*Learner, error) {
	dev, err := ag.Open(c.DeviceName())
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	p := nn.NewParams(dev, stream(c.Seed, "init"))
	l := &Learner{Model: c.Spec().New(p, c.Method, d), Params: p.All(), Dims: d, Device: dev}
	if err := dev.Sync(); err != nil {
		return nil, fmt.Errorf("train: model of %d parameters: %w", Count(l.Params), err)
	}
	return l, nil
}

// loadPretrained gives the model the parameters that the configuration takes from files.
func (l *Learner) loadPretrained(c *settings.Config, log *slog.Logger) error {
	if l.Dims.BERT != nil {
		if err := l.loadWords(c.Method.Words(), log); err != nil {
			return fmt.Errorf("train: text.bert: %w", err)
		}
	}
	if m, ok := l.Model.(*recap.Model); ok {
		return loadGenerator(m, &c.Method.(*recap.Config).Generator, log)
	}
	return nil
}

func (l *Learner) loadWords(words *zoo.TextConfig, log *slog.Logger) error {
	bert, err := nn.OpenBERT(words.BERT)
	if err != nil {
		return err
	}
	defer bert.Close()
	log.Info("pretrained encoder of words", "file", bert.Path, "width", bert.Config.Width, "layers", bert.Config.Layers, "finetune", words.Finetune, "unused", bert.Unused)
	return bert.Load(l.Model.Text().Params)
}

func loadGenerator(m *recap.Model, g *recap.GeneratorConfig, log *slog.Logger) error {
	if g.File == "" {
		return nil
	}
	log.Info("pretrained generators", "file", g.File, "widths", g.Widths, "blocks", g.Blocks)
	return m.LoadGenerator(g.File)
}

// Count returns how many numbers the parameters hold.
func Count(ps []nn.Param) int {
	n := 0
	for _, p := range ps {
		n += p.Len()
	}
	return n
}
