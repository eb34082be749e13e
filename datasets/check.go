package datasets

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
)

// A Report describes the contents of a data set's file and the problems found in it.
type Report struct {
	Path     string
	Name     string     // of the set, see [Open]
	Bytes    int64      // size of the file
	Range    [2]float64 // smallest and largest possible label
	Splits   []SplitReport
	Problems []string // "where: expected what, found what"; empty if there are none
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

// Check reads a data set or a single split, with features replaced as by [OpenWith], and describes
// its contents. What Open would report as an error is a problem in the report, as are values that
// no good file has: NaN, labels out of range, masks with gaps, padding at the front. The error is
// not nil only if the file cannot be read as a pickle of dicts or as a packed data set.
func Check(path string, with Features) (*Report, error) {
	r := &Report{Path: path, Name: setName(path)}
	if isPacked(path) {
		return r, r.readPacked(with)
	}
	err := withFile(path, func(f io.ReaderAt, size int64) error {
		r.Bytes = size
		return r.read(f, size, with)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Report) read(file io.ReaderAt, size int64, with Features) error {
	l, root, err := newLayout(r.Path, file, size)
	if err != nil {
		return err
	}
	if err := l.replace(with); err != nil {
		return err
	}
	defer l.close()
	var splits []*Split
	reject := func(err error) {
		r.problem("%s",
			strings.TrimPrefix(strings.TrimPrefix(err.Error(), "datasets: "), r.Path+": "))
	}
	add := func(name string, d dict) {
		report := SplitReport{Name: name}
		for _, e := range d {
			if key, ok := e.Key.(string); ok {
				report.Keys = append(report.Keys,
					KeyReport{strings.Trim(fmt.Sprintf("%.40q", key), `"`), describe(e.Value)})
			}
		}
		if s, err := l.split(name, d); err != nil {
			reject(err)
		} else {
			report.summarize(s)
			splits = append(splits, s)
		}
		r.Splits = append(r.Splits, report)
	}
	if _, single := root.get("text_bert"); single {
		add("features", root)
	} else {
		for _, name := range splitNames {
			if d, err := l.find(root, name); err != nil {
				reject(err)
			} else {
				add(name, d)
			}
		}
	}
	r.Range = labelRange(r.Name, splits...)
	for _, what := range slices.Sorted(maps.Keys(l.repaired)) {
		r.problem("%s: %d times", what, l.repaired[what])
	}
	r.compare(splits)
	return nil
}

// readPacked describes a file that Pack wrote.
func (r *Report) readPacked(with Features) error {
	set, err := OpenWith(r.Path, with)
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
	r.compare(set.splits())
	return nil
}

// compare checks the values of the splits that could be read, and that their sizes are equal.
func (r *Report) compare(splits []*Split) {
	good := slices.DeleteFunc(slices.Clone(r.Splits), func(s SplitReport) bool {
		return s.Utterances == 0
	})
	for i, s := range splits {
		if found, want := good[i].Shape, good[0].Shape; found != want {
			r.problem("%s: expected the sizes of %s, %v, found %v", good[i].Name, good[0].Name,
				want, found)
		}
		r.inspect(good[i].Name, s)
	}
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
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

// inspect reports values that no good file has.
func (r *Report) inspect(name string, s *Split) {
	r.tokens(name, s)
	for _, m := range []struct {
		key string
		*Frames
	}{{"audio", &s.Audio}, {"vision", &s.Vision}} {
		r.frames(name, m.key, s, m.Frames)
		ones := 0
		for _, n := range m.Len {
			if n == 1 {
				ones++
			}
		}
		if m.T > 1 && 2*ones > len(m.Len) {
			r.problem("%s: %s: expected padding at the end, found %d of %d lengths that are 1; "+
				"perhaps the padding is at the front", name, m.key, ones, len(m.Len))
		}
	}
	if s.Label == nil {
		return
	}
	bad := nonFinite{}
	bad.add(s.Label, func(i int) string { return fmt.Sprintf("%q", s.ID[i]) })
	r.notFinite(name, "regression_labels", bad)
	outside := 0
	for _, y := range s.Label {
		if y := float64(y); y < r.Range[0] || y > r.Range[1] {
			outside++
		}
	}
	if outside > 0 {
		r.problem("%s: regression_labels: expected values in %v, found %d outside", name,
			r.Range, outside)
	}
}

// frames reports features that are NaN or Inf.
func (r *Report) frames(name, key string, s *Split, m *Frames) {
	bad := nonFinite{}
	row := make([]float32, m.T*m.D)
	for i := range m.Len {
		m.Row(row, i)
		bad.add(row, func(j int) string { return fmt.Sprintf("%q, frame %d", s.ID[i], j/m.D) })
	}
	r.notFinite(name, key, bad)
}

// nonFinite counts numbers that are NaN or Inf.
type nonFinite struct {
	count int
	first string // value and position
}

func (f *nonFinite) add(x []float32, where func(i int) string) {
	for i, v := range x {
		if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
			if f.count++; f.count == 1 {
				f.first = fmt.Sprintf("%v in %s", v, where(i))
			}
		}
	}
}

func (r *Report) notFinite(name, key string, bad nonFinite) {
	if bad.count > 0 {
		r.problem("%s: %s: expected finite values, found %d NaN or Inf, the first %s", name,
			key, bad.count, bad.first)
	}
}

// tokens reports token sequences other than [CLS] … [SEP] [PAD] …, and masks that do not match
// them.
func (r *Report) tokens(name string, s *Split) {
	var mask, first, last, short int
	for i := range s.Len() {
		n := s.Language.length(i)
		row := s.Language.ID[i*s.Language.T:][:s.Language.T]
		for t, m := range s.Language.Mask[i*s.Language.T:][:s.Language.T] {
			if (t < n) != (m == 1) || t >= n && m != 0 {
				mask++
				break
			}
		}
		if n < 2 {
			short++
			continue
		}
		if row[0] != ClsID {
			first++
		}
		if row[n-1] != SepID {
			last++
		}
	}
	for _, p := range []struct {
		count int
		what  string
	}{
		{mask, "a mask of ones, then zeros"}, {short, "2 tokens or more"},
		{first, "[CLS], 101, as first token"}, {last, "[SEP], 102, as last token"},
	} {
		if p.count > 0 {
			r.problem("%s: text_bert: expected %s, found %d of %d utterances otherwise",
				name, p.what, p.count, s.Len())
		}
	}
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
	if len(r.Problems) == 0 {
		b.WriteString("\nno problems\n")
	} else {
		b.WriteString("\nproblems:\n")
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	return b.String()
}
