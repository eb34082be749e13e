package zoo

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Setting is a field of a configuration. Its struct tags describe it:
//
//	yaml    the name; those of the structs and map keys around it come before, with dots between
//	help    the meaning
//	values  the valid values, with commas between
//	range   the valid numbers, an interval such as [1,) or (0,1]
//	older   how runs of versions without the setting acted, a value in YAML
type Setting struct {
	Key   string        // "train.lr"
	Map   string        // key of the map that has the setting, such as "train.epochs"; or empty
	Value reflect.Value // call Store after a change
	Help  string
	Older string // empty for a setting of the first version

	values, interval string
	store            func()
}

// Settings returns all settings in a configuration, a pointer to a struct, in the order of the
// fields and of the sorted keys of maps.
func Settings(config any) []Setting {
	return appendSettings(nil, Setting{Value: reflect.ValueOf(config).Elem(), store: func() {}})
}

// appendSettings appends the settings in a struct or a map, or s itself if it has a single value.
func appendSettings(all []Setting, s Setting) []Setting {
	switch v := s.Value; v.Kind() {
	case reflect.Struct:
		for i, tags := range tagsOf(v.Type()) {
			field := Setting{Key: join(s.Key, tags.name), Value: v.Field(i), Help: tags.help,
				Older: tags.older, values: tags.values, interval: tags.interval, store: s.store}
			if tags.inline { // a configuration in an interface
				field.Key, field.Value = s.Key, v.Field(i).Elem().Elem()
			}
			all = appendSettings(all, field)
		}
		return all
	case reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()),
			func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			element := s
			element.Key, element.Map = join(s.Key, key.String()), s.Key
			element.Value = reflect.New(v.Type().Elem()).Elem()
			element.Value.Set(v.MapIndex(key))
			element.store = func() { v.SetMapIndex(key, element.Value) }
			all = appendSettings(all, element)
		}
		return all
	}
	return append(all, s)
}

// fieldTags are the struct tags of a field.
type fieldTags struct {
	name, help, older, values, interval string
	inline                              bool
}

// tagsByType has the tags of the fields of each struct, which are searched once: configurations are
// read, hashed and written hundreds of times in a sweep.
var tagsByType sync.Map // from reflect.Type to []fieldTags

func tagsOf(t reflect.Type) []fieldTags {
	if tags, ok := tagsByType.Load(t); ok {
		return tags.([]fieldTags)
	}
	tags := make([]fieldTags, t.NumField())
	for i := range tags {
		tag := t.Field(i).Tag
		name, options, _ := strings.Cut(tag.Get("yaml"), ",")
		tags[i] = fieldTags{name: name, help: tag.Get("help"), older: tag.Get("older"),
			values: tag.Get("values"), interval: tag.Get("range"), inline: options == "inline"}
	}
	tagsByType.Store(t, tags)
	return tags
}

// join returns prefix.name, or name if prefix is empty.
func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// Store stores a changed Value in the configuration.
func (s *Setting) Store() { s.store() }

// Valid reports whether the value is one that the tags allow.
func (s *Setting) Valid() bool {
	if s.values != "" {
		return slices.Contains(strings.Split(s.values, ","), fmt.Sprint(s.Value.Interface()))
	}
	if s.interval == "" {
		return true
	}
	x := s.Value.Convert(reflect.TypeFor[float64]()).Float()
	first, last := s.bounds()
	return (x > first || x == first && s.interval[0] == '[') &&
		(x < last || x == last && strings.HasSuffix(s.interval, "]"))
}

// bounds returns the ends of the interval. It panics if the tag is malformed.
func (s *Setting) bounds() (first, last float64) {
	from, to, _ := strings.Cut(strings.Trim(s.interval, "[]()"), ",")
	first, err := strconv.ParseFloat(from, 64)
	if last = math.Inf(1); to != "" && err == nil {
		last, err = strconv.ParseFloat(to, 64)
	}
	if err != nil {
		panic("zoo: " + s.Key + ": tag range: expected an interval, found " + s.interval)
	}
	return first, last
}

// Expected describes the valid values, such as "1 or more".
func (s *Setting) Expected() string {
	if s.values != "" {
		return "one of " + strings.ReplaceAll(s.values, ",", ", ")
	}
	if s.interval == "" {
		return TypeName(s.Value.Type())
	}
	first, last := s.bounds()
	text := fmt.Sprintf("a number above %g", first)
	if s.interval[0] == '[' {
		text = fmt.Sprintf("%g or more", first)
	}
	switch {
	case math.IsInf(last, 1):
		return text
	case strings.HasSuffix(s.interval, ")"):
		return fmt.Sprintf("%s, below %g", text, last)
	case s.interval[0] == '[':
		return fmt.Sprintf("a number from %g to %g", first, last)
	}
	return fmt.Sprintf("%s, at most %g", text, last)
}

// TypeName describes the values of a setting's type.
func TypeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Slice:
		return fmt.Sprintf("a list of %ss", numberName(t.Elem()))
	case reflect.Array:
		return fmt.Sprintf("a list of %d %ss", t.Len(), numberName(t.Elem()))
	}
	return "a " + numberName(t)
}

func numberName(t reflect.Type) string {
	if t.Kind() == reflect.Float64 {
		return "number"
	}
	return "whole number"
}

// CheckConfig checks the settings of a model, with [CheckSettings], and of its text encoder. Errors
// begin with the name.
func CheckConfig(name string, c Config) error {
	err := CheckSettings(c)
	if err == nil {
		err = c.TextEncoder().Check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// CheckSettings returns an error for the first setting in a configuration whose value its tags do
// not allow.
func CheckSettings(config any) error {
	for _, s := range Settings(config) {
		if !s.Valid() {
			return fmt.Errorf("%s is %v, want %s", s.Key, s.Value, s.Expected())
		}
	}
	return nil
}
