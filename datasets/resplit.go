package datasets

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Resplit returns a set of the same utterances, which are divided at random into splits of about
// the same sizes. All utterances of a video are in one split. The same seed gives the same splits.
// This is for small sets, whose single test split says little. Features of other sets that were
// standardised on their training split stay as they are. All features are in memory afterwards.
// It is an error if there are fewer videos than splits.
func (s *Set) Resplit(seed uint64) (*Set, error) {
	all := joined(s.splits())
	videos := map[string][]int{} // utterances
	var names []string
	for i := range all.ID {
		v := all.video(i)
		if videos[v] == nil {
			names = append(names, v)
		}
		videos[v] = append(videos[v], i)
	}
	sizes := []int{s.Test.Len(), s.Valid.Len(), s.Train.Len()}
	if len(names) < len(sizes) {
		return nil, fmt.Errorf("datasets: %s: expected utterances of at least %d videos for a new "+
			"division, found %d", s.Name, len(sizes), len(names))
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(names), func(i, k int) {
		names[i], names[k] = names[k], names[i]
	})
	parts := make([][]int, len(sizes))
	part := 0
	for i, name := range names {
		full := len(parts[part]) >= sizes[part]
		needed := len(names)-i <= len(sizes)-1-part // a video for each of the other splits
		if part < len(sizes)-1 && (full || needed) {
			part++
		}
		parts[part] = append(parts[part], videos[name]...)
	}
	out := &Set{Name: s.Name, Range: s.Range, Warnings: s.Warnings}
	for i, to := range []**Split{&out.Test, &out.Valid, &out.Train} {
		slices.Sort(parts[i])
		*to = all.Subset(parts[i])
	}
	return out, nil
}

// joined returns the utterances of splits of one shape, one split after the other.
func joined(splits []*Split) *Split {
	all := &Split{Language: Tokens{T: splits[0].Language.T}}
	frames := func(to, from *Frames) {
		to.T, to.D = from.T, from.D
		to.X, to.Len = append(to.X, from.load()...), append(to.Len, from.Len...)
	}
	for _, p := range splits {
		all.ID, all.Label = append(all.ID, p.ID...), append(all.Label, p.Label...)
		all.RawText = append(all.RawText, p.RawText...)
		all.Language.ID = append(all.Language.ID, p.Language.ID...)
		all.Language.Mask = append(all.Language.Mask, p.Language.Mask...)
		all.Language.Segment = append(all.Language.Segment, p.Language.Segment...)
		frames(&all.Audio, &p.Audio)
		frames(&all.Vision, &p.Vision)
	}
	if len(all.RawText) != len(all.ID) { // a split has none
		all.RawText = nil
	}
	return all
}
