package metric

import "strings"

const weighted = "averaged over the classes with their sizes as weights."

// meanings are those of the metrics whose keys have the same meaning for all kinds of labels.
var meanings = map[string]string{
	"MAE":  "Mean absolute error: the mean distance between prediction and label.",
	"Corr": "Pearson's correlation of predictions and labels; undefined for a constant prediction.",
	"Has0_acc_2": "Share of utterances that are correctly predicted as negative or not negative; " +
		"label 0 is not negative.",
	"Has0_F1_score": "F1 score of the two classes of Has0_acc_2, " + weighted,
	"Non0_acc_2": "Share of utterances that are correctly predicted as negative or positive; " +
		"those with label 0 do not count.",
	"Non0_F1_score": "F1 score of the two classes of Non0_acc_2, " + weighted,
	"Mult_acc_7": "Share of utterances whose prediction and label, clipped to −3 … 3, round to " +
		"the same integer.",
	"Mult_acc_2": "Share of utterances that are correctly predicted as positive or not positive; " +
		"label 0 is not positive.",
	"Mult_acc_3": "Share of utterances that are correctly predicted as negative, neutral or " +
		"positive; neutral is from −0.1 to 0.1.",
	"F1_score": "F1 score of the two classes of Mult_acc_2, " + weighted,
}

// phrases are short forms of the meanings, for a list of columns.
var phrases = map[string]string{
	"MAE":           "mean absolute error, smaller is better",
	"Corr":          "correlation of predictions and labels",
	"Has0_acc_2":    "accuracy of negative or not",
	"Has0_F1_score": "F1 of negative or not",
	"Non0_acc_2":    "accuracy of negative or positive, without labels 0",
	"Non0_F1_score": "F1 of negative or positive, without labels 0",
	"Mult_acc_2":    "accuracy of positive or not",
	"F1_score":      "F1 of positive or not",
	"Mult_acc_3":    "accuracy of 3 classes",
	"Mult_acc_5":    "accuracy of 5 classes",
	"Mult_acc_7":    "accuracy of 7 classes",
}

// Phrase returns the key of a metric and a few words for what it measures.
func Phrase(key string) string {
	words, ok := phrases[key]
	if _, classes, _ := strings.Cut(key, "Acc_"); !ok && classes != "" {
		words = "accuracy of " + classes + " classes"
	} else if !ok {
		words = "F1 of the classes"
	}
	return key + ": " + words
}

// Meaning returns what a metric measures, as a sentence.
func Meaning(k Kind, key string) string {
	switch text, ok := meanings[key]; {
	case ok:
		return text
	case key == "Mult_acc_5" && k == SIMS:
		return "Share of utterances whose prediction and label are in the same of five " +
			"intervals, cut at ±0.1 and ±0.7."
	case key == "Mult_acc_5":
		return "Share of utterances whose prediction and label, clipped to −2 … 2, round to the " +
			"same integer."
	case strings.HasPrefix(key, "F1_score_"):
		return "F1 score of the classes, " + weighted
	}
	return "Share of utterances whose class is predicted correctly."
}
