// Package models has the list of all models that can be trained. A new model is one line here.
package models

import (
	"slices"

	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/almt"
	"github.com/seed-6655bf3b/recap/nn/zoo/bimamba"
	"github.com/seed-6655bf3b/recap/nn/zoo/cenet"
	"github.com/seed-6655bf3b/recap/nn/zoo/lnln"
	"github.com/seed-6655bf3b/recap/nn/zoo/mascfstyle"
	"github.com/seed-6655bf3b/recap/nn/zoo/misa"
	"github.com/seed-6655bf3b/recap/nn/zoo/mmim"
	"github.com/seed-6655bf3b/recap/nn/zoo/selfmm"
	"github.com/seed-6655bf3b/recap/nn/zoo/tetfn"
	"github.com/seed-6655bf3b/recap/nn/zoo/tfmamba"
	"github.com/seed-6655bf3b/recap/nn/zoo/tfrnet"
	"github.com/seed-6655bf3b/recap/recap"
)

// All lists the models in the order in which tables show them: RECAP, then the baselines by year.
var All = []zoo.Spec{
	recap.Spec, misa.Spec, selfmm.Spec, mmim.Spec, tfrnet.Spec, cenet.Spec, tetfn.Spec,
	almt.Spec, bimamba.Spec, lnln.Spec, tfmamba.Spec, mascfstyle.Spec,
}

// Names returns the names of all models, in the same order.
func Names() []string {
	names := make([]string, len(All))
	for i, s := range All {
		names[i] = s.Name
	}
	return names
}

// Find returns the model called name, or nil if there is none.
func Find(name string) *zoo.Spec {
	i := slices.IndexFunc(All, func(s zoo.Spec) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &All[i]
}
