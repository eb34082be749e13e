package zoo

// Training holds the settings of the training loop. YAML names are keys under "train".
type Training struct {
	Batch int `yaml:"batch"` // samples of a batch
	// batches whose gradients are added up for one optimiser step
	Accumulate int `yaml:"accumulate"`
	// "adamw"; or "adam", where weight decay is a part of the gradient
	Optimizer string `yaml:"optimizer"`
	// "cosine": linear warm-up over a tenth of the epochs, then half a cosine; or "constant"
	Schedule string `yaml:"schedule"`
	// learning rate, the highest of the schedule
	LR          float64 `yaml:"lr"`
	WeightDecay float64 `yaml:"weight_decay"` // of parameters in no group
	// settings of parameter groups, by name (Group.Name)
	Groups map[string]GroupTraining `yaml:"groups"`
	// largest norm of a pass's gradient; 0: no clipping
	Clip float64 `yaml:"clip"`
	// largest absolute value of a gradient's element, clipped after each batch; 0: no clipping
	ClipValue float64 `yaml:"clip_value"`
	// early stopping: epochs without a better validation score after which a phase ends; 0: never
	Patience int `yaml:"patience"`
	// of each phase, by name (Phase.Name); with patience, at most
	Epochs map[string]int `yaml:"epochs"`
}

// GroupTraining holds the settings of a parameter group.
type GroupTraining struct {
	LR          float64 `yaml:"lr"`
	WeightDecay float64 `yaml:"weight_decay"`
}
