package zoo

// Training holds the settings of the training loop. YAML names are keys under "train".
type Training struct {
	Batch       int                      `yaml:"batch"`        // samples of a batch
	Accumulate  int                      `yaml:"accumulate"`   // batches whose gradients are added up for one optimiser step
	Optimizer   string                   `yaml:"optimizer"`    // "adamw"; or "adam", where weight decay is a part of the gradient
	Schedule    string                   `yaml:"schedule"`     // "cosine": linear warm-up over a tenth of the epochs, then half a cosine; or "constant"
	LR          float64                  `yaml:"lr"`           // learning rate, the highest of the schedule
	WeightDecay float64                  `yaml:"weight_decay"` // of parameters in no group
	Groups      map[string]GroupTraining `yaml:"groups"`       // settings of parameter groups, by name (Group.Name)
	Clip        float64                  `yaml:"clip"`         // largest norm of a pass's gradient; 0: no clipping
	ClipValue   float64                  `yaml:"clip_value"`   // largest absolute value of a gradient's element, clipped after each batch; 0: no clipping
	Patience    int                      `yaml:"patience"`     // early stopping: epochs without a better validation score after which a phase ends; 0: never
	Epochs      map[string]int           `yaml:"epochs"`       // of each phase, by name (Phase.Name); with patience, at most
}

// GroupTraining holds the settings of a parameter group.
type GroupTraining struct {
	LR          float64 `yaml:"lr"`
	WeightDecay float64 `yaml:"weight_decay"`
}
