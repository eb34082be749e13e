package main

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/internal/optable"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

//go:embed completion
var completionScripts embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCommand) Help() string {
	return `The script completes commands, flags and their values: models, variants, presets, data sets,
devices, metrics, settings, files.

Examples:
  source <(recap completion bash)                        # in ~/.bashrc
  source <(recap completion zsh)                         # in ~/.zshrc, after compinit
  recap completion fish > ~/.config/fish/completions/recap.fish`
}

func (c *completionCommand) Run(t *terminal) error {
	script, err := completionScripts.ReadFile("completion/recap." + c.Shell)
	if err != nil {
		return err
	}
	_, err = t.out.Write(script)
	return err
}

// completeCommand is what the completion scripts call.
type completeCommand struct {
	Words []string `arg:"" optional:"" help:"The words after the program's name, the last one unfinished."`
}

func (completeCommand) Help() string {
	return "Called by the scripts of recap completion.\n\nExample:\n  recap complete train --model \"\""
}

func (c *completeCommand) Run(t *terminal, k *kong.Context) error {
	if len(c.Words) == 0 {
		c.Words = []string{""}
	}
	for _, line := range complete(k.Model.Node, c.Words) {
		fmt.Fprintln(t.out, line)
	}
	return nil
}

// Lines that ask the shell for names of files.
const (
	completeFiles = ":files"
	completeDirs  = ":dirs"
)

// complete returns the candidates for the last of the words, each with a description after a tab
// where there is one.
func complete(root *kong.Node, words []string) []string {
	l := readLine(root, words[:len(words)-1])
	word := words[len(words)-1]
	if l.flag != nil {
		return l.values(l.flag.Value, l.flag.PlaceHolder, "", word)
	}
	if strings.HasPrefix(word, "-") && !l.ended {
		name, value, found := strings.Cut(word, "=")
		if f := l.find(name); found && f != nil {
			return l.values(f.Value, f.PlaceHolder, name+"=", value)
		}
		return withPrefix(l.flags(), word)
	}
	if len(l.node.Children) > 0 {
		return withPrefix(subcommands(l.node), word)
	}
	if n := len(l.node.Positional); n > 0 {
		return l.values(l.node.Positional[min(l.positional, n-1)], "", "", word)
	}
	return nil
}

// A commandLine is what the words before the one to complete mean.
type commandLine struct {
	node       *kong.Node // the innermost command
	positional int        // arguments of the command so far
	flag       *kong.Flag // whose value comes next; nil for none
	ended      bool       // by --
	model      string     // of --model; "" for the default
}

func readLine(root *kong.Node, words []string) *commandLine {
	l := &commandLine{node: root}
	for _, word := range words {
		switch {
		case l.flag != nil:
			l.set(l.flag, word)
			l.flag = nil
		case word == "--":
			l.ended = true
		case strings.HasPrefix(word, "-") && !l.ended:
			name, value, found := strings.Cut(word, "=")
			switch f := l.find(name); {
			case f == nil || f.IsBool():
			case found:
				l.set(f, value)
			default:
				l.flag = f
			}
		default:
			i := slices.IndexFunc(l.node.Children, func(n *kong.Node) bool {
				return n.Name == word
			})
			if i < 0 {
				l.positional++
				continue
			}
			l.node = l.node.Children[i]
		}
	}
	return l
}

func (l *commandLine) set(f *kong.Flag, value string) {
	if f.Name == "model" {
		l.model, _, _ = strings.Cut(value, ",")
	}
}

// find returns the flag --long or -s of the command, nil if there is none.
func (l *commandLine) find(name string) *kong.Flag {
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			if name == "--"+f.Name || f.Short != 0 && name == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

// flags returns the flags of the command, long and short.
func (l *commandLine) flags() []string {
	var list []string
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			list = append(list, "--"+f.Name+"\t"+f.Help)
			if f.Short != 0 {
				list = append(list, "-"+string(f.Short)+"\t"+f.Help)
			}
		}
	}
	return list
}

func subcommands(n *kong.Node) []string {
	var list []string
	for _, c := range n.Children {
		if !c.Hidden {
			list = append(list, c.Name+"\t"+c.Help)
		}
	}
	return list
}

// values returns the candidates for the value of a flag or an argument that begins with word, each
// after prefix.
func (l *commandLine) values(v *kong.Value, placeholder, prefix, word string) []string {
	switch {
	case v.Tag.Type == "existingdir" || placeholder == "DIR":
		return []string{completeDirs}
	case v.Tag.Type == "path" || placeholder == "FILE" ||
		slices.Contains([]string{"file", "in", "out"}, v.Name):
		return []string{completeFiles}
	}
	list := slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" })
	if f := knownValues[v.Name]; f != nil {
		list = f(l.model)
	}
	if v.IsSlice() && v.Tag.Sep != -1 {
		if i := strings.LastIndex(word, ","); i >= 0 {
			prefix, word = prefix+word[:i+1], word[i+1:]
		}
	}
	list = withPrefix(list, word)
	for i := range list {
		list[i] = prefix + list[i]
	}
	return list
}

// knownValues holds, by the name of a flag or argument, the values that the program knows; some
// depend on the model.
var knownValues = map[string]func(model string) []string{
	"model":    func(string) []string { return models.Names() },
	"variant":  variants,
	"variants": variants,
	"preset":   constant(settings.Presets...),
	"dataset":  func(string) []string { return settings.DataSets() },
	"device":   constant("cpu", "cpu64", "cuda:0"),
	"select":   constant(settings.SelectValid, settings.SelectTest),
	"drop":     constant("text", "audio", "vision"),
	"rates":    constant("0:0.9:0.1"),
	"metric":   metrics,
	"set":      keysOf,
	"key":      settingKeys,
	"command":  commandNames,
	"op":       operations,
}

// commandNames returns the names of the commands.
func commandNames(string) []string {
	var list []string
	for _, line := range subcommands(newParser().Model.Node) {
		name, _, _ := strings.Cut(line, "\t")
		list = append(list, name)
	}
	return list
}

func constant(values ...string) func(string) []string {
	return func(string) []string { return values }
}

func variants(model string) []string {
	c, err := settings.Preset("quick", cmp.Or(model, "recap"), "")
	if err != nil {
		return nil
	}
	return c.Variants()
}

// keysOf returns the keys that --set takes, each with a =.
func keysOf(model string) []string {
	list := settingKeys(model)
	for i := range list {
		list[i] += "="
	}
	return list
}

// settingKeys returns the keys of all settings of a model.
func settingKeys(model string) []string {
	c, err := settings.Preset("quick", cmp.Or(model, "recap"), "")
	if err != nil {
		return nil
	}
	return c.Keys()
}

// metrics returns the keys of both kinds of labels.
func metrics(string) []string {
	list := slices.Concat(metric.Keys(metric.MOSI), metric.Keys(metric.SIMS))
	slices.Sort(list)
	return slices.Compact(list)
}

func operations(string) []string {
	var list []string
	for _, k := range optable.Cases() {
		list = append(list, k.Op)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func withPrefix(list []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		return !strings.HasPrefix(s, prefix)
	})
}
