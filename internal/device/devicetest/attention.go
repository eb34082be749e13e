package devicetest

import (
	"fmt"
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// heads are sizes of attention, with the masks and the dropout.
var heads = []struct {
	samples, heads, queries, keys, width int
	masked, causal                       bool
	dropout                              float64
}{
	{1, 1, 1, 1, 1, false, false, 0},
	{2, 2, 5, 5, 4, false, false, 0},
	{2, 2, 5, 5, 4, false, true, 0},
	{2, 3, 4, 7, 3, true, false, 0},
	{3, 2, 4, 7, 3, true, true, 0},
	{2, 1, 7, 4, 5, false, true, 0},
	{3, 2, 7, 4, 5, true, true, 0.25},
	{2, 2, 6, 6, 8, false, false, 0.5},
	{3, 4, 9, 33, 16, true, false, 0.125},
	{5, 3, 20, 31, 8, true, true, 0.25},
	{2, 2, 65, 66, 17, true, false, 0},
	{1, 1, 40, 300, 40, false, true, 0},
	{2, 1, 270, 150, 6, true, true, 0.25}, // more than one block of queries and of keys
	{2, 2, 9, 33, 70, true, false, 0.25},  // heads so wide that a GPU reads them in slices
	{1, 2, 70, 35, 130, false, true, 0},
	{1, 1, 40, 18, 300, false, true, 0.25},
	{2, 1, 64, 32, 4, true, false, 0}, // exactly one block of queries and of keys
}

// A reference is one attention, forward and backward, computed by the definition.
type reference struct {
	device.Attention
	mask, q, k, v, g []float64
	out, lse         []float64
	dq, dk, dv       []float64
}

func (s *suite) attention() {
	for i, c := range heads {
		r := &reference{Attention: device.Attention{Samples: c.samples, Heads: c.heads,
			Queries: c.queries, Keys: c.keys, Width: c.width,
			Scale: 1 / math.Sqrt(float64(c.width)), Causal: c.causal, Dropout: c.dropout,
			Seed: uint64(1000 + i)}}
		if c.masked {
			r.mask = s.coarse(c.samples * c.keys)     // any number except 0 includes the key
			copy(r.mask, make([]float64, c.keys))     // all keys of the first sample are excluded,
			copy(r.mask[c.keys:], filled(c.keys, 1))  // no key of the second,
			r.mask[c.keys*(c.samples-1)+c.keys-1] = 0 // and at least one of the last
			r.Mask = s.put(r.mask)
		}
		queries, keys := c.samples*c.queries*c.heads*c.width, c.samples*c.keys*c.heads*c.width
		r.q, r.k = s.numbers(queries), s.numbers(keys)
		r.v, r.g = s.numbers(keys), s.numbers(queries)
		r.out, r.lse = make([]float64, queries), make([]float64, c.samples*c.heads*c.queries)
		r.dq, r.dk, r.dv = make([]float64, queries), make([]float64, keys), make([]float64, keys)
		for row := range r.lse {
			r.query(row/c.queries/c.heads, row/c.queries%c.heads, row%c.queries)
		}
		name := fmt.Sprintf("Attention %+v", c)

		out, lse := s.poison(len(r.out)), s.poison(len(r.lse))
		q, k, v := s.put(r.q), s.put(r.k), s.put(r.v)
		s.dev.Attention(r.Attention, out, lse, q, k, v)
		s.expect(name+": out", out, r.out, c.keys+c.width)
		s.expect(name+": lse", lse, r.lse, c.keys+c.width)

		dq, dk, dv := s.poison(queries), s.poison(keys), s.poison(keys)
		s.dev.AttentionGrad(r.Attention, dq, dk, dv, s.put(r.g), out, lse, q, k, v)
		s.expect(name+": dq", dq, r.dq, c.keys+c.width)
		s.expect(name+": dk", dk, r.dk, 2*c.queries+c.width)
		s.expect(name+": dv", dv, r.dv, 2*c.queries+c.width)
	}
}

// query computes row i of a head, and adds its part to the gradients of the keys and values.
func (r *reference) query(sample, head, i int) {
	// where the query begins
	q := ((sample*r.Queries+i)*r.Heads + head) * r.Width
	// where key j begins
	key := func(j int) int { return ((sample*r.Keys+j)*r.Heads + head) * r.Width }
	row := (sample*r.Heads+head)*r.Queries + i
	ahead := int(math.Abs(float64(r.Keys - r.Queries)))
	scores, p, kept := make([]float64, r.Keys), make([]float64, r.Keys), make([]float64, r.Keys)
	for j := range scores {
		if r.mask != nil && r.mask[sample*r.Keys+j] == 0 || r.Causal && j > i+ahead {
			scores[j] = math.Inf(-1)
		} else {
			scores[j] = r.Scale * inner(r.q[q:q+r.Width], r.k[key(j):])
		}
		kept[j] = indicator(device.Keep(r.Seed, row*r.Keys+j, r.Dropout)) / (1 - r.Dropout)
	}
	r.lse[row] = logSumExp(scores)
	if math.IsInf(r.lse[row], -1) {
		return
	}
	dp, total := make([]float64, r.Keys), 0.0 // gradient of p, and Σ p⊙dp
	for j := range p {
		p[j] = math.Exp(scores[j] - r.lse[row])
		dp[j] = kept[j] * inner(r.g[q:q+r.Width], r.v[key(j):])
		total += p[j] * dp[j]
	}
	for j := range p {
		ds := r.Scale * p[j] * (dp[j] - total)
		for w := range r.Width {
			r.out[q+w] += kept[j] * p[j] * r.v[key(j)+w]
			r.dv[key(j)+w] += kept[j] * p[j] * r.g[q+w]
			r.dq[q+w] += ds * r.k[key(j)+w]
			r.dk[key(j)+w] += ds * r.q[q+w]
		}
	}
}

func inner(x, y []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += v * y[i]
	}
	return s
}
