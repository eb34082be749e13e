package datasets

import (
	"reflect"
	"testing"

	"github.com/nlpodyssey/gopickle/types"
)

// TestEmptyValuesOfClasses calls the classes that write an empty value: bytes, in protocols 0 to 2,
// and a defaultdict.
func TestEmptyValuesOfClasses(t *testing.T) {
	for _, c := range []struct {
		module, name string
		want         any
	}{{"__builtin__", "bytes", []byte(nil)}, {"builtins", "bytes", []byte(nil)},
		{"collections", "defaultdict", types.NewDict()}} {
		class, err := findClass(c.module, c.name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := class.(types.Callable).Call()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s.%s: %#v, %v, want %#v", c.module, c.name, got, err, c.want)
		}
	}
}

// TestTextOfArrays decodes an element of each type of array that may hold ids and transcripts.
func TestTextOfArrays(t *testing.T) {
	for _, c := range []struct{ code, raw, want string }{
		{"<U3", "a\x00\x00\x00\xe9\x00\x00\x00\x00\xf6\x01\x00", "aé😀"},
		{">U3", "\x00\x00\x00a\x00\x00\x00\xe9\x00\x00\x00\x00", "aé"},
		{"|S4", "ab\x00\x00", "ab"},
		{"<i2", "\xfe\xff", "-2"}, {">u2", "\xff\xfe", "65534"}, {"|u1", "\x07", "7"},
	} {
		v, err := newDType([]any{c.code})
		d, ok := v.(*dtype)
		if err != nil || !ok || d.size != len(c.raw) {
			t.Errorf("%s: %+v, %v", c.code, v, err)
			continue
		}
		if got := d.text([]byte(c.raw)); got != c.want {
			t.Errorf("%s: %q, want %q", c.code, got, c.want)
		}
	}
}
