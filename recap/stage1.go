package recap

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// stage1 is the completion phase. It needs no labels. Its loss is eq 14,
//
//	L_stage1 = λ_adv·L_H-CAG + λ_fid·L_FID + λ_rec·L_rec,
//
// plus the objectives that train the critics f* of the upper bounds.
func (m *Model) stage1() zoo.Phase {
	params := m.trained("embed", "generate", "discriminate", "reconstruct", "fid")
	if m.config.Release {
		params = m.trained("embed.text", "embed_stage1", "generate", "discriminate", "reconstruct",
			"fid")
	}
	return zoo.Phase{
		Name: "stage1", NeedsComplete: true, MinBatch: 8, Warn: m.collapsed,
		Snapshot: m.snapshot(),
		Passes:   []zoo.Pass{{Params: params, Groups: m.groups(params), Terms: m.completionTerms}},
	}
}

func (m *Model) completionTerms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	var complete features // X_m, the target: a constant unless Release is set
	embed := func() { complete = m.completer.Forward(tp, b.Complete) }
	if m.config.Release {
		embed()
	} else {
		tp.NoGrad(embed)
	}
	corrupted := m.completer.Forward(tp, b.Corrupted) // X̃_m
	completed := m.generate(tp, corrupted)            // X'_m

	terms := m.hcag(tp, corrupted, complete)
	terms = append(terms, m.fid(tp, complete, completed)...)
	terms = append(terms, m.reconstruct(tp, complete, completed)...)
	for i, x := range complete {
		name := zoo.Modality(i).String()
		terms = append(terms, zoo.Term{Name: "spread_" + name, Loss: spread(tp, x, 0)},
			zoo.Term{Name: "token_spread_" + name, Loss: spread(tp, x, 1)})
	}
	return terms, nil
}

// generate returns X'_m = G_m(X̃_m); without H-CAG there is no generator and X'_m = X̃_m.
func (m *Model) generate(tp *ag.Tape, corrupted features) features {
	completed := corrupted
	for i, g := range m.generators {
		completed[i] = g.Forward(tp, corrupted[i])
	}
	return completed
}

// collapsed warns if stage 1 has collapsed: the embeddings of different utterances become nearly
// equal, which makes every loss but the task's small, or the tokens of an utterance do, so that
// its segments are copies. It compares the mean terms of the first epoch with those of the last.
func (m *Model) collapsed(first, last map[string]float64) string {
	for i := range zoo.Modalities {
		name := "spread_" + zoo.Modality(i).String()
		if last[name] < first[name]/10 {
			return "the embeddings are collapsing: " + name + " is under a tenth of its start"
		}
		if last["token_"+name] < last[name]/20 {
			return "the tokens of a modality are nearly the same: token_" + name +
				" is under a twentieth of " + name
		}
	}
	bounds, positive := 0, 0
	for _, q := range m.pairs {
		for _, name := range []string{"nce_common_", "nce_own1_", "nce_own2_", "nce_given_"} {
			if v, ok := last[name+q.name]; ok {
				bounds++
				if v > 0.01 {
					positive++
				}
			}
		}
	}
	if bounds > 0 && positive == 0 {
		return "every lower bound of mutual information is still 0: the critics see nothing in common"
	}
	return ""
}
