package settings

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// A field is one setting of a configuration.
type field struct {
	key   string // "train.lr"
	value reflect.Value
	store func() // stores a changed value in the configuration
}

// fields returns all settings of c, in the order of the YAML file.
func (c *Config) fields() []field {
	return fieldsOf("", reflect.ValueOf(c).Elem(), func() {})
}

// keys returns the keys of all settings.
func (c *Config) keys() []string {
	var keys []string
	for _, f := range c.fields() {
		keys = append(keys, f.key)
	}
	return keys
}

// Has reports whether c has a setting with the key.
func (c *Config) Has(key string) bool { return slices.Contains(c.keys(), key) }

// fieldsOf returns the settings in v. Their keys begin with prefix.
func fieldsOf(prefix string, v reflect.Value, store func()) []field {
	switch v.Kind() {
	case reflect.Struct:
		var all []field
		for i := range v.NumField() {
			name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if options == "inline" { // the configuration of the model
				all = append(all, fieldsOf(prefix, v.Field(i).Elem().Elem(), store)...)
			} else {
				all = append(all, fieldsOf(join(prefix, name), v.Field(i), store)...)
			}
		}
		return all
	case reflect.Map:
		var all []field
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()),
			func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			all = append(all, fieldsOf(join(prefix, key.String()), element, func() {
				v.SetMapIndex(key, element)
				store()
			})...)
		}
		return all
	}
	return []field{{prefix, v, store}}
}

// join returns prefix.name, or name if prefix is empty.
func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// set sets a key to a decoded YAML value. A string is YAML text, unless the setting is a string.
// set returns a *[KeyError] if the key is unknown, and an error if the value does not have the type
// of the setting.
func (c *Config) set(key string, value any) error {
	all := c.fields()
	i := slices.IndexFunc(all, func(f field) bool { return f.key == key })
	if i < 0 {
		return &KeyError{key, c.keys()}
	}
	if to := all[i].value; !assign(to, value) {
		return Invalid(key, valuesOf(to.Type()), value)
	}
	all[i].store()
	return nil
}

// valuesOf describes the values of a setting of type t for an error message. Any value is valid for
// a string.
func valuesOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Slice:
		return fmt.Sprintf("a list of %ss", numberOf(t.Elem()))
	case reflect.Array:
		return fmt.Sprintf("a list of %d %ss", t.Len(), numberOf(t.Elem()))
	}
	return "a " + numberOf(t)
}

func numberOf(t reflect.Type) string {
	if t.Kind() == reflect.Float64 {
		return "number"
	}
	return "whole number"
}

// assign stores a decoded YAML value, or YAML text, in to. It reports whether the value has the
// type of to; otherwise to does not change.
func assign(to reflect.Value, value any) bool {
	if text, ok := value.(string); ok && to.Kind() != reflect.String {
		return yaml.Unmarshal([]byte(text), to.Addr().Interface()) == nil
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(fmt.Sprint(value))
		return true
	case reflect.Slice, reflect.Array:
		return assignList(to, value)
	}
	from := reflect.ValueOf(value)
	if !from.CanConvert(to.Type()) {
		return false
	}
	number := from.Convert(to.Type())
	exact := number.CanFloat() || number.Convert(from.Type()).Equal(from) // rejects an int of 1.5
	if negative := from.CanInt() && from.Int() < 0; !exact || negative && to.CanUint() {
		return false
	}
	to.Set(number)
	return true
}

// assignList is like assign, for a slice or an array.
func assignList(to reflect.Value, value any) bool {
	list, ok := value.([]any)
	if !ok || to.Kind() == reflect.Array && len(list) != to.Len() {
		return false
	}
	elements := reflect.New(to.Type()).Elem()
	if to.Kind() == reflect.Slice {
		elements = reflect.MakeSlice(to.Type(), len(list), len(list))
	}
	for i, v := range list {
		if !assign(elements.Index(i), v) {
			return false
		}
	}
	to.Set(elements)
	return true
}

// A document is a decoded YAML or JSON file of a configuration.
type document yaml.MapSlice

// parse decodes YAML or JSON. path is for messages.
func parse(path string, text []byte) (document, error) {
	var doc yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("settings: %s: expected YAML or JSON, found %w", path, err)
	}
	return document(doc), nil
}

// Parse returns the configuration in text, which is YAML as [Config.YAML] returns it; path is for
// messages. Parse returns an error if text is not YAML or JSON, a *[KeyError] for an unknown key,
// and an error for an invalid value.
func Parse(path string, text []byte) (Config, error) {
	doc, err := parse(path, text)
	if err != nil {
		return Config{}, err
	}
	c, err := Preset(doc.text("preset", "quick"), doc.text("model", "recap"),
		doc.text("dataset", ""))
	if err == nil {
		err = c.apply(doc)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, c.finish()
}

// text returns the string value of a key at the top level, or byDefault if there is none.
func (doc document) text(key, byDefault string) string {
	for _, item := range doc {
		if text, ok := item.Value.(string); ok && item.Key == key {
			return text
		}
	}
	return byDefault
}

// apply sets all keys in the document.
func (c *Config) apply(doc document) error { return c.applyUnder("", yaml.MapSlice(doc)) }

// applyUnder sets the keys in items. The complete keys begin with prefix.
func (c *Config) applyUnder(prefix string, items yaml.MapSlice) error {
	for _, item := range items {
		key := join(prefix, fmt.Sprint(item.Key))
		var err error
		switch v := item.Value.(type) {
		case nil:
		case yaml.MapSlice:
			err = c.applyUnder(key, v)
		default:
			err = c.set(key, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// YAML returns all settings as YAML, which [Parse] reads.
func (c *Config) YAML() ([]byte, error) {
	var doc yaml.MapSlice
	for _, f := range c.fields() {
		doc = addAt(doc, strings.Split(f.key, "."), f.value.Interface())
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("settings: configuration: %w", err)
	}
	return text, nil
}

// addAt returns the document with a value added at a path. If the document has an entry for the
// first element of the path, it must be the last entry.
func addAt(doc yaml.MapSlice, path []string, value any) yaml.MapSlice {
	if len(path) == 1 {
		return append(doc, yaml.MapItem{Key: path[0], Value: value})
	}
	if last := len(doc) - 1; last >= 0 && doc[last].Key == path[0] {
		doc[last].Value = addAt(doc[last].Value.(yaml.MapSlice), path[1:], value)
		return doc
	}
	return append(doc, yaml.MapItem{Key: path[0], Value: addAt(nil, path[1:], value)})
}

// Hash returns the SHA-256 hash of all settings except the name of the run, in hexadecimal.
func (c Config) Hash() string {
	c.Name = ""
	text, err := c.YAML()
	if err != nil {
		panic("settings: Hash: " + err.Error())
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// SameExceptSeed reports whether two configurations are equal except for name and seed.
func SameExceptSeed(a, b Config) bool {
	a.Seed = b.Seed
	return a.Hash() == b.Hash()
}
