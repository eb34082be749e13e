package metric

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	nan         = math.NaN()
	nan32       = float32(math.NaN())
	fourDigits  = cmp.Options{cmpopts.EquateApprox(0, 0.5001e-4), cmpopts.EquateNaNs()}
	goldenLabel = []float32{-3, 0, 0.2, 1, 1.4, 2.6, 3, -1, -0.4, -0.5}
)

// The values named golden were computed with MMSA's own metric file (NumPy 1.24, scikit-learn
// 1.2).
func TestCompute(t *testing.T) {
	tests := []struct {
		name        string
		kind        Kind
		pred, label []float32
		want        Scores // the keys that are checked
	}{
		{"golden MOSI", MOSI,
			[]float32{-2.5, -0.5, 0, 0.5, 1.5, 2.5, 3.7, -0.2, 0.3, -1.2}, goldenLabel,
			Scores{"Has0_acc_2": .8, "Has0_F1_score": .8, "Non0_acc_2": .7778,
				"Non0_F1_score": .7778,
				"Mult_acc_5":    .6, "Mult_acc_7": .4, "MAE": .48, "Corr": .9499,
				NaNPredictions: 0}},
		{"golden MOSI constant", MOSI,
			[]float32{.3, .3, .3, .3, .3, .3, .3, .3, .3, .3}, goldenLabel,
			Scores{"Has0_acc_2": .6, "Has0_F1_score": .45, "Non0_acc_2": .5556,
				"Non0_F1_score": .3968,
				"Mult_acc_5":    .4, "Mult_acc_7": .4, "MAE": 1.33, "Corr": nan}},
		{"constant label, MOSI", MOSI, []float32{.1, 1, -.5}, []float32{.3, .3, .3},
			Scores{"Has0_acc_2": 2. / 3, "Has0_F1_score": .8, Has0F1Swapped: 8. / 15,
				"Mult_acc_7": 2. / 3, "MAE": 1.7 / 3, "Corr": nan}},
		{"constant label, SIMS", SIMS, []float32{.1, 1, -.5}, []float32{.3, .3, .3},
			Scores{"Mult_acc_2": 2. / 3, "F1_score": .8, F1Swapped: 8. / 15,
				"Mult_acc_5": 0, "MAE": 1.7 / 3, "Corr": nan}},
		{"golden SIMS", SIMS,
			[]float32{-1.3, -.71, -.7, -.1, 0, .05, .1, .11, .7, .9},
			[]float32{-1, -.8, -.4, 0, 0, .2, .2, .6, .8, -.2},
			Scores{"Mult_acc_2": .9, "Mult_acc_3": .6, "Mult_acc_5": .4, "F1_score": .901,
				"MAE": .243, "Corr": .7422}},
		{"halves round to even", MOSI,
			[]float32{0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997},
			[]float32{0, 2, 2, 0, -2, -2, 0},
			Scores{"Mult_acc_7": 1}},
		{"Acc-5 joins 2 and 3", MOSI, []float32{2.4, -3}, []float32{3, -2},
			Scores{"Mult_acc_5": 1, "Mult_acc_7": 0}},
		{"prediction 0 is non-negative in Has0, negative in Non0", MOSI, []float32{0, 0},
			[]float32{1, -1},
			Scores{"Has0_acc_2": .5, "Has0_F1_score": 1. / 3, "Non0_acc_2": .5,
				"Non0_F1_score": 1. / 3}},
		{"label 0 counts in Has0 alone", MOSI, []float32{-1, 1}, []float32{0, 1},
			Scores{"Has0_acc_2": .5, "Non0_acc_2": 1, "Non0_F1_score": 1}},
		{"an edge of SIMS lies in the bin below", SIMS,
			[]float32{-0.7, -0.1, 0, 0.1, 0.7}, []float32{-1, -0.5, -0.05, 0, 0.5},
			Scores{"Mult_acc_2": .8, "Mult_acc_3": 1, "Mult_acc_5": 1}},
		{"labels beyond an edge of SIMS", SIMS,
			[]float32{-0.7, -0.1, 0, 0.1, 0.7}, []float32{-0.6, 0.01, 0.001, 0.101, 0.701},
			Scores{"Mult_acc_2": .6, "Mult_acc_3": .6, "Mult_acc_5": .2}},
		{"MAE and Corr of MOSI are not clipped", MOSI, []float32{-5, 0, 5}, []float32{-3, 0, 3},
			Scores{"MAE": 4. / 3, "Corr": 1, "Mult_acc_7": 1}},
		{"MAE of SIMS is clipped", SIMS, []float32{-5, 0, 5}, []float32{-1, 0, 1},
			Scores{"MAE": 0, "Corr": 1}},
		{"swapped F1", MOSI, []float32{1, 1, 1, 1, 1}, []float32{1, 1, 1, 1, -1},
			Scores{"Has0_acc_2": .8, "Has0_F1_score": .7111, Has0F1Swapped: .8889,
				"Non0_F1_score": .7111, Non0F1Swapped: .8889}},
		{"swapped F1 of SIMS", SIMS, []float32{1, 1, 1, 1, 1}, []float32{1, 1, 1, 1, -1},
			Scores{"Mult_acc_2": .8, "F1_score": .7111, F1Swapped: .8889}},
		{"no label but zero", MOSI, []float32{1, 2}, []float32{0, 0},
			Scores{"Has0_acc_2": 1, "Has0_F1_score": 1, "Non0_acc_2": nan, "Non0_F1_score": nan,
				Non0F1Swapped: nan, "Corr": nan}},
		{"NaN prediction, MOSI", MOSI, []float32{nan32, 1}, []float32{-1, 1},
			Scores{"Has0_acc_2": 1, "Non0_acc_2": 1, "Mult_acc_5": .5, "Mult_acc_7": .5,
				"MAE": nan, "Corr": nan, NaNPredictions: 1}},
		{"NaN prediction, SIMS", SIMS, []float32{nan32, 1}, []float32{-1, 1},
			Scores{"Mult_acc_2": .5, "Mult_acc_5": .5, "F1_score": nan, F1Swapped: nan, "MAE": nan,
				"Corr": nan, NaNPredictions: 1}},
		{"infinite prediction", MOSI, []float32{float32(math.Inf(1)), -3}, []float32{3, -3},
			Scores{"Mult_acc_7": 1, "MAE": math.Inf(1), "Corr": nan}},
		{"one sample", MOSI, []float32{1}, []float32{1.2},
			Scores{"Mult_acc_7": 1, "MAE": .2, "Corr": nan}},
		{"no sample", MOSI, nil,
			nil, Scores{"Has0_acc_2": nan, "Has0_F1_score": nan, "Mult_acc_7": nan, "MAE": nan,
				"Corr": nan}},
	}
	for _, test := range tests {
		got := Compute(test.kind, test.pred, test.label)
		checked := Scores{}
		for key := range test.want {
			checked[key] = got[key]
		}
		if diff := cmp.Diff(test.want, checked, fourDigits); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Compute fills the listed keys and no others, in MMSA's order.
func TestKeys(t *testing.T) {
	for _, kind := range []Kind{MOSI, SIMS} {
		want := slices.Sorted(slices.Values(append(Keys(kind), ExtraKeys(kind)...)))
		var got []string
		for key := range Compute(kind, []float32{1, -1}, []float32{1, -1}) {
			got = append(got, key)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("kind %d (-want +got):\n%s", kind, diff)
		}
	}
}

// A constant predictor at 71 % positive labels: the weights by predicted support exceed the
// accuracy.
func TestSwappedF1ExceedsAccuracyOfConstantPredictor(t *testing.T) {
	label, pred := make([]int, 100), make([]int, 100)
	for i := range label {
		label[i], pred[i] = indicator(i < 71), 1
	}
	acc, f1, swapped := accuracy(pred, label), WeightedF1(pred, label), WeightedF1(label, pred)
	if !(f1 < acc && acc < swapped) {
		t.Errorf("F1 %g, accuracy %g, swapped F1 %g: want them ascending", f1, acc, swapped)
	}
	if want := 0.71 * 2 * 0.71 / 1.71; math.Abs(f1-want) > 1e-12 {
		t.Errorf("F1 %g, want %g", f1, want)
	}
}

func TestClassify(t *testing.T) {
	// F_0 = 2/3 (one FP), F_1 = 2/3 (one FN), F_2 = 1; n = 1, 2, 1
	got := Classify(3, []int{0, 0, 1, 2}, []int{0, 1, 1, 2})
	want := Scores{"Acc_3": .75, "F1_score_3": (2./3 + 2*2./3 + 1) / 4}
	if diff := cmp.Diff(want, got, fourDigits); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBetter(t *testing.T) {
	tests := []struct {
		key  string
		a, b float64
		want bool
	}{
		{"Corr", .9, .8, true}, {"Corr", .8, .9, false}, {"Corr", .8, .8, false},
		{"MAE", .8, .9, true}, {"MAE", .9, .8, false}, {"MAE", .8, .8, false},
		{"Corr", nan, .1, false}, {"MAE", nan, .1, false}, {"Corr", nan, nan, false},
		{"Corr", -1, nan, true}, {"MAE", math.Inf(1), nan, true},
	}
	for _, test := range tests {
		if got := Better(test.key, test.a, test.b); got != test.want {
			t.Errorf("Better(%s, %g, %g) = %t, want %t", test.key, test.a, test.b, got, test.want)
		}
	}
}

func TestMeanStd(t *testing.T) {
	mean, std := MeanStd([]Scores{{"MAE": 1, "Corr": .5}, {"MAE": 2, "Corr": nan},
		{"MAE": 3, "Corr": .7}, {"MAE": 6, "Corr": .7}})
	if diff := cmp.Diff(Scores{"MAE": 3, "Corr": nan}, mean, fourDigits); diff != "" {
		t.Errorf("mean (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Scores{"MAE": math.Sqrt(3.5), "Corr": nan}, std, fourDigits); diff != "" {
		t.Errorf("std (-want +got):\n%s", diff)
	}
	mean, std = MeanStd([]Scores{{"MAE": 2, "Corr": nan}})
	if diff := cmp.Diff([]Scores{{"MAE": 2, "Corr": nan}, {"MAE": 0, "Corr": nan}},
		[]Scores{mean, std}, fourDigits); diff != "" {
		t.Errorf("of one run (-want +got):\n%s", diff)
	}
}

func TestAUILC(t *testing.T) {
	for _, c := range []struct {
		rates, values []float64
		want          float64
	}{
		{[]float64{0, .1, .5}, []float64{4, 2, 1}, .9}, // (4+2)/2·0.1 + (2+1)/2·0.4
		{[]float64{.2, .6}, []float64{1, 2}, .6},
		{[]float64{.5}, []float64{1}, nan}, {nil, nil, nan},
	} {
		got := AUILC(c.rates, c.values)
		if !cmp.Equal(got, c.want, cmpopts.EquateApprox(0, 1e-12), cmpopts.EquateNaNs()) {
			t.Errorf("AUILC of %g at %g is %g, want %g", c.values, c.rates, got, c.want)
		}
	}
}

// TestLengthsDiffer expects a panic where values would be left out.
func TestLengthsDiffer(t *testing.T) {
	for what, f := range map[string]func(){
		"AUILC":   func() { AUILC([]float64{0, .5}, []float64{1, 2, 3}) },
		"Compute": func() { Compute(MOSI, []float32{1, 2}, []float32{1}) },
		"MeanStd": func() { MeanStd([]Scores{{"MAE": 1}, {"Corr": 1}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(what, "does not panic")
				}
			}()
			f()
		}()
	}
}

// TestMeaning checks that the metrics of tables have different meanings.
func TestMeaning(t *testing.T) {
	for _, k := range []Kind{MOSI, SIMS} {
		seen := map[string]string{}
		for _, key := range append(Keys(k), "Acc_3", "F1_score_3") {
			text := Meaning(k, key)
			if seen[text] != "" {
				t.Errorf("%s and %s are both %q", key, seen[text], text)
			}
			seen[text] = key
		}
	}
	if Meaning(MOSI, "Mult_acc_5") == Meaning(SIMS, "Mult_acc_5") {
		t.Error("Mult_acc_5 of MOSI and of SIMS have the same meaning")
	}
}

// TestPhrases checks that every metric of the tables has words of its own.
func TestPhrases(t *testing.T) {
	for _, key := range slices.Concat(Keys(MOSI), Keys(SIMS)) {
		if want, ok := phrases[key]; !ok || Phrase(key) != key+": "+want {
			t.Errorf("%s has no phrase, or not this: %q", key, Phrase(key))
		}
	}
	if a, f := Phrase("Acc_3"), Phrase("F1_score_3"); a != "Acc_3: accuracy of 3 classes" ||
		f != "F1_score_3: F1 of the classes" {
		t.Error(a, f)
	}
}
