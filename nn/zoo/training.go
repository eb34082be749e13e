package zoo

// Training is how a model is trained. YAML names are keys under "train".
type Training struct {
	Batch       int                      `yaml:"batch"`
	Accumulate  int                      `yaml:"accumulate"`   // batches whose gradients, added up, make one step
	Optimizer   string                   `yaml:"optimizer"`    // adamw, or adam: weight decay is a part of the gradient
	Schedule    string                   `yaml:"schedule"`     // cosine: a linear rise over a tenth of the epochs, then half a cosine; or constant
	LR          float64                  `yaml:"lr"`           // the highest
	WeightDecay float64                  `yaml:"weight_decay"` // of parameters without settings of their own
	Groups      map[string]GroupTraining `yaml:"groups"`       // of parameters, by name, with settings of their own
	Clip        float64                  `yaml:"clip"`         // largest norm of the gradient; 0: no clipping
	ClipValue   float64                  `yaml:"clip_value"`   // largest size of a gradient's number, clipped after each batch; 0: no clipping
	Patience    int                      `yaml:"patience"`     // epochs without a better validation after which a phase ends; 0: it never ends early
	Epochs      map[string]int           `yaml:"epochs"`       // of each phase, at most
}

// GroupTraining is what a group of parameters has of its own.
type GroupTraining struct {
	LR          float64 `yaml:"lr"`
	WeightDecay float64 `yaml:"weight_decay"`
}
