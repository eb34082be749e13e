package weights

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/seed-6655bf3b/recap/internal/unpickle"
)

// readZip reads the format of torch.save since version 1.6: a zip archive of uncompressed entries.
// NAME/data.pkl is a pickle of the state dict and NAME/data/KEY holds the bytes of a storage.
func (f *File) readZip(file io.ReaderAt, size int64) error {
	f.Format = "PyTorch"
	archive, err := zip.NewReader(&budget{file, maxDirectory}, size)
	if err != nil {
		return fmt.Errorf(
			"%s: expected a zip archive as torch.save writes it, found: %w; the file is "+
				"damaged, download it again", f.Path, err,
		)
	}
	entries := map[string]*io.SectionReader{}
	root := ""
	for _, e := range archive.File {
		at, err := e.DataOffset()
		if err != nil || e.Method != zip.Store || at > size ||
			e.UncompressedSize64 > uint64(size-at) {
			return fmt.Errorf(
				"%s: %.100q: expected an uncompressed entry within the %d bytes of the file, "+
					"found another (%v); save it with torch.save", f.Path, e.Name, size, err,
			)
		}
		entries[e.Name] = io.NewSectionReader(file, at, int64(e.UncompressedSize64))
		if dir, ok := strings.CutSuffix(e.Name, "data.pkl"); ok &&
			strings.Count(e.Name, "/") <= 1 {
			root = dir
		}
	}
	program := entries[root+"data.pkl"]
	if program == nil {
		return fmt.Errorf(
			"%s: expected the entry data.pkl, found a zip archive without it; save a state "+
				"dict with torch.save", f.Path,
		)
	}
	if b := entries[root+"byteorder"]; b != nil {
		order := make([]byte, min(b.Size(), 16))
		if _, err := b.ReadAt(order, 0); err != nil || string(order) != "little" {
			return fmt.Errorf(
				"%s: expected little-endian numbers, found %q; save it on another machine",
				f.Path, order,
			)
		}
	}
	t := newTorch(f, func(key string) *io.SectionReader { return entries[root+"data/"+key] })
	v, _, err := t.load(f.Path+": data.pkl", program, 0, program.Size())
	if err != nil {
		return err
	}
	return t.collect(v, "", 0)
}

// maxDirectory limits the bytes that are read to list the entries of a zip archive; a thousand
// need 100 KB.
const maxDirectory = 8 << 20

// A budget reads a file and returns an error after the given number of bytes.
type budget struct {
	io.ReaderAt
	left int
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("more than %d bytes of directory", maxDirectory)
	}
	return b.ReaderAt.ReadAt(p, off)
}

// A torch converts a pickle of PyTorch to tensors.
type torch struct {
	file    *File
	storage func(key string) *io.SectionReader // bytes of a storage; nil if there is none
	types   map[string]DType                   // by storage key
	cost    int                                // bytes of memory used for names and values
}

func newTorch(f *File, storage func(key string) *io.SectionReader) *torch {
	return &torch{file: f, storage: storage, types: map[string]DType{}}
}

// A storage is the value of a persistent id: an array of elements elsewhere in the file.
type storage struct {
	DType
	key   string
	count int64 // elements
}

// load reads the pickle at an offset of a file, and returns the offset after it.
func (t *torch) load(name string, file io.ReaderAt, from, size int64) (any, int64, error) {
	l := unpickle.Loader{Name: name, Class: t.class, Persistent: t.persistent}
	v, end, err := l.Load(file, from, size)
	var class *unpickle.ClassError
	if errors.As(err, &class) {
		err = fmt.Errorf(
			"%w; only state dicts are read: save model.state_dict() instead of a whole model", err,
		)
	}
	return v, end, err
}

// A function is the Go implementation of a Python function.
type function func(args []any) (any, error)

// Call implements gopickle's types.Callable.
func (f function) Call(args ...any) (any, error) { return f(args) }

var storages = map[string]DType{"DoubleStorage": F64, "FloatStorage": F32, "HalfStorage": F16,
	"BFloat16Storage": BF16, "LongStorage": I64,
	"IntStorage": I32, "ShortStorage": I16, "CharStorage": I8, "ByteStorage": U8,
	"BoolStorage": Bool}

// class returns the Go value for a class or function of PyTorch (torch/_utils.py).
func (t *torch) class(module, name string) (any, error) {
	if d, ok := storages[name]; ok && module == "torch" {
		return d, nil
	}
	switch module + "." + name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return function(t.rebuild), nil
	case "torch._utils._rebuild_parameter", "torch.Size", "torch.device":
		return function(func(args []any) (any, error) {
			if len(args) == 0 {
				return nil, errors.New(name + ": expected an argument, found none")
			}
			return args[0], nil
		}), nil
	}
	if module == "torch" &&
		slices.Contains([]string{"float64", "float32", "float16", "bfloat16", "int64", "int32",
			"int16", "int8", "uint8", "bool"}, name) {
		return name, nil
	}
	return nil, &unpickle.ClassError{Module: module, Name: name}
}

// persistent reads the persistent id ('storage', type, key, device, elements). In the format
// before 1.6 a view follows, which must be None.
func (t *torch) persistent(id any) (any, error) {
	tuple, ok := id.(*types.Tuple)
	if !ok || tuple.Len() < 5 || tuple.Len() == 6 && tuple.Get(5) != nil {
		return nil, errors.New("expected a storage, found another persistent id")
	}
	d, ok1 := tuple.Get(1).(DType)
	key, ok2 := tuple.Get(2).(string)
	count, ok3 := tuple.Get(4).(int)
	if tuple.Get(0) != "storage" || !ok1 || !ok2 || key == "" || !ok3 || count < 0 {
		return nil, errors.New("expected a storage of a known type, found another")
	}
	t.types[key] = d
	return &storage{d, key, int64(count)}, nil
}

// rebuild reads the arguments (storage, offset, shape, strides, …) of a tensor, all in elements.
func (t *torch) rebuild(args []any) (any, error) {
	if len(args) < 4 {
		return nil, errors.New("tensor: expected a storage, an offset, a shape and strides")
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := integers(args[2])
	strides, ok4 := integers(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || offset < 0 || len(shape) != len(strides) {
		return nil, errors.New("tensor: expected a storage, an offset, a shape and strides")
	}
	return &rebuilt{s, int64(offset), shape, strides}, nil
}

// A rebuilt is a tensor whose storage has not been located yet: in the format before 1.6 the
// storages follow the pickle.
type rebuilt struct {
	storage        *storage
	offset         int64
	shape, strides []int
}

func integers(v any) ([]int, bool) {
	tuple, ok := v.(*types.Tuple)
	if !ok || tuple.Len() > 16 {
		return nil, false
	}
	x := []int{}
	for _, v := range *tuple {
		n, ok := v.(int)
		if !ok || n < 0 {
			return nil, false
		}
		x = append(x, n)
	}
	return x, true
}

// tensor checks that a tensor lies within its storage. A tensor may not have more elements than
// its storage, so that a small file cannot use much memory.
func (t *torch) tensor(r *rebuilt) (*Tensor, error) {
	raw := t.storage(r.storage.key)
	if raw == nil {
		return nil, fmt.Errorf("expected storage %.40q, found none", r.storage.key)
	}
	size := int64(r.storage.Size())
	if have := raw.Size() / size; have < r.storage.count {
		return nil, fmt.Errorf("expected a storage of %d elements, found %d", r.storage.count,
			have)
	}
	count, ok := elements(r.shape, r.storage.count)
	last, dense, want := int64(0), true, 1
	for k := len(r.shape) - 1; k >= 0 && count > 0 && ok; k-- {
		if n := int64(r.shape[k] - 1); n > 0 {
			if int64(r.strides[k]) > r.storage.count/n {
				ok = false
			}
			last += n * int64(r.strides[k])
			dense = dense && r.strides[k] == want
		}
		want *= r.shape[k]
	}
	if !ok || r.offset > r.storage.count || count > 0 && last >= r.storage.count-r.offset {
		return nil, fmt.Errorf(
			"expected a tensor within its storage of %d elements, found shape %v, strides %v, "+
				"offset %d", r.storage.count, r.shape, r.strides, r.offset,
		)
	}
	x := &Tensor{Type: r.storage.DType, Shape: r.shape,
		data: io.NewSectionReader(raw, r.offset*size, (r.storage.count-r.offset)*size)}
	if !dense {
		x.strides = r.strides
	}
	return x, nil
}

const (
	maxDepth = 8  // of dicts in dicts
	nodeCost = 64 // bytes of memory for a name or a value, apart from its text
)

// collect adds the tensors of nested dicts and lists to the file under their dotted names, and
// numbers and strings to its metadata.
func (t *torch) collect(v any, name string, depth int) error {
	if t.cost += nodeCost + len(name); t.cost > unpickle.BaseMemory || depth > maxDepth {
		return fmt.Errorf(
			"%s: %.100q: expected a state dict, found dicts within dicts, more than %d deep or "+
				"for more than %d MB; save model.state_dict()", t.file.Path, name, maxDepth,
			unpickle.BaseMemory>>20,
		)
	}
	member := func(key, value any) error {
		switch key := key.(type) {
		case string:
			return t.collect(value, under(name, key), depth+1)
		case int:
			return t.collect(value, under(name, strconv.Itoa(key)), depth+1)
		}
		return fmt.Errorf(
			"%s: %.100q: expected keys that are strings or integers, found another; save "+
				"model.state_dict()", t.file.Path, name,
		)
	}
	switch v := v.(type) {
	case *rebuilt:
		x, err := t.tensor(v)
		if err != nil {
			return fmt.Errorf("%s: tensor %.100q: %w; the file is damaged, download it again",
				t.file.Path, name, err)
		}
		return t.file.add(name, x)
	case *types.Dict:
		for _, e := range *v {
			if err := member(e.Key, e.Value); err != nil {
				return err
			}
		}
	case *types.OrderedDict:
		for e := v.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			if err := member(entry.Key, entry.Value); err != nil {
				return err
			}
		}
	case *types.List:
		for i, e := range *v {
			if err := member(i, e); err != nil {
				return err
			}
		}
	case string, int, float64, bool:
		text := fmt.Sprint(v)
		t.cost += len(text)
		t.file.Meta[name] = text
	}
	return nil
}

// under returns the dotted name of a key in a dict or list.
func under(name, key string) string {
	if name == "" {
		return key
	}
	return name + "." + key
}
