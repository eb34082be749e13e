package zoo

// Training holds the settings of the training loop, whose keys begin with "train".
type Training struct {
	Batch      int `yaml:"batch" range:"[1,)" help:"utterances of a batch"`
	Accumulate int `yaml:"accumulate" range:"[1,)" help:"batches whose gradients a step adds"`
	// weight decay of adam is a part of the gradient
	Optimizer string  `yaml:"optimizer" values:"adamw,adam" help:"optimiser of all parameters"`
	Eps       float64 `yaml:"eps" range:"[0,)" older:"0" help:"ε of the optimiser; 0: 1e-8"`
	// cosine: linear warm-up over a tenth of the epochs, then half a cosine, as in LNLN's code,
	// with a first epoch at rate 0; cosine-positive: without such an epoch
	Schedule string `yaml:"schedule" values:"cosine,cosine-positive,constant" help:"learning rates"`

	LR          float64 `yaml:"lr" range:"(0,)" help:"learning rate, the highest of the schedule"`
	WeightDecay float64 `yaml:"weight_decay" range:"[0,)" help:"decay of parameters in no group"`
	// by the names of parameter groups (Group.Name)
	Groups map[string]GroupTraining `yaml:"groups"`
	// gradient clipping; 0: none
	Clip      float64 `yaml:"clip" range:"[0,)" help:"largest norm of a gradient; 0: no limit"`
	ClipValue float64 `yaml:"clip_value" range:"[0,)" help:"largest |gradient|; 0: no limit"`
	// early stopping; 0: never
	Patience int `yaml:"patience" range:"[0,)" help:"early stopping: epochs to wait; 0: never"`
	// by the names of phases (Phase.Name)
	Epochs map[string]int `yaml:"epochs" range:"[0,)" help:"largest number of epochs of the phase"`
}

// GroupTraining holds the settings of a parameter group.
type GroupTraining struct {
	LR          float64 `yaml:"lr" range:"(0,)" help:"learning rate of the group"`
	WeightDecay float64 `yaml:"weight_decay" range:"[0,)" help:"weight decay of the group"`
}
