package literature

// Source of all tables: RECAP, AAAI 2026. Tables 1 and 2 are in the section "Comparison to
// State-of-the-art Methods", Table 3 in "Ablation Study"; the values are "averages across five
// random seeds". Pairs are "negative vs. positive", then "negative vs. non-negative" (section
// "Evaluation Metrics").
//
// Source of the errata, unless another is given: the corrigendum in the README of the repository
// Haoyu-ha/LNLN.

var (
	mosiColumns = []Column{
		{"Acc-7", []string{"Mult_acc_7"}, true}, {"Acc-5", []string{"Mult_acc_5"}, true},
		{"Acc-2", []string{"Non0_acc_2", "Has0_acc_2"}, true},
		{"F1", []string{"Non0_F1_score", "Has0_F1_score"}, true},
		{"MAE", []string{"MAE"}, false}, {"Corr", []string{"Corr"}, false},
	}
	simsColumns = []Column{
		{"Acc-5", []string{"Mult_acc_5"}, true}, {"Acc-3", []string{"Mult_acc_3"}, true},
		{"Acc-2", []string{"Mult_acc_2"}, true},
		{"F1", []string{"F1_score"}, true}, {"MAE", []string{"MAE"}, false},
		{"Corr", []string{"Corr"}, false},
	}
)

const (
	pairNote  = "Acc-2 and F1: negative against positive, then negative against non-negative."
	rerunNote = "re-run: by RECAP's authors."
	// LNLN's commit f07d9d2 of 2025-04-09 corrects the order of the arguments.
	orderNote = "F1: LNLN's code exchanged truth and prediction until April 2025, which raises " +
		"it; printed values from such code are not comparable. " +
		"Ours are computed without the exchange; summary.csv also has the values with it, as " +
		"F1_swapped."
)

var results = []*Table{
	{
		Number: 1, Dataset: "mosi", Utterances: 686, Columns: mosiColumns,
		Rows: []Row{
			{"MISA", false,
				[]string{"29.85", "33.08", "71.49/70.33", "71.28/70.00", "1.085", "0.524"}},
			{"Self-MM", false,
				[]string{"29.55", "34.67", "70.51/69.26", "66.60/67.54", "1.070", "0.512"}},
			{"MMIM", false,
				[]string{"31.30", "33.77", "69.14/67.06", "66.65/64.04", "1.077", "0.507"}},
			{"TFR-Net", false,
				[]string{"29.54", "34.67", "68.15/66.35", "61.73/60.06", "1.200", "0.459"}},
			{"CENET", false,
				[]string{"30.38", "37.25", "71.46/67.73", "68.41/64.85", "1.080", "0.504"}},
			{"TETFN", false,
				[]string{"30.30", "34.34", "69.76/67.68", "65.69/63.29", "1.087", "0.507"}},
			{"ALMT", false,
				[]string{"30.30", "33.42", "70.40/68.39", "72.57/71.80", "1.083", "0.498"}},
			{"BI-Mamba", false,
				[]string{"31.20", "34.02", "71.74/71.12", "71.83/71.11", "1.087", "0.498"}},
			{"LNLN", true,
				[]string{"34.31", "38.06", "73.34/72.05", "73.75/72.19", "1.059", "0.525"}},
			{"MASCF", true,
				[]string{"29.80", "32.19", "70.52/68.55", "67.99/65.77", "1.078", "0.510"}},
			{"TF-Mamba", true,
				[]string{"33.35", "36.21", "73.94/73.06", "73.82/73.04", "1.055", "0.541"}},
			{"RECAP", false,
				[]string{"36.06", "40.23", "74.60/73.28", "75.15/73.41", "1.030", "0.544"}},
		},
		Errata: []Erratum{
			{"CENET", "Acc-5",
				"CENET, Acc-5: 33.62 is right (corrigendum in LNLN's README: at rate 0.7 it is 23.57, not 59.86)."},
		},
		Notes: []string{pairNote, rerunNote, orderNote},
	},
	{
		Number: 1, Dataset: "mosei", Utterances: 4659, Columns: mosiColumns,
		Rows: []Row{
			{"MISA", false,
				[]string{"40.84", "39.39", "71.27/75.82", "63.85/68.73", "0.780", "0.503"}},
			{"Self-MM", false,
				[]string{"44.70", "45.38", "73.89/77.42", "68.92/72.31", "0.695", "0.498"}},
			{"MMIM", false,
				[]string{"40.75", "41.74", "73.32/75.89", "68.72/70.32", "0.739", "0.489"}},
			{"TFR-Net", false,
				[]string{"46.83", "34.67", "73.62/77.23", "68.80/71.99", "0.697", "0.489"}},
			{"CENET", false,
				[]string{"47.18", "47.83", "74.67/77.34", "70.68/74.08", "0.685", "0.535"}},
			{"TETFN", false,
				[]string{"30.30", "47.70", "69.76/67.68", "65.69/63.29", "1.087", "0.508"}},
			{"ALMT", false,
				[]string{"40.92", "41.64", "76.64/77.54", "77.14/78.03", "0.674", "0.481"}},
			{"BI-Mamba", false,
				[]string{"45.12", "45.76", "76.82/76.72", "76.35/76.38", "0.701", "0.545"}},
			{"LNLN", true,
				[]string{"45.42", "46.17", "76.30/78.19", "77.77/79.95", "0.692", "0.530"}},
			{"MASCF", true,
				[]string{"44.69", "45.26", "72.24/74.46", "68.17/71.38", "0.722", "0.490"}},
			{"TF-Mamba", true,
				[]string{"45.66", "46.64", "77.34/77.61", "77.18/77.43", "0.673", "0.578"}},
			{"RECAP", false,
				[]string{"47.23", "48.25", "78.35/78.28", "79.06/79.30", "0.659", "0.599"}},
		},
		Errata: []Erratum{
			{"TETFN", "",
				"TETFN: wrong and to be ignored according to the corrigendum in LNLN's README; " +
					"Acc-7, Acc-2, F1 and MAE repeat the row of MOSI. The correct values are not known."},
			{"TFR-Net", "Acc-5",
				"TFR-Net, Acc-5: repeats the value of MOSI, and is below its Acc-7, although a " +
					"prediction that is correct in seven classes is correct in five. The correct value is not known."},
		},
		Notes: []string{pairNote, rerunNote, orderNote},
	},
	{
		Number: 2, Dataset: "sims", Utterances: 457, Columns: simsColumns,
		Rows: []Row{
			{"MISA", false, []string{"31.53", "56.87", "72.71", "66.30", "0.539", "0.348"}},
			{"Self-MM", false, []string{"32.28", "56.75", "72.81", "68.43", "0.508", "0.376"}},
			{"MMIM", false, []string{"31.81", "52.76", "69.86", "66.21", "0.544", "0.339"}},
			{"TFR-Net", false, []string{"26.52", "52.89", "68.13", "58.70", "0.661", "0.169"}},
			{"CENET", false, []string{"22.29", "53.17", "68.13", "57.90", "0.589", "0.107"}},
			{"TETFN", false, []string{"33.42", "56.91", "73.58", "68.67", "0.505", "0.387"}},
			{"ALMT", false, []string{"20.00", "45.36", "69.66", "72.76", "0.561", "0.364"}},
			{"BI-Mamba", false, []string{"31.90", "54.95", "70.79", "69.26", "0.529", "0.345"}},
			{"LNLN", false, []string{"34.64", "57.14", "72.73", "79.43", "0.514", "0.397"}},
			{"MASCF", false, []string{"29.33", "53.36", "70.67", "69.96", "0.507", "0.402"}},
			{"TF-Mamba", false, []string{"34.46", "55.51", "74.68", "72.20", "0.512", "0.386"}},
			{"RECAP", false, []string{"37.02", "59.56", "74.37", "78.58", "0.499", "0.417"}},
		},
		Errata: []Erratum{
			{"ALMT", "F1", "ALMT, F1: 67.49 is right (corrigendum in LNLN's README)."},
			{"LNLN", "F1", "LNLN, F1: 69.18 is right (corrigendum in LNLN's README)."},
		},
		Notes: []string{orderNote},
	},
}

// The results of the full model differ from those in Tables 1 and 2; the paper does not say why.
var ablations = []*Table{
	{
		Number: 3, Dataset: "mosi", Utterances: 686,
		Columns: []Column{mosiColumns[0], mosiColumns[2], mosiColumns[5]},
		Rows: []Row{
			{"RECAP", false, []string{"35.07", "73.88", "0.553"}},
			{"w/o H-CAG", false, []string{"34.11", "72.52", "0.519"}},
			{"w/o FID", false, []string{"33.67", "71.85", "0.540"}},
			{"w/o Shared", false, []string{"34.30", "72.59", "0.544"}},
			{"w/o Unique", false, []string{"33.67", "72.37", "0.524"}},
			{"w/o LV", false, []string{"34.11", "72.18", "0.534"}},
			{"w/o LA", false, []string{"34.26", "72.74", "0.507"}},
			{"w/o AV", false, []string{"35.13", "71.47", "0.517"}},
			{"w/o Reconstructor", false, []string{"34.40", "71.40", "0.518"}},
			{"w/o MIR", false, []string{"33.82", "72.14", "0.538"}},
		},
		Notes: []string{"Acc-2: the paper does not say which classes it compares; ours are " +
			"negative against positive, then negative against non-negative."},
	},
	{
		Number: 3, Dataset: "sims", Utterances: 457,
		Columns: []Column{simsColumns[3], simsColumns[4], simsColumns[5]},
		Rows: []Row{
			{"RECAP", false, []string{"76.06", "0.513", "0.413"}},
			{"w/o H-CAG", false, []string{"71.52", "0.526", "0.388"}},
			{"w/o FID", false, []string{"74.33", "0.524", "0.400"}},
			{"w/o Shared", false, []string{"72.37", "0.533", "0.389"}},
			{"w/o Unique", false, []string{"71.79", "0.521", "0.391"}},
			{"w/o LV", false, []string{"72.14", "0.515", "0.392"}},
			{"w/o LA", false, []string{"71.64", "0.518", "0.388"}},
			{"w/o AV", false, []string{"74.62", "0.513", "0.400"}},
			{"w/o Reconstructor", false, []string{"74.13", "0.514", "0.398"}},
			{"w/o MIR", false, []string{"74.36", "0.518", "0.403"}},
		},
		Notes: []string{orderNote},
	},
}
