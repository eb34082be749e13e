package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// A converter converts arrays and lists of a pickle to Go slices.
type converter struct {
	// bytes that it may allocate further; a small file can refer to one array many times
	left int64
}

// spend subtracts bytes from those that may be allocated. It is an error if too few are left.
func (c *converter) spend(bytes int64) error {
	if c.left -= bytes; c.left < 0 {
		return errors.New("more data than a file of this size can hold")
	}
	return nil
}

// elements returns the items and the shape of a list, a tuple or an array of objects.
func elements(v any) (items []any, shape []int, ok bool) {
	switch v := v.(type) {
	case *types.List:
		return *v, []int{v.Len()}, true
	case *types.Tuple:
		return *v, []int{v.Len()}, true
	case *ndarray:
		if list, ok := v.data.(*types.List); ok && v.dtype.kind == 'O' && list.Len() == v.len() &&
			v.strides == nil {
			return *list, v.shape, true
		}
	}
	return nil, nil, false
}

// itemLengths returns the length of each list or array in a list. It returns nil if v is something
// else.
func itemLengths(v any) []int {
	items, shape, _ := elements(v)
	if len(shape) != 1 {
		return nil
	}
	n := make([]int, len(items))
	for i, item := range items {
		_, shape, _ := elements(item)
		if a, ok := item.(*ndarray); ok {
			shape = a.shape
		}
		if len(shape) == 0 {
			return nil
		}
		n[i] = shape[0]
	}
	return n
}

// longest returns the largest of the lengths of sequences in a list, or 0 if they are equal.
func longest(steps []int) int {
	if len(steps) == 0 || slices.Min(steps) == slices.Max(steps) {
		return 0
	}
	return slices.Max(steps)
}

// maxDepth is the largest number of lists in lists that are converted.
const maxDepth = 4

// numbers converts an array, a list or a tuple of numbers to float32, in row-major order. Lists
// and arrays in a list must have equal shapes, but for the first sizes of those in the outermost
// list: they are padded with zeros at the end to the longest.
func (c *converter) numbers(v any) ([]float32, []int, error) {
	return c.nested(v, longest(itemLengths(v)), 0)
}

func (c *converter) nested(v any, steps, depth int) ([]float32, []int, error) {
	if items, shape, ok := elements(v); ok {
		if len(items) > 0 && isSequence(items[0]) {
			return c.stack(items, shape, steps, depth)
		}
		if err := c.spend(4 * int64(len(items))); err != nil {
			return nil, nil, err
		}
		x := make([]float32, len(items))
		for i, item := range items {
			var err error
			if x[i], err = number(item, depth); err != nil {
				return nil, nil, fmt.Errorf("item %d: %w", i, err)
			}
		}
		return x, shape, nil
	}
	a, ok := v.(*ndarray)
	if !ok || a.dtype == nil || !strings.ContainsRune("fiub", rune(a.dtype.kind)) {
		return nil, nil, unreadable(v)
	}
	r, err := a.open()
	if err != nil {
		return nil, nil, err
	}
	if err := c.spend(4 * int64(a.len())); err != nil {
		return nil, nil, err
	}
	x := make([]float32, a.len())
	chunk := make([]byte, min(1<<16, len(x)*a.dtype.size))
	for dst := x; len(dst) > 0; {
		n := min(len(dst), len(chunk)/a.dtype.size)
		raw := chunk[:n*a.dtype.size]
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, nil, err
		}
		a.dtype.decode(dst[:n], raw)
		dst = dst[n:]
	}
	if a.strides == nil {
		return x, a.shape, nil
	}
	out := make([]float32, len(x))
	rowMajor(out, x, a.shape, a.strides)
	return out, a.shape, nil
}

// rowMajor copies the array x of the given shape and strides to dst in row-major order.
func rowMajor(dst, x []float32, shape, strides []int) {
	index := make([]int, len(shape))
	at := 0
	for i := range dst {
		dst[i] = x[at]
		for k := len(shape) - 1; k >= 0; k-- {
			at += strides[k]
			if index[k]++; index[k] < shape[k] {
				break
			}
			at -= shape[k] * strides[k]
			index[k] = 0
		}
	}
}

// isSequence reports whether an item of a list is not a single number.
func isSequence(v any) bool {
	switch v := v.(type) {
	case *types.List, *types.Tuple:
		return true
	case *ndarray:
		return len(v.shape) > 1 || len(v.shape) == 1 && v.shape[0] != 1
	}
	return false
}

// stack converts the lists or arrays in a list of the given shape, as numbers does. If steps > 0,
// their first sizes are padded to steps.
func (c *converter) stack(items []any, outer []int, steps, depth int) ([]float32, []int, error) {
	if depth == maxDepth {
		return nil, nil, fmt.Errorf("lists in more than %d lists", maxDepth)
	}
	var x []float32
	var inner []int
	size := 0 // of an item
	for i, item := range items {
		if err := c.spend(64); err != nil { // a list may be in many lists
			return nil, nil, err
		}
		row, shape, err := c.nested(item, 0, depth+1)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		case steps > 0 && len(row) == 0:
			continue
		case steps > 0:
			shape = append([]int{steps}, shape[1:]...)
		}
		if inner == nil {
			inner, size = shape, 1
			for _, n := range shape {
				size *= n
			}
			if int64(size) > c.left/4/int64(len(items)) {
				return nil, nil, fmt.Errorf("%d items of shape %v, more than a file of this size "+
					"may have", len(items), shape)
			}
			c.left -= 4 * int64(size) * int64(len(items))
			x = make([]float32, size*len(items))
		}
		if !slices.Equal(shape, inner) {
			return nil, nil, fmt.Errorf("item %d: expected shape %v as before, found %v", i, inner,
				shape)
		}
		copy(x[i*size:], row)
	}
	return x, append(slices.Clone(outer), inner...), nil
}

// number converts an item of a list in depth lists.
func number(v any, depth int) (float32, error) {
	switch v := v.(type) {
	case int:
		return float32(v), nil
	case float64:
		return float32(v), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case *ndarray:
		if v.len() == 1 && depth < maxDepth { // an array of objects may be its own object
			one := converter{left: 4}
			x, _, err := one.nested(v, 0, depth+1)
			if err != nil {
				return 0, fmt.Errorf("expected a number, found %w", err)
			}
			return x[0], nil
		}
	}
	return 0, fmt.Errorf("expected a number, found %w", unreadable(v))
}

// texts converts an array, a list or a tuple of strings. Integers are formatted in decimal. None
// and NaN, which pandas writes for a text that is absent, are empty strings.
func (c *converter) texts(v any) ([]string, error) {
	if items, _, ok := elements(v); ok {
		if err := c.spend(16 * int64(len(items))); err != nil {
			return nil, err
		}
		out := make([]string, len(items))
		for i, item := range items {
			var err error
			if out[i], err = c.text(item); err != nil {
				return nil, fmt.Errorf("item %d: %w", i, err)
			}
		}
		return out, nil
	}
	a, ok := v.(*ndarray)
	if !ok || !a.hasTexts() {
		return nil, unreadable(v)
	}
	r, err := a.open()
	if err != nil {
		return nil, err
	}
	if err := c.spend(16*int64(a.len()) + int64(a.len())*int64(a.dtype.size)); err != nil {
		return nil, err
	}
	out := make([]string, a.len())
	raw := make([]byte, a.dtype.size)
	for i := range out {
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, err
		}
		out[i] = a.dtype.text(raw)
	}
	return out, nil
}

func (c *converter) text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	case float64:
		if math.IsNaN(v) {
			return "", nil
		}
	case int:
		return strconv.Itoa(v), nil
	case []byte:
		return string(v), c.spend(int64(len(v)))
	case *unpickle.Blob:
		if err := c.spend(v.Size()); err != nil {
			return "", err
		}
		s, err := v.Text()
		return string(s), err
	case *ndarray:
		if len(v.shape) == 0 && v.hasTexts() {
			s, err := c.texts(v)
			if err != nil {
				return "", err
			}
			return s[0], nil
		}
	}
	return "", fmt.Errorf("expected a string, found %w", unreadable(v))
}

// hasTexts reports whether the elements are strings, or integers as ids are.
func (a *ndarray) hasTexts() bool {
	return a.dtype != nil && strings.ContainsRune("USiu", rune(a.dtype.kind))
}

// text decodes one string element, which is padded with zeros.
func (d *dtype) text(raw []byte) string {
	switch d.kind {
	case 'S':
		return string(bytes.TrimRight(raw, "\x00"))
	case 'i':
		return strconv.FormatInt(d.signed(raw), 10)
	case 'u':
		return strconv.FormatUint(d.unsigned(raw), 10)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if d.big {
		order = binary.BigEndian
	}
	var s []byte
	for ; len(raw) > 0; raw = raw[4:] {
		s = utf8.AppendRune(s, rune(order.Uint32(raw)))
	}
	return string(bytes.TrimRight(s, "\x00"))
}

// unreadable returns the error for a value that is neither numbers nor strings: what it is and, if
// known, how to convert it in Python.
func unreadable(v any) error {
	method := ""
	switch v := v.(type) {
	case *unpickle.Opaque:
		top, _, _ := strings.Cut(v.Module, ".")
		method = map[string]string{"pandas": ".to_numpy()", "torch": ".numpy()"}[top]
	case *ndarray:
		if v.dtype != nil && v.dtype.other == "longdouble" {
			method = ".astype('float32')"
		}
	}
	if method == "" {
		return errors.New(describe(v))
	}
	return fmt.Errorf("%s, which %s converts", describe(v), method)
}

// describe returns the type and shape of a value of the pickle for a message.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *ndarray:
		return v.String()
	case *unpickle.Opaque:
		return v.String()
	case *types.List:
		return fmt.Sprintf("list [%d]", v.Len())
	case *types.Tuple:
		return fmt.Sprintf("tuple [%d]", v.Len())
	case *types.Dict, *types.OrderedDict:
		return "dict"
	case string, *unpickle.Blob:
		return "string"
	case []byte:
		return "bytes"
	case int:
		return "integer"
	case float64:
		return "float"
	}
	return fmt.Sprintf("%T", v)
}
