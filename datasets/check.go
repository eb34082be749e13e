package datasets

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// A Report describes the contents of a data set's file and the problems found in it.
type Report struct {
	Path   string
	Name   string     // of the set, see [Open]
	Bytes  int64      // size of the file
	Range  [2]float64 // smallest and largest possible label
	Splits []SplitReport
	// how well a linear model predicts the label from each modality; nil if a split is missing
	Correlations []Correlation
	Problems     []string // "where: expected what, found what": what Open refuses
	Warnings     []string // what is unusual, and may be an error
}

// A SplitReport describes one split. Utterances is 0, and what follows Keys is empty, if the split
// could not be read.
type SplitReport struct {
	Name                    string
	Utterances              int
	Keys                    []KeyReport
	Shape                   Shape
	Language, Audio, Vision Summary  // of the numbers of tokens and frames
	Label                   *Summary // nil if there are no labels
	Signs                   [3]int   // number of negative, zero and positive labels
}

// A KeyReport describes one key of a split's dict in the file: its value is "float32 [229 375 5]"
// or "list [229]", for example.
type KeyReport struct{ Key, Value string }

// A Summary holds the minimum, mean and maximum of some numbers.
type Summary struct{ Min, Mean, Max float64 }

// Check reads a data set or a single split as [OpenWith] does and describes its contents. What
// OpenWith refuses is a problem in the report. Beyond OpenWith's warnings it reports utterances
// that occur twice and features that were learned from labels. The error is not nil only if the
// file cannot be read as a pickle of dicts or as a packed data set.
func Check(path string, o Options) (*Report, error) {
	r := &Report{Path: path, Name: cmp.Or(o.Name, setName(path))}
	if isPacked(path) {
		return r, r.readPacked(o)
	}
	err := withFile(path, func(f io.ReaderAt, size int64) error {
		r.Bytes = size
		return r.read(f, size, o)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Report) read(file io.ReaderAt, size int64, o Options) error {
	l, root, err := newLayout(r.Path, file, size, o)
	if err != nil {
		return err
	}
	defer l.close()
	var parts []part
	var errs []error
	if _, single := root.get("text_bert"); single {
		parts = []part{{name: "features", dict: root}}
		if parts[0].split, err = l.split("features", root.withUtterances()); err != nil {
			errs = []error{err}
		}
	} else {
		parts, errs = l.parts(root)
	}
	for _, err := range errs {
		r.Problems = append(r.Problems, strings.TrimPrefix(err.Error(), "datasets: "+r.Path+": "))
	}
	var splits []*Split
	for _, p := range parts {
		if p.dict == nil {
			continue
		}
		report := SplitReport{Name: p.name}
		for _, e := range p.dict {
			if key, ok := e.Key.(string); ok {
				report.Keys = append(report.Keys,
					KeyReport{strings.Trim(fmt.Sprintf("%.40q", key), `"`), describe(e.Value)})
			}
		}
		if p.split != nil {
			report.summarize(p.split)
			splits = append(splits, p.split)
		}
		r.Splits = append(r.Splits, report)
	}
	r.Range = labelRange(r.Name, splits...)
	r.Warnings = l.warnings()
	found := &findings{}
	for _, p := range parts {
		if p.split != nil {
			found.inspect(p.name, p.split, r.Range, true)
		}
	}
	if len(r.Problems) == 0 && len(found.problems) == 0 && len(splits) == len(splitNames) {
		r.judge(&Set{Train: splits[0], Valid: splits[1], Test: splits[2]}, found)
	}
	r.add(found)
	return nil
}

// judge compares the splits of a set without problems.
func (r *Report) judge(s *Set, f *findings) {
	f.compareSplits(s)
	r.Correlations = s.correlations()
	f.correlated(s, r.Correlations)
}

func (r *Report) add(f *findings) {
	r.Problems = append(r.Problems, f.problems...)
	r.Warnings = append(r.Warnings, f.warnings...)
}

// readPacked describes a file that Pack wrote.
func (r *Report) readPacked(o Options) error {
	set, err := OpenWith(r.Path, o)
	if err != nil {
		return err
	}
	if info, err := os.Stat(r.Path); err == nil {
		r.Bytes = info.Size()
	}
	r.Name, r.Range = set.Name, set.Range
	for i, s := range set.splits() {
		report := SplitReport{Name: splitNames[i]}
		for _, e := range set.entries() {
			if key, ok := strings.CutPrefix(e.Name, splitNames[i]+"."); ok {
				report.Keys = append(report.Keys,
					KeyReport{key, fmt.Sprintf("%s %v", e.Type, e.Shape)})
			}
		}
		report.summarize(s)
		r.Splits = append(r.Splits, report)
	}
	found := set.inspect(true)
	if len(found.problems) == 0 {
		r.judge(set, found)
	}
	r.add(found)
	if packed := set.hash; packed != "" {
		if set.hash = ""; set.Hash() != packed {
			r.Problems = append(r.Problems, fmt.Sprintf("expected the data that were packed, "+
				"SHA-256 %.16s…, found others, %.16s…; pack the features again", packed,
				set.Hash()))
		}
	}
	return nil
}

func (r *SplitReport) summarize(s *Split) {
	r.Utterances, r.Shape = s.Len(), s.Shape()
	text := make([]int, s.Len())
	for i := range text {
		text[i] = s.Language.length(i)
	}
	r.Language, r.Audio, r.Vision = summary(text), summary(s.Audio.Len), summary(s.Vision.Len)
	if s.Label == nil {
		return
	}
	label := summary(s.Label)
	r.Label = &label
	for _, y := range s.Label {
		switch {
		case y < 0:
			r.Signs[0]++
		case y == 0:
			r.Signs[1]++
		case y > 0:
			r.Signs[2]++
		}
	}
}

func summary[E int | float32](x []E) Summary {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return Summary{float64(slices.Min(x)), sum / float64(len(x)), float64(slices.Max(x))}
}

// String formats the report as plain text of several lines.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d bytes, %s, labels from %g to %g\n", r.Path, r.Bytes, r.Name,
		r.Range[0], r.Range[1])
	for _, s := range r.Splits {
		fmt.Fprintf(&b, "\n%s: %d utterances\n", s.Name, s.Utterances)
		for _, k := range s.Keys {
			fmt.Fprintf(&b, "  %-26s %s\n", k.Key, k.Value)
		}
		if s.Utterances == 0 {
			continue
		}
		fmt.Fprintf(&b, "  %-26s %8s %8s %8s %8s\n", "", "min", "mean", "max", "of")
		for _, m := range []struct {
			name string
			Summary
			steps int
		}{{"tokens", s.Language, s.Shape.LanguageSteps},
			{"audio frames", s.Audio, s.Shape.AudioSteps},
			{"vision frames", s.Vision, s.Shape.VisionSteps}} {
			fmt.Fprintf(&b, "  %-26s %8g %8.2f %8g %8d\n", m.name, m.Min, m.Mean, m.Max, m.steps)
		}
		if y := s.Label; y != nil {
			fmt.Fprintf(&b, "  %-26s %8.3g %8.3g %8.3g   %d negative, %d zero, %d positive\n",
				"labels", y.Min, y.Mean, y.Max, s.Signs[0], s.Signs[1], s.Signs[2])
		}
	}
	if len(r.Correlations) > 0 {
		fmt.Fprintf(&b, "\n%-28s %8s %8s %8s\n", "correlation with the label", "train", "valid",
			"test")
	}
	for _, c := range r.Correlations {
		fmt.Fprintf(&b, "  %-26s %8.2f %8.2f %8.2f\n", c.Modality, c.Train, c.Valid, c.Test)
	}
	for _, list := range []struct {
		title string
		lines []string
	}{{"warnings", r.Warnings}, {"problems", r.Problems}} {
		if len(list.lines) > 0 {
			fmt.Fprintf(&b, "\n%s:\n", list.title)
		}
		for _, line := range list.lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if len(r.Problems) == 0 {
		b.WriteString("\nno problems\n")
	}
	return b.String()
}
