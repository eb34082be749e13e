package settings

import (
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Keys returns the keys of all settings, in the order of the YAML file.
func (c *Config) Keys() []string {
	var keys []string
	for _, s := range zoo.Settings(c) {
		keys = append(keys, s.Key)
	}
	return keys
}

// Has reports whether c has a setting with the key.
func (c *Config) Has(key string) bool { return slices.Contains(c.Keys(), key) }

// set sets a key, one of all settings of c, to a decoded YAML value. A string is YAML text, unless
// the setting is a string. The key of a map of single values, such as train.epochs, sets all its
// elements. set returns a *[KeyError] if the key is unknown, and an error if the value does not
// have the type of the setting.
func (c *Config) set(all []zoo.Setting, key string, value any) error {
	found := false
	for _, s := range all {
		if s.Key != key && (s.Map != key || key == "") {
			continue
		}
		found = true
		if !assign(s.Value, value) {
			if x, ok := value.(float64); ok && x == math.Trunc(x) {
				value = fmt.Sprintf("%.1f", x) // 8.0, not 8
			}
			return Invalid(key, zoo.TypeName(s.Value.Type()), value)
		}
		s.Store()
	}
	if !found {
		return &KeyError{key, c.Model, c.known()}
	}
	return nil
}

// known returns the keys that set accepts: those of all settings, and those of maps before their
// elements.
func (c *Config) known() []string {
	var keys []string
	for _, s := range zoo.Settings(c) {
		if s.Map != "" && !slices.Contains(keys, s.Map) {
			keys = append(keys, s.Map)
		}
		keys = append(keys, s.Key)
	}
	return keys
}

// join returns prefix.name, or name if prefix is empty.
func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// assign stores a decoded YAML value, or YAML text, in to. It reports whether the value has the
// type of to; otherwise to does not change.
func assign(to reflect.Value, value any) bool {
	if text, ok := value.(string); ok && to.Kind() != reflect.String {
		return assignText(to, text)
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(fmt.Sprint(value))
		return true
	case reflect.Slice, reflect.Array:
		return assignList(to, value)
	}
	from := reflect.ValueOf(value)
	var fits bool
	switch {
	case to.CanFloat():
		fits = from.CanFloat() || from.CanInt() || from.CanUint()
	case to.CanInt():
		fits = from.CanInt() || from.CanUint() && from.Uint() <= math.MaxInt
	case to.CanUint():
		fits = from.CanUint() || from.CanInt() && from.Int() >= 0
	default:
		fits = from.IsValid() && from.Type() == to.Type()
	}
	if fits {
		to.Set(from.Convert(to.Type()))
	}
	return fits
}

// assignText is like assign, for YAML text and a setting that is not a string.
func assignText(to reflect.Value, text string) bool {
	var value any
	if UnmarshalYAML([]byte(text), &value) != nil {
		return false
	}
	if _, ok := value.(string); !ok {
		return assign(to, value)
	}
	// without a type to decode into, 1e-3 is a string
	return to.CanFloat() && UnmarshalYAML([]byte(text), to.Addr().Interface()) == nil
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
	if err := UnmarshalYAML(text, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("settings: %s: expected YAML or JSON, found %w", path, err)
	}
	return document(doc), nil
}

// Parse returns the configuration in text, which is YAML as [Config.YAML] returned it, possibly in
// an older version; path is for messages. Parse returns an error if text is not YAML or JSON, a
// *[KeyError] for an unknown key, and an error for an invalid value.
func Parse(path string, text []byte) (Config, error) {
	doc, err := parse(path, text)
	if err != nil {
		return Config{}, err
	}
	c, err := Preset(doc.text("preset", "quick"), doc.text("model", "recap"),
		doc.text("dataset", ""))
	if err == nil {
		c.actAsOlder()
		err = c.apply(doc)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, c.finish()
}

// actAsOlder gives settings that older versions did not have the values as which they acted.
func (c *Config) actAsOlder() {
	for _, s := range zoo.Settings(c) {
		if s.Older != "" {
			assign(s.Value, s.Older)
			s.Store()
		}
	}
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
func (c *Config) apply(doc document) error {
	return c.applyUnder(zoo.Settings(c), "", yaml.MapSlice(doc))
}

// applyUnder sets the keys in items, among all settings of c. The complete keys begin with prefix.
func (c *Config) applyUnder(all []zoo.Setting, prefix string, items yaml.MapSlice) error {
	for _, item := range items {
		key := join(prefix, fmt.Sprint(item.Key))
		var err error
		switch v := item.Value.(type) {
		case nil: // the default
			if !c.hasUnder(key) {
				err = &KeyError{key, c.Model, c.known()}
			}
		case yaml.MapSlice:
			err = c.applyUnder(all, key, v)
		default:
			err = c.set(all, key, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasUnder reports whether c has a setting with the key, or settings below it.
func (c *Config) hasUnder(key string) bool {
	return slices.ContainsFunc(c.Keys(), func(k string) bool {
		return isUnder(k, key)
	})
}

// YAML returns all settings as YAML, which [Parse] reads.
func (c *Config) YAML() ([]byte, error) { return yamlOf(zoo.Settings(c)) }

func yamlOf(list []zoo.Setting) ([]byte, error) {
	var doc yaml.MapSlice
	for _, s := range list {
		doc = addAt(doc, strings.Split(s.Key, "."), s.Value.Interface())
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

// Hash returns the SHA-256 hash of all settings except the name of the run, in hexadecimal. It
// leaves out settings that act as older versions without them did, so that their runs can be
// resumed.
func (c Config) Hash() string {
	c.Name = ""
	text, err := yamlOf(slices.DeleteFunc(zoo.Settings(&c), func(s zoo.Setting) bool {
		return s.Older != "" && s.Older == fmt.Sprint(s.Value.Interface())
	}))
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
