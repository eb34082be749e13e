package autograd_test

import (
	"math"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// TestArgumentsThatDoNotFit has, for each operation, arguments with which it would return numbers
// that mean nothing.
func TestArgumentsThatDoNotFit(t *testing.T) {
	dev := open(t, "cpu64")
	tp := ag.NewTape(dev)
	zeros := func(shape ...int) *ag.Tensor { return tp.Full(0, shape...) }
	x, cube, one := zeros(2, 3), zeros(2, 3, 4), ag.AttentionConfig{Heads: 1}
	table := ag.NewTensor(dev, make([]float64, 6), 2, 3)
	other := ag.NewTape(dev)
	stale := other.Full(0, 1)
	other.Reset()
	column := ag.NewParam(dev, make([]float64, 2), 2, 1)
	rows := other.Backward(other.Sum(other.Lookup(column, []int{1})))[column] // row-sparse
	attend := func(c ag.AttentionConfig) func() {
		return func() { tp.Attention(cube, cube, cube, c) }
	}
	for want, f := range map[string]func(){
		"shape [-2 -3]: want lengths of 0 or more": func() { tp.Reshape(x, -2, -3) },
		"shape [1 -1 -1]: want lengths of 0 or":    func() { tp.Reshape(zeros(1), -1, -1, -1) },
		"shape [-1 -2]: want lengths of 0 or more": func() {
			ag.NewTensor(dev, []float64{1, 2}, -1, -2)
		},
		"NewTensor: 2 numbers for shape [3]": func() { ag.NewTensor(dev, []float64{1, 2}, 3) },
		"Input: 2 numbers for shape [3]":     func() { tp.Input([]float32{1, 2}, 3) },
		"Assign: 2 numbers for shape [1]":    func() { param(dev, 1).Assign([]float64{1, 2}) },
		"Item: shape [2 3] holds 6 numbers":  func() { x.Item() },

		"Expand: [2 3] does not broadcast to [3]": func() { tp.Expand(x, 3) },
		"Permute: axes [] do not permute":         func() { tp.Permute(x) },
		"Permute: axes [1] do not permute":        func() { tp.Permute(x, 1) },
		"Permute: axes [0 0] do not permute":      func() { tp.Permute(x, 0, 0) },
		"Permute: axes [0 1 2] do not permute":    func() { tp.Permute(x, 0, 1, 2) },
		"Permute: axes [0 2] do not permute":      func() { tp.Permute(x, 0, 2) },
		"Slice: [1, 1) of axis 1 of [2 3]":        func() { tp.Slice(x, 1, 1, 1) },
		"Slice: [-1, 1) of axis 1 of [2 3]":       func() { tp.Slice(x, 1, -1, 1) },
		"Slice: axis -1 of shape [2 3]":           func() { tp.Slice(x, -1, 0, 1) },
		"Unfold: windows of 4 every 1 along":      func() { tp.Unfold(x, 1, 4, 1) },
		"Unfold: windows of 2 every 0 along":      func() { tp.Unfold(x, 1, 2, 0) },
		"Unfold: windows of 0 every 1 along":      func() { tp.Unfold(x, 1, 0, 1) },
		"Diagonal: shape [2 3]: want [… n n]":     func() { tp.Diagonal(x) },
		"Pad: axis 2 of shape [2 3]":              func() { tp.Pad(x, 2, 1, 1) },
		"Pad: axis 0 of [2 3] by -1 and 1: want":  func() { tp.Pad(x, 0, -1, 1) },
		"Pad: axis 0 of [2 3] by 1 and -1: want":  func() { tp.Pad(x, 0, 1, -1) },
		"Unfold: axis 2 of shape [2 3]":           func() { tp.Unfold(x, 2, 1, 1) },
		"Permute: axes [0] do not permute":        func() { tp.Permute(zeros(), 0) },
		"Concat: axis 2 of shape [2 3]":           func() { tp.Concat(2, x, x) },
		"Split: axis 2 of shape [2 3]":            func() { tp.Split(x, 2, 1) },
		"Split: axis 1 of [2 3] into [1 1]":       func() { tp.Split(x, 1, 1, 1) },
		"Split: axis 1 of [2 3] into [0 3]":       func() { tp.Split(x, 1, 0, 3) },
		"Split: axis 1 of [2 3] into [3 1]":       func() { tp.Split(x, 1, 3, 1) },
		"MeanPool: x [2 3]: want [B T C]":         func() { tp.MeanPool(x, nil) },
		"MeanPool: sample 1 has length 0: want":   func() { tp.MeanPool(cube, []int{3, 0}) },
		"MaxPool: sample 0 has length 4: want":    func() { tp.MaxPool(cube, []int{4, 1}) },
		"MaxPool: 1 lengths for x [2 3 4]":        func() { tp.MaxPool(cube, []int{1}) },
		"AlignPool: x [2 3]: want [B T C]":        func() { tp.AlignPool(x, 2) },
		"AlignPool: x [2 3 4] to 0 steps: want":   func() { tp.AlignPool(cube, 0) },
		"UntilEnd: sample 1 has length -1: want":  func() { tp.UntilEnd([]int{1, -1}, 3) },
		"UntilEnd: sample 0 has length 4: want 0": func() { tp.UntilEnd([]int{4, 1}, 3) },
		"LogDet: shape [2 3]: want [… n n]":       func() { tp.LogDet(x) },
		"LogDet: matrix 0 of [1 1] is not positi": func() { tp.LogDet(zeros(1, 1)) },
		"Concat: no tensors along axis 0":         func() { tp.Concat(0) },
		"Concat: shapes [2 3] and [2 3 4] have":   func() { tp.Concat(0, x, cube) },
		"Concat: shapes [2 3] and [2 4] differ":   func() { tp.Concat(0, x, zeros(2, 4)) },
		"Stack: shapes [2 3] and [3] along":       func() { tp.Stack(0, x, zeros(3)) },
		"Stack: shapes [2 3] and [2 3] along new": func() { tp.Stack(3, x) },

		"Sum: axis 2 of shape [2 3]":   func() { tp.Sum(x, 2) },
		"Sum: an axis is named twice":  func() { tp.Sum(x, 1, 1) },
		"Max: axis -1 of shape [2 3]":  func() { tp.Max(x, -1) },
		"Softmax: axis -1 of shape []": func() { tp.Softmax(zeros(), nil) },

		"MatMul: shapes [3] and [2 3]: want at": func() { tp.MatMul(zeros(3), x, ag.NN) },
		"MatMul: shapes [2 3 4] and [3 4 1]: ba": func() {
			tp.MatMul(cube, zeros(3, 4, 1), ag.NN)
		},
		"Linear: x [] and w [3 2]: want x [… in]": func() {
			tp.Linear(zeros(), zeros(3, 2), nil)
		},
		"Linear: x [2 3] and w [3 2]: want x":    func() { tp.Linear(x, zeros(3, 2), nil) },
		"Linear: w [4 3] and b [3]: want w":      func() { tp.Linear(x, zeros(4, 3), zeros(3)) },
		"LayerNorm: x [2 3], gamma [2], beta":    func() { tp.LayerNorm(x, zeros(2), zeros(3), 1) },
		"LayerNorm: x [2 3], gamma [3], beta [2": func() { tp.LayerNorm(x, zeros(3), zeros(2), 1) },

		"Softmax: mask [4 2 3] does not broadcas": func() { tp.Softmax(x, zeros(4, 2, 3)) },
		"LogSoftmax: mask [5 3] does not broadca": func() {
			tp.LogSoftmax(zeros(1, 3), zeros(5, 3))
		},
		"Attention: q [2 3], k [2 3 4], v [2 3": func() { tp.Attention(x, cube, cube, one) },
		"Attention: q [1 3 4], k [2 3 4], v [2 3": func() {
			tp.Attention(zeros(1, 3, 4), cube, cube, one)
		},
		"Attention: q [2 3 4], k [2 3 4], v [1 3": func() {
			tp.Attention(cube, cube, zeros(1, 3, 4), one)
		},
		"Attention: q [2 3 4], k [2 3 5], v [2 3": func() {
			tp.Attention(cube, zeros(2, 3, 5), cube, one)
		},
		"Attention: q [2 3 4], k [2 3 4], v [2 3 5": func() {
			tp.Attention(cube, cube, zeros(2, 3, 5), one)
		},
		"Attention: q [2 3 4], k [2 3], v [2 3 4": func() {
			tp.Attention(cube, x, cube, one)
		},
		"Attention: q [2 3 4], k [2 3 4], v [2 3]": func() {
			tp.Attention(cube, cube, x, one)
		},
		"Attention: q [2 3 4], k [2 5 4], v [2 3": func() {
			tp.Attention(cube, zeros(2, 5, 4), cube, one)
		},
		"Attention: width 4 does not divide into": attend(ag.AttentionConfig{Heads: 3}),
		"Attention: mask [3 2] for k [2 3 4]": attend(ag.AttentionConfig{
			Heads: 1, Mask: zeros(3, 2)}),
		"Attention: the operand's memory was re": attend(ag.AttentionConfig{
			Heads: 1, Mask: stale}),
		"Softmax: the operand's memory was recy": func() { tp.Softmax(x, stale) },
		"LogDet: the operand's memory was recyc": func() { tp.LogDet(stale) },
		"Attention: probability 1: want 0 ≤ p":   attend(ag.AttentionConfig{Heads: 1, Dropout: 1}),
		"Attention: probability -0.1: want 0 ≤ p": attend(ag.AttentionConfig{
			Heads: 1, Dropout: -0.1}),
		"Dropout: probability 1: want 0 ≤ p < 1":  func() { tp.Dropout(x, 1) },
		"Dropout: probability -0.1: want 0 ≤ p":   func() { tp.Dropout(x, -0.1) },
		"Dropout: probability NaN: want 0 ≤ p":    func() { tp.Dropout(x, math.NaN()) },
		"CosineSimilarity: shapes [3] and [2 3]":  func() { tp.CosineSimilarity(zeros(3), x) },
		"CosineSimilarity: shapes [2 3] and [2 1": func() { tp.CosineSimilarity(x, zeros(2, 1)) },

		"Gather: index -1 of 2 rows":            func() { tp.Gather(x, []int{-1}) },
		"Gather: axis 0 of shape []":            func() { tp.Gather(zeros(), []int{0}) },
		"Lookup: the table was computed on a":   func() { tp.Lookup(x, []int{0}) },
		"Pick: index 3 of 3 elements":           func() { tp.Pick(x, []int{0, 3}) },
		"Pick: index -1 of 3 elements":          func() { tp.Pick(x, []int{0, -1}) },
		"Pick: 1 indices for shape [2 3]: want": func() { tp.Pick(x, []int{0}) },
		"SetRows: [1 3] as 2 rows of [2 3]": func() {
			tp.SetRows(table, []int{0, 1}, zeros(1, 3))
		},
		"SetRows: indices [1 1] of 2 rows": func() { tp.SetRows(table, []int{1, 1}, x) },
		"SetRows: indices [0 2] of 2 rows": func() { tp.SetRows(table, []int{0, 2}, x) },
		"AddScaled: Tensor[2] on cpu64 and Ten": func() {
			param(dev, 1, 2).AddScaled(1, zeros(3))
		},
		"AddScaled: the tensor belongs to a ta": func() { zeros(3).AddScaled(1, zeros(3)) },
		"AddScaled: the operand's memory was r": func() { param(dev, 1).AddScaled(1, stale) },
		"AddScaled: Tensor[2 1] on cpu64 is a ": func() { param(dev, 1, 2).AddScaled(1, rows) },
		"Multiply: the tensor belongs to a tap": func() { zeros(3).Multiply(2) },
		"Assign: the tensor belongs to a tape ": func() { zeros(1).Assign([]float64{1}) },
		"Assign: 2 numbers for shape [3]": func() {
			param(dev, 1, 2, 3).Assign32([]float32{1, 2})
		},
		"AddToRow: the tensor belongs to a tape": func() { x.AddToRow(0, zeros(3)) },
		"AddToRow: the operand's memory was rec": func() { table.AddToRow(0, stale) },
		"AddToRow: Tensor[2 1] on cpu64 is a ro": func() { param(dev, 1, 2).AddToRow(0, rows) },
		"AddToRow: Tensor[3] on cpu64 as row 2":  func() { table.AddToRow(2, zeros(3)) },
		"AddToRow: Tensor[3] on cpu64 as row -1": func() { table.AddToRow(-1, zeros(3)) },
		"AddToRow: Tensor[2] on cpu64 as row 0":  func() { table.AddToRow(0, zeros(2)) },
		"AddToRow: Tensor[] on cpu64 as row 0 o": func() {
			ag.NewTensor(dev, []float64{1}).AddToRow(0, zeros())
		},
		"AddToRow: Tensor[3] on cpu as row 0 of": func() {
			table.AddToRow(0, param(open(t, "cpu"), 1, 2, 3))
		},
		"Buffer: Tensor[2 1] on cpu64 is a row-": func() { rows.Buffer() },
		"Buffer: the operand's memory was recyc": func() { stale.Buffer() },
		"Clone: Tensor[2 1] on cpu64 is a row-s": func() { rows.Clone() },
		"Clone: the operand's memory was recycl": func() { stale.Clone() },
		"Values: the operand's memory was recyc": func() { stale.Values() },
		"Dot: the operand's memory was recycled": func() { stale.Dot(param(dev, 1)) },
		"Dot: the operand's memory was recycle":  func() { param(dev, 1).Dot(stale) },
		"Dot: Tensor[2 1] on cpu64 is a row-spa": func() { rows.Dot(param(dev, 1, 2)) },
		"Dot: Tensor[3] on cpu64 and Tensor[3] ": func() {
			param(dev, 1, 2, 3).Dot(param(open(t, "cpu"), 1, 2, 3))
		},
		"AdamStep: the tensor belongs to a tape": func() {
			zeros(1).AdamStep(param(dev, 1), param(dev, 1), param(dev, 1), ag.Adam{})
		},
		"AdamStep: the tensor belongs to a tap": func() {
			param(dev, 1).AdamStep(param(dev, 1), zeros(1), param(dev, 1), ag.Adam{})
		},
		"AdamStep: the tensor belongs to a ta": func() {
			param(dev, 1).AdamStep(param(dev, 1), param(dev, 1), zeros(1), ag.Adam{})
		},
		"AdamStep: the operand's memory was re": func() {
			param(dev, 1).AdamStep(stale, param(dev, 1), param(dev, 1), ag.Adam{})
		},
		"Dot: Tensor[2 3] on cpu64 is a row-spars": func() {
			p := ag.NewParam(dev, make([]float64, 6), 2, 3)
			rows := ag.NewTape(dev)
			table.Dot(rows.Backward(rows.Sum(rows.Lookup(p, []int{1})))[p])
		},
		"Dot: Tensor[2] on cpu64 and Tensor[3]": func() { param(dev, 1, 2).Dot(zeros(3)) },
		"AdamStep: Tensor[2] on cpu64 and Tens": func() {
			param(dev, 1, 2).AdamStep(zeros(3), param(dev, 0, 0), param(dev, 0, 0), ag.Adam{})
		},
		"AdamCompactStep: the tensor belongs to a": func() {
			zeros(1).AdamCompactStep(zeros(1), param(dev, 0), param(dev, 0), param(dev, 0),
				ag.Adam{})
		},
		"AdamCompactStep: the tensor belongs to ": func() {
			param(dev, 1).AdamCompactStep(zeros(1), zeros(1), param(dev, 0), param(dev, 0),
				ag.Adam{})
		},
		"AdamCompactStep: the tensor belongs to": func() {
			param(dev, 1).AdamCompactStep(zeros(1), param(dev, 0), param(dev, 0), zeros(1),
				ag.Adam{})
		},
		"AdamCompactStep: moments Tensor[1] on cpu ": func() {
			param(dev, 1).AdamCompactStep(zeros(1), param(open(t, "cpu"), 0), param(dev, 0),
				param(dev, 0), ag.Adam{})
		},
		"AdamCompactStep: moments Tensor[3] on cpu": func() { // of 3 rows, one column, 3 numbers
			table := ag.NewTensor(dev, make([]float64, 9), 3, 3)
			table.AdamCompactStep(zeros(3, 3), param(dev, 0, 0, 0), param(dev, 0, 0, 0),
				param(dev, 0, 0, 0), ag.Adam{})
		},
		"AdamCompactStep: Tensor[2] on cpu64 and ": func() {
			param(dev, 1, 2).AdamCompactStep(zeros(3), zeros(1), zeros(2), zeros(1), ag.Adam{})
		},
		"AdamCompactStep: moments Tensor[2] on cpu": func() {
			param(dev, 1, 2).AdamCompactStep(zeros(2), param(dev, 0, 0), param(dev, 0),
				param(dev, 0), ag.Adam{})
		},
		"AdamStep: Tensor[1] on cpu64 and Tens": func() {
			param(dev, 1, 2).AdamStep(zeros(2), param(dev, 0, 0), param(dev, 0), ag.Adam{})
		},

		"MSE: prediction [2 1] and target [2]": func() { tp.MSE(zeros(2, 1), zeros(2)) },
		"L1: prediction [2] and target [2 1]":  func() { tp.L1(zeros(2), zeros(2, 1)) },
		"SmoothL1: prediction [2 1] and target [2]": func() {
			tp.SmoothL1(zeros(2, 1), zeros(2), 1)
		},
		"SmoothL1: beta 0 for [2]: want beta > 0": func() { tp.SmoothL1(zeros(2), zeros(2), 0) },
		"BCE: prediction [2 1] and target [2]":    func() { tp.BCE(zeros(2, 1), zeros(2)) },
		"BCEWithLogits: prediction [2 1] and tar": func() {
			tp.BCEWithLogits(zeros(2, 1), zeros(2))
		},
		"Pick: index 3 of 3 elements ":            func() { tp.CrossEntropy(x, []int{3, 0}) },
		"Clamp: [2 3] to [1, -1]: want lo ≤ hi":   func() { tp.Clamp(x, 1, -1) },
		"ClampGradient: gradient Tensor[2 3] on":  func() { tp.ClampGradient(x, math.NaN(), 1) },
		"ClampGradient: gradient Tensor[3] on cp": func() { tp.ClampGradient(zeros(3), 0.5, 2) },
		"ClampGradient: gradient Tensor[4] on cp": func() { tp.ClampGradient(zeros(4), -2, -0.5) },
		"ScaleGradient: gradient Tensor[2 3] on":  func() { tp.ScaleGradient(x, x) },
		"Backward: the operand's memory was recy": func() { // of a tensor to keep
			other.Backward(other.Full(1), stale)
		},
		"Backward: loss has shape [2 3], want a": func() { tp.Backward(x) },
	} {
		func() {
			defer func() {
				got, _ := recover().(string)
				if !strings.HasPrefix(got, "autograd: "+strings.TrimSpace(want)) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
}
