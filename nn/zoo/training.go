package zoo

// Training holds the settings of the training loop, whose keys begin with "train".
type Training struct {
	Batch      int `yaml:"batch" range:"[1,)" help:"utterances of a batch"`
	Accumulate int `yaml:"accumulate" range:"[1,)" help:"batches whose gradients a step adds"`
	// the bits of the results do not depend on it
	ActivationCheckpointing bool `yaml:"activation_checkpointing" older:"false" help:"less memory"`
	// weight decay of adam is a part of the gradient
	Optimizer string  `yaml:"optimizer" values:"adamw,adam" help:"optimiser of all parameters"`
	Eps       float64 `yaml:"eps" range:"[0,)" older:"0" help:"ε of the optimiser; 0: 1e-8"`
	// compact: of a matrix, the first in bfloat16, and of the second the means of rows and columns
	Moments string `yaml:"moments" values:"full,compact" older:"full" help:"moments of adam"`
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

// ProtocolTraining returns the training of LNLN's code, which other models have too, for the preset
// "paper", and one of 30 epochs for "quick".
func ProtocolTraining(preset string) Training {
	t := Training{Batch: 64, Accumulate: 1, Optimizer: "adamw", Schedule: "cosine", LR: 1e-4,
		WeightDecay: 1e-4,
		Groups:      map[string]GroupTraining{"text": {LR: 1e-4, WeightDecay: 1e-4}},
		Epochs:      map[string]int{"train": 200}}
	if preset == "quick" {
		t.Schedule, t.LR, t.Epochs["train"] = "cosine-positive", 1e-3, 30
		t.Groups["text"] = GroupTraining{LR: 5e-5, WeightDecay: 1e-4}
	}
	return t
}

// GroupTraining holds the settings of a parameter group.
type GroupTraining struct {
	LR          float64 `yaml:"lr" range:"(0,)" help:"learning rate of the group"`
	WeightDecay float64 `yaml:"weight_decay" range:"[0,)" help:"weight decay of the group"`
}
