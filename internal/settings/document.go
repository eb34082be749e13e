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
	store func() // writes a changed value back
}

// fields returns all settings of c, in the order of the YAML file.
func (c *Config) fields() []field {
	return fieldsOf("", reflect.ValueOf(c).Elem(), func() {})
}

func (c *Config) keys() []string {
	var keys []string
	for _, f := range c.fields() {
		keys = append(keys, f.key)
	}
	return keys
}

// Has reports whether there is a setting with this key.
func (c *Config) Has(key string) bool { return slices.Contains(c.keys(), key) }

func fieldsOf(prefix string, v reflect.Value, store func()) []field {
	switch v.Kind() {
	case reflect.Struct:
		var all []field
		for i := range v.NumField() {
			name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if options == "inline" { // the model's
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

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// Set changes one setting. The value is YAML; for a setting of type string it is the string
// itself.
func (c *Config) Set(key, value string) error { return c.put(key, value) }

// put changes one setting to a decoded YAML value.
func (c *Config) put(key string, value any) error {
	all := c.fields()
	i := slices.IndexFunc(all, func(f field) bool { return f.key == key })
	if i < 0 {
		return &KeyError{key, c.keys()}
	}
	if to := all[i].value; !assign(to, value) {
		return Invalid(key, "a value of type "+to.Type().String(), value)
	}
	all[i].store()
	return nil
}

// assign stores a decoded YAML value, or YAML text, in to. It reports whether the value fits the
// type; if not, to is unchanged.
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
	exact := number.CanFloat() || number.Convert(from.Type()).Equal(from) // not 1.5 as an integer
	if negative := from.CanInt() && from.Int() < 0; !exact || negative && to.CanUint() {
		return false
	}
	to.Set(number)
	return true
}

// assignList is assign for a slice or an array.
func assignList(to reflect.Value, value any) bool {
	list, ok := value.([]any)
	if !ok || to.Kind() == reflect.Array && len(list) != to.Len() {
		return false
	}
	all := reflect.New(to.Type()).Elem()
	if to.Kind() == reflect.Slice {
		all = reflect.MakeSlice(to.Type(), len(list), len(list))
	}
	for i, v := range list {
		if !assign(all.Index(i), v) {
			return false
		}
	}
	to.Set(all)
	return true
}

// A document is the decoded YAML or JSON of a configuration.
type document yaml.MapSlice

func parse(path string, text []byte) (document, error) {
	var doc yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("settings: %s: expected YAML or JSON, found %w", path, err)
	}
	return document(doc), nil
}

// Parse returns the configuration in the text of a file that [Config.YAML] wrote. It returns an
// error for an unknown key or an invalid value.
func Parse(path string, text []byte) (Config, error) {
	doc, err := parse(path, text)
	if err != nil {
		return Config{}, err
	}
	c, err := Preset(doc.word("preset", "quick"), doc.word("model", "recap"),
		doc.word("dataset", ""))
	if err == nil {
		err = c.apply(doc)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, c.finish()
}

// word returns the string value of a key on the top level, otherwise if there is none.
func (doc document) word(key, otherwise string) string {
	for _, item := range doc {
		if word, ok := item.Value.(string); ok && item.Key == key {
			return word
		}
	}
	return otherwise
}

// apply sets the settings in the document.
func (c *Config) apply(doc document) error { return c.applyUnder("", yaml.MapSlice(doc)) }

func (c *Config) applyUnder(prefix string, items yaml.MapSlice) error {
	for _, item := range items {
		key := join(prefix, fmt.Sprint(item.Key))
		var err error
		switch v := item.Value.(type) {
		case nil:
		case yaml.MapSlice:
			err = c.applyUnder(key, v)
		default:
			err = c.put(key, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// YAML returns all settings as YAML.
func (c *Config) YAML() ([]byte, error) {
	var doc yaml.MapSlice
	for _, f := range c.fields() {
		doc = with(doc, strings.Split(f.key, "."), f.value.Interface())
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("settings: configuration: %w", err)
	}
	return text, nil
}

// with returns the document with a value added at a path. If the document has the first element of
// the path, it is the last entry.
func with(doc yaml.MapSlice, path []string, value any) yaml.MapSlice {
	if len(path) == 1 {
		return append(doc, yaml.MapItem{Key: path[0], Value: value})
	}
	if last := len(doc) - 1; last >= 0 && doc[last].Key == path[0] {
		doc[last].Value = with(doc[last].Value.(yaml.MapSlice), path[1:], value)
		return doc
	}
	return append(doc, yaml.MapItem{Key: path[0], Value: with(nil, path[1:], value)})
}

// Hash returns the SHA-256 of all settings except the name of the directory, in hexadecimal.
func (c Config) Hash() string {
	c.Name = ""
	text, err := c.YAML()
	if err != nil {
		panic("settings: a configuration cannot be written: " + err.Error())
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// SameExceptSeed reports whether two configurations are equal, apart from name and seed.
func SameExceptSeed(a, b Config) bool {
	a.Seed = b.Seed
	return a.Hash() == b.Hash()
}
